package loadgen

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errOver    = errors.New("the run is over")
	errDrained = errors.New("the call was not answered until the run ended")
)

// A moment is one call's place in the run.
type moment struct {
	n        int64
	due      time.Time
	measured bool // it is not of the warm-up
}

// A run is one run of a load. The goroutines that make calls take turns: the one that has
// the turn waits until the next call is due, passes the turn on, and makes the call.
type run struct {
	*Options
	begin   time.Time
	stop    time.Time // when nothing is sent any more
	total   int64     // calls; -1 if the time alone ends the run
	rec     *recorder
	sending context.Context // ends with the last call's moment
	calling context.Context // ends when calls in flight have had their time
	do      func(moment) error
	links   []*Link // of the connections that may be cut
	opened  *opener // if connections are what is measured

	turn chan struct{} // a token; its holder owns the fields of pace
	pace pace

	wg       sync.WaitGroup
	idle     atomic.Int64 // goroutines that wait for the turn
	inFlight atomic.Int64
}

// A pace is how far the sending is.
type pace struct {
	next    int64
	workers int
	full    bool          // all workers were busy when the turn was passed on
	since   time.Time     // when that was
	free    time.Time     // when a worker became free again
	held    time.Duration // how long calls that were due had to wait for that
}

// Run puts load on a server until the schedule is over or ctx ends, and returns what was
// measured. The error is one of the options, or of connecting.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{Options: &o, total: o.total(), turn: make(chan struct{}, 1)}
	calling, endCalls := context.WithCancelCause(ctx)
	defer endCalls(nil)
	r.calling = calling
	sending, endSending := context.WithCancelCause(calling)
	r.sending = sending
	defer endSending(nil)
	close, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer close()
	r.begin = time.Now()
	r.stop = r.begin.Add(o.end())
	r.rec = newRecorder(&o, r.begin)
	watched := r.watch(endSending, endCalls)
	r.turn <- struct{}{}
	r.spawn()
	r.wg.Go(r.hold)
	r.wg.Wait()
	return r.result(ctx, watched()), nil
}

// prepare makes what the calls need, and returns what ends that.
func (r *run) prepare(ctx context.Context) (end func(), err error) {
	if r.Call == nil {
		r.opened = &opener{run: r}
		r.do = r.opened.open
		return r.opened.close, nil
	}
	c := &client{run: r}
	r.do = c.call
	return c.close, c.connect(ctx)
}

func (r *run) spawn() {
	r.pace.workers++
	r.wg.Go(func() {
		for {
			m, ok := r.take()
			if !ok {
				return
			}
			r.inFlight.Add(1)
			err := r.do(m)
			r.inFlight.Add(-1)
			r.rec.finished(r, m, err)
		}
	})
}

// take waits until a call is due, and returns it. ok is false if there is none left.
func (r *run) take() (m moment, ok bool) {
	r.idle.Add(1)
	<-r.turn
	r.idle.Add(-1)
	p := &r.pace
	if p.next == r.total || !r.wait(p) {
		r.turn <- struct{}{} // the others end as well
		return m, false
	}
	m = r.moment(p.next)
	if !r.Closed {
		r.rec.late(m, time.Since(later(m.due, p.free)))
	}
	p.next++
	if p.full = r.idle.Load() == 0; p.full && p.workers < r.InFlight {
		p.full = false
		r.spawn()
	}
	p.since = time.Now()
	r.turn <- struct{}{}
	return m, true
}

// wait waits until the next call is due, and reports whether it still can be made.
func (r *run) wait(p *pace) bool {
	now := time.Now()
	if w := r.warm(); !r.Closed && p.next < w && now.Sub(r.begin) > r.Warmup {
		p.next = w // the server is behind: what is left of the warm-up would only be in the way
	}
	due := r.due(p.next)
	if p.full {
		p.free = now
		p.held += max(0, now.Sub(later(due, p.since)))
	}
	if r.Closed {
		return now.Before(r.stop) && r.sending.Err() == nil
	}
	for {
		d := time.Until(due)
		switch {
		case r.sending.Err() != nil:
			return false
		case d <= 0:
			return now.Before(r.stop.Add(grace))
		case d <= precise:
			r.Sleep(d)
		default:
			select {
			case <-r.sending.Done():
			case <-time.After(d - precise):
			}
		}
	}
}

const (
	// grace is how long calls that were due may be sent behind the end.
	grace = 50 * time.Millisecond

	// precise is less than what a timer may be late by, while a process is idle.
	precise = 2 * time.Millisecond
)

func (r *run) due(n int64) time.Time { return r.begin.Add(r.Schedule.due(n)) }

func (r *run) moment(n int64) moment {
	if r.Closed {
		now := time.Now()
		return moment{n, now, now.Sub(r.begin) >= r.Warmup}
	}
	return moment{n, r.due(n), n >= r.warm()}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
