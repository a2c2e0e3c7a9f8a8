// Package workers runs work on as few goroutines as will do.
package workers

import (
	"sync"
	"time"
)

// idleTimeout is how long a worker may wait for its next work before it ends. A
// goroutine that has grown its stack serves the next call at half the cost of a
// fresh one, but an idle connection should have none.
const idleTimeout = time.Second

// A Pool runs what it is given, in the order in which it was given, each on a
// goroutine that may block for as long as it likes. Its methods may be called from
// any goroutine; Init comes first.
//
// At most one worker is waking at any time. It takes one piece of work, and if there
// is more wakes the next worker before it runs the first: if that work blocks,
// another worker is there for the rest; if not, this one has taken most of the rest
// itself before the other runs. A goroutine for each piece of work looks simpler, but
// with a thousand calls in a frame half of the time goes into stacks.
type Pool[T any] struct {
	run func(T)

	mu     sync.Mutex
	queue  []T // from next on
	next   int
	waking bool // a worker is about to look at the queue
	parked int  // workers that wait
	ended  bool

	// Both are nil while no worker has parked since the last were reaped.
	wake   chan bool   // true: there is work; false: the worker ends
	reaper *time.Timer // ends parked workers
}

// Init sets what runs each piece of work.
func (p *Pool[T]) Init(run func(T)) { p.run = run }

// Go gives a piece of work to a worker. It never blocks; how much waits is for the
// caller to bound.
func (p *Pool[T]) Go(work T) {
	p.mu.Lock()
	p.queue = append(p.queue, work)
	p.wakeOne()
	p.mu.Unlock()
}

// End has each worker end as soon as the queue is empty. What is given to Go after
// it still runs.
func (p *Pool[T]) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.wake != nil {
		p.reaper.Stop()
		close(p.wake)
	}
}

// Stats returns how much work waits for a worker, and how many workers are parked.
func (p *Pool[T]) Stats() (waiting, parked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) - p.next, p.parked
}

// wakeOne wakes a worker, or starts one, if there is work and none is waking. The
// mutex is held.
func (p *Pool[T]) wakeOne() {
	if p.waking || p.next == len(p.queue) {
		return
	}
	p.waking = true
	if !p.ended {
		select {
		case p.wake <- true:
			return
		default:
		}
	}
	go p.work()
}

// take takes the next piece of work off the queue, if there is one. The mutex is
// held.
func (p *Pool[T]) take() (work T, ok bool) {
	if p.next == len(p.queue) {
		return work, false
	}
	var none T
	work, p.queue[p.next] = p.queue[p.next], none
	if p.next++; p.next == len(p.queue) {
		p.queue, p.next = p.queue[:0], 0
		if cap(p.queue) > 64 {
			p.queue = nil
		}
	}
	return work, true
}

// work is a worker's goroutine.
func (p *Pool[T]) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waking = false
	for {
		if work, ok := p.take(); ok {
			p.wakeOne()
			p.runUnlocked(work)
		} else if p.ended || !p.park() {
			return
		}
	}
}

// runUnlocked runs work without the mutex, which is held before and after, also if
// the work ends its goroutine.
func (p *Pool[T]) runUnlocked(work T) {
	p.mu.Unlock()
	defer p.mu.Lock()
	p.run(work)
}

// park waits for work and reports whether there is some. The mutex is held before
// and after.
func (p *Pool[T]) park() bool {
	switch {
	case p.wake == nil:
		p.wake = make(chan bool)
		p.reaper = time.AfterFunc(idleTimeout, p.reap)
	case p.parked == 0:
		p.reaper.Reset(idleTimeout)
	}
	p.parked++
	wake := p.wake
	p.mu.Unlock()
	work := <-wake
	p.mu.Lock()
	p.parked--
	if work {
		p.waking = false
	}
	return work
}

// reap ends the workers that are parked now.
func (p *Pool[T]) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.parked > 0 && !p.ended {
		select {
		case p.wake <- false:
		default: // one has counted itself and is not at its channel yet, or just leaves it
			p.reaper.Reset(idleTimeout)
			return
		}
	}
	if !p.ended {
		p.wake, p.reaper = nil, nil
	}
}
