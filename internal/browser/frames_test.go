package browser

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/internal/browser/lab"
)

var (
	feedSeconds = flag.Int("feed", 1, "for how many seconds a page draws 5,000 points a second")
	traceDir    = flag.String("traces", "", "a folder for the traces of that, with profiles")
)

//go:embed testdata/frames.ts
var framesSource string

var framesScript = sync.OnceValues(func() (string, error) { return bundle(framesSource) })

const framesPage = `<!doctype html><meta charset="utf-8"><title>Frames</title><link rel="icon" href="data:,">
<div id="chart"></div><script type="module" src="frames.js"></script>`

// openFrames opens the page that draws feeds.
func openFrames(t *testing.T) *page {
	t.Helper()
	text, err := framesScript()
	check(t, err)
	s := newSite(t, nil)
	s.serve("/frames.js", text)
	s.serve("/frames.html", framesPage)
	s.mux.HandleFunc("/bare", bare)
	return open(t, s.url+"/frames.html")
}

// bare sends a feed over a socket, in lists of points.
func bare(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the page's socket closes
	}
	defer ws.CloseNow()
	number := func(name string) int {
		n, err := strconv.Atoi(r.FormValue(name))
		if err != nil {
			panic(err)
		}
		return n
	}
	for points := range lab.Ticks(r.Context(), number("n"), number("rate"), time.Duration(number("tick"))) {
		text, err := json.Marshal(points)
		if err == nil {
			err = ws.Write(r.Context(), websocket.MessageText, text)
		}
		if err != nil {
			return
		}
	}
	ws.Close(websocket.StatusNormalClosure, "")
}

// A page that draws 5,000 points a second gets all, in order. What it takes to receive them
// is compared with a socket that carries the same points and nothing else.
func TestFrames(t *testing.T) {
	t.Run("packed", func(t *testing.T) { drawFeed(t, 10*time.Millisecond) })
	t.Run("one by one", func(t *testing.T) { drawFeed(t, 200*time.Microsecond) })
}

func drawFeed(t *testing.T, tick time.Duration) {
	const rate = 5000
	n := rate * *feedSeconds
	draw := func(what string) activity {
		p := openFrames(t)
		events := trace(t, p, traceFile(t.Name()+" "+what), func() {
			if got := eval[int](t, p, fmt.Sprintf("%s(%d, %d, %d)", what, n, rate, tick)); got != n {
				t.Errorf("%s: %d points of %d", what, got, n)
			}
		})
		a := activityOf(t, events, "begin", "end")
		t.Logf("%s: %v", what, a)
		return a
	}
	plain, ours := draw("bare").receiving, draw("feed").receiving
	if ours > 8*plain {
		t.Errorf("receiving takes %v of the main thread's CPU time, %v over a bare socket", ours, plain)
	}
}

// All points of a message are read in the task in which it comes, even if there are many.
func TestMessageIsReadInOneTask(t *testing.T) {
	p := openFrames(t)
	type counts struct{ Read, Arrived, Late int }
	const n = 5000
	if got := eval[counts](t, p, fmt.Sprintf("late(%d, %d, %d)", n, 10*n, 10*time.Millisecond)); got != (counts{n, n, 0}) {
		t.Errorf("%+v", got)
	}
}
