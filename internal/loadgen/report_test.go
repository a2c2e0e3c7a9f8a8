package loadgen

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/dynamic"
)

// aResult is that of 1000 calls, which took 1 ms, and ten of which took 1 s.
func aResult() *Result {
	res := &Result{What: "Room.Post", Length: 10 * time.Second, Due: 1000, Sent: 1000, Answered: 998, InTime: 990, Failed: 2,
		Errors:  []*Failure{{Code: 1001, Type: "chat.TooLong", Example: "too long", Count: 2}},
		Latency: newHistogram(), Gaps: newHistogram(), Late: newHistogram(), Outages: newHistogram()}
	res.Options = Options{Schedule: Schedule{Rate: 100, For: 10 * time.Second, Warmup: time.Second}, Conns: 2, InFlight: 10, Cut: time.Second, Seq: []string{"id"},
		Call: func(int64, func(int64)) (*dynamic.Call, error) { return nil, nil }}
	for range 990 {
		res.Latency.record(time.Millisecond)
	}
	for range 10 {
		res.Latency.record(time.Second)
	}
	res.Cuts = Cuts{Cut: 3, Resumed: 2, Anew: 1}
	res.Seq = Sequence{Values: 998, Lost: 1}
	return res
}

const text = `Room.Post: 100 calls a second for 10s, on 2 connections, and before that 1s of warm-up, which is left out

calls        1,000 sent, 998 answered, 2 failed
a second     100 sent, 99 answered
in flight    0 at half time, 0 at the end
cuts         3: 2 resumed, 1 with a new session, 0 not back; back after 0s at p50, 0s at most
sequence     998 values, 1 lost, 0 doubled
error        2 times: too long (chat.TooLong, code 1001)

latency, from when it was due
  p50      1ms
  p75      1ms
  p90      1ms
  p99      1ms
  p99.9    1s
  p99.99   1s
  max      1s

  up to 1ms    ████████████████████████████████████████ 990
  up to 2ms                                             0
  up to 5ms                                             0
  up to 10ms                                            0
  up to 20ms                                            0
  up to 50ms                                            0
  up to 100ms                                           0
  up to 200ms                                           0
  up to 500ms                                           0
  up to 1s     █                                        10
`

func TestText(t *testing.T) {
	var b strings.Builder
	if err := aResult().WriteText(&b); err != nil || b.String() != text {
		t.Errorf("%v\n%s\nwant:\n%s", err, b.String(), text)
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := aResult().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var v struct {
		What                   string
		Due, Sent, Failed      int64
		SentRate, AnsweredRate float64
		Errors                 []Failure
		Latency                map[string]any
		Cuts                   Cuts
		Sequence               Sequence
		Notes                  []string
	}
	if err := json.Unmarshal([]byte(b.String()), &v); err != nil {
		t.Fatal(err)
	}
	if v.What != "Room.Post" || v.Due != 1000 || v.Sent != 1000 || v.Failed != 2 || v.SentRate != 100 || v.AnsweredRate != 99 || len(v.Errors) != 1 ||
		v.Errors[0].Code != 1001 || v.Cuts.Resumed != 2 || v.Sequence.Lost != 1 || v.Notes == nil || v.Latency["max"] != 1.0 || v.Latency["count"] != 1000.0 {
		t.Errorf("%+v", v)
	}
	if p50 := v.Latency["p50"].(float64); p50 < 0.001 || p50 > 0.00101 {
		t.Errorf("p50 is %g", p50)
	}
}

func TestSVG(t *testing.T) {
	empty := aResult()
	empty.Latency = newHistogram()
	escaped := aResult()
	escaped.What = "<a&b>"
	for name, res := range map[string]*Result{"full": aResult(), "empty": empty, "escaped": escaped} {
		var b strings.Builder
		if err := res.WriteSVG(&b); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(strings.NewReader(b.String()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, b.String())
			}
		}
		if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("%s: %s", name, b.String())
		}
	}
}

func TestHistogram(t *testing.T) {
	h := newHistogram()
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.bars() != nil {
		t.Error("an empty one has figures")
	}
	for i := range 1000 {
		h.record(time.Duration(i+1) * time.Millisecond)
	}
	h.record(2 * time.Hour)
	h.record(-time.Second)
	within(t, "p50", h.Quantile(0.5), 500*time.Millisecond, time.Millisecond)
	if h.max != time.Hour || h.min != 0 || h.Count() != 1002 {
		t.Errorf("%s to %s, %d", h.min, h.max, h.Count())
	}
	sum := int64(0)
	for _, b := range h.bars() {
		sum += b.count
	}
	if sum != 1002 {
		t.Errorf("the bars have %d of 1002", sum)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 999: "999ns", 1234567: "1.23ms", 12345678: "12.3ms", 59999 * time.Millisecond: "1m0s"} {
		if got := short(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
