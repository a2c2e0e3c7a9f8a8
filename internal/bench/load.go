package main

import (
	"context"
	"runtime"
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
	rate  int                 // a second
	n     int64               // how many calls there are
	sleep func(time.Duration) // a test has another
}

func (p *pacer) due(i int64) time.Time {
	return p.start.Add(time.Duration(i) * time.Second / time.Duration(p.rate))
}

// latency is what the call i took if it came back at end.
func (p *pacer) latency(i int64, end time.Time) time.Duration { return end.Sub(p.due(i)) }

// run sends the number of each call when it is due, and closes the channel
// after the last. Nothing holds it up as long as the channel has room for all.
func (p *pacer) run(calls chan<- int64) {
	defer close(calls)
	for i := range p.n {
		if d := time.Until(p.due(i)); d > 0 {
			p.sleep(d)
		}
		calls <- i
	}
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
	p := &pacer{start: time.Now().Add(time.Millisecond), rate: j.Work.Rate, n: 20, sleep: nanosleep}
	if !j.tiny() {
		p.n = max(20, int64(j.Duration.Seconds()*float64(p.rate)))
	}
	took, err := p.drive(clients[0], 2*j.Duration+time.Second)
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
		calls  = make(chan int64, p.n)
		took   = make([]time.Duration, p.n)
		failed atomic.Pointer[error]
	)
	wg.Go(func() {
		runtime.LockOSThread() // it sleeps in the kernel; it ends with its goroutine
		p.run(calls)
	})
	for range min(callers, p.n) {
		wg.Go(func() {
			for i := range calls {
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
