package browser

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpio "github.com/chromedp/cdproto/io"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// A traceEvent is an event of the browser's trace. Times are in microseconds.
type traceEvent struct {
	Name  string  `json:"name"`
	PID   int     `json:"pid"`
	TID   int     `json:"tid"`
	Begin float64 `json:"ts"`
	Wall  float64 `json:"dur"`
	CPU   float64 `json:"tdur"`
}

// traced is the categories of the events that activityOf reads.
var traced = []string{"blink.user_timing", "devtools.timeline", "disabled-by-default-devtools.timeline", "disabled-by-default-devtools.timeline.frame"}

// traceFile is where a trace is left for the browser's own tools, or nowhere.
func traceFile(name string) string {
	if *traceDir == "" {
		return ""
	}
	return filepath.Join(*traceDir, strings.NewReplacer(" ", "-", "/", "-").Replace(name)+".json")
}

// trace records what the browser does while f runs. Where a file is named the trace is
// written there, with a profile.
func trace(t *testing.T, p *page, file string, f func()) []traceEvent {
	t.Helper()
	config := &tracing.TraceConfig{IncludedCategories: traced}
	if file != "" {
		config.IncludedCategories = append(slices.Clone(traced), "disabled-by-default-v8.cpu_profiler")
	}
	_, err := chromedp.Call(p.ctx, tracing.Start, tracing.StartParams{TransferMode: tracing.StartTransferModeReturnAsStream, TraceConfig: config})
	check(t, err)
	f()
	complete, err := chromedp.Run(p.ctx, chromedp.WaitEvent(tracing.TracingComplete, nil, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, tracing.End, cdp.Empty{})
		return err
	})))
	check(t, err)
	if complete.DataLossOccurred {
		t.Fatal("the trace is incomplete")
	}
	text := readStream(t, p, complete.Stream)
	if file != "" {
		check(t, os.WriteFile(file, text, 0o666))
	}
	var all struct {
		Events []traceEvent `json:"traceEvents"`
	}
	check(t, json.Unmarshal(text, &all))
	return all.Events
}

func readStream(t *testing.T, p *page, stream cdpio.StreamHandle) []byte {
	t.Helper()
	var text bytes.Buffer
	for {
		part, err := chromedp.Call(p.ctx, cdpio.Read, cdpio.ReadParams{Handle: stream, Size: 1 << 20})
		check(t, err)
		text.Write(part.Data)
		if part.EOF {
			return text.Bytes()
		}
	}
}

// An activity is what a page has done between two marks, on its main thread.
type activity struct {
	wall      time.Duration
	busy      time.Duration // CPU time of all tasks
	receiving time.Duration // of those with messages of sockets
	drawing   time.Duration // of those with animation frames
	messages  int
	frames    int // that were presented
	long      int // tasks of more than 50 ms
}

func (a activity) String() string {
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / a.wall.Seconds() }
	return fmt.Sprintf("%.1f frames/s, %.0f messages/s, main thread %.1f%% (receiving %.1f%%, drawing %.1f%%), %d long tasks",
		float64(a.frames)/a.wall.Seconds(), float64(a.messages)/a.wall.Seconds(), share(a.busy), share(a.receiving), share(a.drawing), a.long)
}

// activityOf adds up a trace between two marks of a page.
func activityOf(t *testing.T, events []traceEvent, begin, end string) (a activity) {
	t.Helper()
	slices.SortStableFunc(events, func(a, b traceEvent) int { return cmp.Compare(a.Begin, b.Begin) })
	from := slices.IndexFunc(events, func(e traceEvent) bool { return e.Name == begin })
	to := slices.IndexFunc(events, func(e traceEvent) bool { return e.Name == end })
	if from < 0 || to < from {
		t.Fatalf("the trace has no marks %s and %s", begin, end)
	}
	mark := events[from]
	a.wall = microseconds(events[to].Begin - mark.Begin)
	var task traceEvent
	var receives, draws bool
	finish := func() {
		cpu := microseconds(task.CPU)
		a.busy += cpu
		switch {
		case receives:
			a.receiving += cpu
		case draws:
			a.drawing += cpu
		}
		if task.Wall > 50_000 {
			a.long++
		}
	}
	for _, e := range events[from:to] {
		if e.PID != mark.PID {
			continue
		}
		if e.Name == "DrawFrame" {
			a.frames++
		}
		if e.TID != mark.TID {
			continue
		}
		switch e.Name {
		case "RunTask":
			finish()
			task, receives, draws = e, false, false
		case "WebSocketReceive":
			receives = true
			a.messages++
		case "FireAnimationFrame":
			draws = true
		}
	}
	finish()
	return a
}

func microseconds(n float64) time.Duration { return time.Duration(n * float64(time.Microsecond)) }
