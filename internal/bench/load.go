package main

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A pacer says when calls at a fixed rate are due: whether or not those before
// have come back, as users do who do not know of each other. The latency of a
// call is counted from when it was due. Counting from when it was made would
// leave out how long it could not be, and so every wait but the first
// ("coordinated omission").
type pacer struct {
	start time.Time
	rate  int // a second
	n     int64
	turn  chan int64          // the next call's number; who has it waits until that is due
	sleep func(time.Duration) // a test has another
}

func newPacer(rate int, n int64, sleep func(time.Duration)) *pacer {
	p := &pacer{time.Now(), rate, n, make(chan int64, 1), sleep}
	p.turn <- 0
	return p
}

func (p *pacer) due(i int64) time.Time {
	return p.start.Add(time.Duration(i) * time.Second / time.Duration(p.rate))
}

// latency is what the call i took if it came back at end.
func (p *pacer) latency(i int64, end time.Time) time.Duration { return end.Sub(p.due(i)) }

// next waits until a call is due and returns its number; none is left when that
// is n. The caller makes it: handing it to another goroutine would be quicker
// to read and would charge the call with waking that goroutine.
func (p *pacer) next() int64 {
	i := <-p.turn
	if i < p.n {
		if d := time.Until(p.due(i)); d > 0 {
			p.sleep(d)
		}
	}
	p.turn <- min(i+1, p.n)
	return i
}

// nanosleep sleeps more exactly than time.Sleep, which a process that is
// otherwise idle gets a millisecond of at least.
func nanosleep(d time.Duration) {
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	syscall.Nanosleep(&ts, nil)
}

// callers is how many calls may be under way at once.
const callers = 1024

// load makes calls at a fixed rate on one connection.
func (j *Job) load(ctx context.Context) (s Sample, err error) {
	clients, err := j.dial(ctx, 1)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	if err := newLanes(clients, 64, false).run(ctx, j.Duration/warmth, 1); err != nil {
		return s, err
	}
	n := int64(20)
	if !j.tiny() {
		n = max(1000, int64(j.Duration.Seconds()*float64(j.Work.Rate))) // or a p99 is a few calls'
	}
	p := newPacer(j.Work.Rate, n, nanosleep)
	took, err := p.drive(clients[0], 2*p.due(n).Sub(p.start)+j.patience())
	if err != nil {
		return s, err
	}
	s.Ops, s.Rate = int64(len(took)), float64(len(took))/time.Since(p.start).Seconds()
	s.P50, s.P99 = micros(quantile(took, 0.50)), micros(quantile(took, 0.99))
	return s, nil
}

// drive makes the calls, and returns their latencies. After limit those that
// are not back are counted as if they came then.
func (p *pacer) drive(c Client, limit time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var (
		wg     sync.WaitGroup
		took   = make([]time.Duration, p.n)
		failed atomic.Pointer[error]
	)
	for range min(callers, p.n) {
		wg.Go(func() {
			for i := p.next(); i < p.n; i = p.next() {
				if ctx.Err() == nil {
					if err := c.Echo(ctx, i); err != nil && ctx.Err() == nil {
						failed.CompareAndSwap(nil, &err)
					}
				}
				took[i] = p.latency(i, time.Now())
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return took, nil
}
