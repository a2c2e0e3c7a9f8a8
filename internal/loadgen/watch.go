package loadgen

import (
	"context"
	"time"
)

// A Live is what has been measured so far.
type Live struct {
	Elapsed  time.Duration // since the run began, its warm-up included
	Length   time.Duration // of the run, its warm-up included
	Warming  bool
	Answered int64
	Failed   int64
	Items    int64
	InFlight int64
	P50, P99 time.Duration
}

// liveEach is the time between two calls of Options.Live.
const liveEach = 250 * time.Millisecond

// A backlog is how many calls were in flight at two moments.
type backlog struct{ half, end int64 }

// watch does what has its time: it ends the sending, then the calls that do not come back,
// and calls Live. The function that it returns ends that.
func (r *run) watch(endSending, endCalls context.CancelCauseFunc) func() backlog {
	var b backlog
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		if !r.tick(done, r.begin.Add(r.Warmup+r.For/2)) {
			return
		}
		b.half = r.inFlight.Load()
		if !r.tick(done, r.stop) {
			return
		}
		b.end = r.inFlight.Load()
		r.endSending(endSending, done)
		if r.tick(done, r.stop.Add(max(r.Drain, grace))) {
			endCalls(errDrained)
			<-done
		}
	}()
	return func() backlog {
		close(done)
		<-stopped
		return b
	}
}

// endSending ends the streams, and with them the sending. Calls that were due are late by
// a little on a busy machine, which grace is for.
func (r *run) endSending(end context.CancelCauseFunc, done chan struct{}) {
	if !r.Streams {
		r.tick(done, r.stop.Add(grace))
	}
	end(errOver)
}

// tick calls Live until a moment, and reports whether that came before done.
func (r *run) tick(done chan struct{}, until time.Time) bool {
	over := time.NewTimer(time.Until(until))
	defer over.Stop()
	live := time.NewTicker(liveEach)
	defer live.Stop()
	for {
		select {
		case <-done:
			return false
		case <-over.C:
			return true
		case <-live.C:
			if r.Live != nil {
				r.Live(r.live())
			}
		}
	}
}

func (r *run) live() Live {
	l := Live{Elapsed: time.Since(r.begin), Length: r.end(), InFlight: r.inFlight.Load()}
	l.Warming = l.Elapsed < r.Warmup
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	l.Answered, l.Failed, l.Items = r.rec.answered, r.rec.failed, r.rec.items
	l.P50, l.P99 = r.rec.latency.Quantile(0.5), r.rec.latency.Quantile(0.99)
	return l
}
