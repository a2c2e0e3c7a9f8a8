package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A recorder collects what is measured. Its fields are guarded by mu.
type recorder struct {
	o     *Options
	start time.Time // the end of the warm-up
	stop  time.Time // the end of the sending

	mu         sync.Mutex
	sent       int64
	answered   int64
	inTime     int64 // answered before the sending ended
	failed     int64
	unfinished int64
	items      int64
	bytes      int64
	errors     map[string]*Failure
	latency    *Histogram
	gaps       *Histogram
	lateness   *Histogram // of the generator itself
	outages    *Histogram
	parts      []*Histogram // of a ramp
	cuts       Cuts
	seq        Sequence
}

func newRecorder(o *Options, begin time.Time) *recorder {
	rec := &recorder{o: o, start: begin.Add(o.Warmup), stop: begin.Add(o.end()), errors: map[string]*Failure{},
		latency: newHistogram(), gaps: newHistogram(), lateness: newHistogram(), outages: newHistogram()}
	if o.To != 0 {
		for range rampParts {
			rec.parts = append(rec.parts, newHistogram())
		}
	}
	return rec
}

// rampParts is into how many parts a ramp is divided.
const rampParts = 10

// late counts a call as sent, and how late this side was with it.
func (rec *recorder) late(m moment, d time.Duration) {
	if !m.measured {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.lateness.record(d)
}

// took records what a call took, or how long a stream's first item.
func (rec *recorder) took(m moment, d time.Duration) {
	rec.latency.record(d)
	if len(rec.parts) > 0 {
		at := int(rampParts * m.due.Sub(rec.start) / rec.o.For)
		rec.parts[min(max(at, 0), rampParts-1)].record(d)
	}
}

// finished records the end of a call or a stream, which was due at m. A stream that was
// opened in the warm-up counts if it lasted longer.
func (rec *recorder) finished(r *run, m moment, err error) {
	now := time.Now()
	if lasts := rec.o.Streams && now.After(rec.start); !m.measured && !lasts {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.sent++
	age := now.Sub(m.due)
	switch {
	case errors.Is(err, errOver), errors.Is(err, errEnough):
		rec.answer(now)
	case err == nil:
		rec.answer(now)
		if !rec.o.Streams {
			rec.took(m, age)
		}
	case r.calling.Err() != nil:
		rec.unfinished++
		if errors.Is(context.Cause(r.calling), errDrained) {
			rec.took(m, age)
		}
	default:
		rec.fail(err)
		if errors.Is(err, context.DeadlineExceeded) {
			rec.took(m, age) // it was slow, not refused
		}
	}
}

func (rec *recorder) answer(now time.Time) {
	rec.answered++
	if !now.After(rec.stop) {
		rec.inTime++
	}
}

// A Failure is how often calls failed with a code.
type Failure struct {
	Code    int    `json:"code"`           // 0 if the error has none
	Type    string `json:"type,omitempty"` // what the contract calls it
	Example string `json:"example"`        // the first one's message
	Count   int64  `json:"count"`
}

// kinds is how many kinds of errors are counted separately.
const kinds = 50

func (rec *recorder) fail(err error) {
	rec.failed++
	key, f := rec.kind(err)
	if _, known := rec.errors[key]; !known && len(rec.errors) >= kinds {
		key, f = "", Failure{Example: "other errors"}
	}
	known := rec.errors[key]
	if known == nil {
		known = &f
		rec.errors[key] = known
	}
	known.Count++
}

// kind returns what an error is counted as, and a key for that.
func (rec *recorder) kind(err error) (key string, f Failure) {
	if rec.o.Timeout > 0 && errors.Is(err, context.DeadlineExceeded) { // either side may be first
		f.Example = "not answered within " + rec.o.Timeout.String()
	} else {
		f.Example = err.Error()
		if e, ok := errors.AsType[*rpc.Error](err); ok {
			f.Code, f.Type = int(e.Code), e.Type
			return fmt.Sprint(e.Code, e.Type), f
		}
	}
	return f.Example, f
}
