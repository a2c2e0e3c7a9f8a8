package rpc

import (
	"sync"
	"time"
)

// workerRest is how long a worker may wait for its next call before it goes
// home. A goroutine that has grown its stack serves the next call at half the
// cost of a fresh one; but an idle connection has no use for any.
const workerRest = time.Second

// workers run a connection's calls, on as few goroutines as will do.
//
// At most one worker is on its way to the queue at any time. It takes a call,
// and where there are more sends for the next worker before it runs the first: if
// that call waits for something, another is there for the rest; if not, this
// one has taken most of the rest itself before the other has got up. A
// goroutine for each call at once looks simpler, and with a thousand calls in a
// frame half of the time goes into stacks.
type workers struct {
	run func(*incoming)

	mu     sync.Mutex
	queue  []*incoming // from next on
	next   int
	coming bool // a worker is on its way
	idle   int  // in wait
	ended  bool

	// Both are nil while nobody has been idle since the last were sent home.
	wake chan bool
	home *time.Timer // sends idle workers home
}

func (w *workers) init(run func(*incoming)) { w.run = run }

// dispatch gives a call to a worker. It never waits. How many calls there are is
// bounded by the limit on them.
func (w *workers) dispatch(in *incoming) {
	w.mu.Lock()
	w.queue = append(w.queue, in)
	w.send()
	w.mu.Unlock()
}

// send makes a worker come, if there is work and none is coming. The mutex is
// held.
func (w *workers) send() {
	if w.coming || w.next == len(w.queue) {
		return
	}
	w.coming = true
	if !w.ended {
		select {
		case w.wake <- true:
			return
		default:
		}
	}
	go w.work()
}

// take takes the next call off the queue, nil where there is none.
func (w *workers) take() *incoming {
	if w.next == len(w.queue) {
		return nil
	}
	in := w.queue[w.next]
	w.queue[w.next] = nil
	if w.next++; w.next == len(w.queue) {
		w.queue, w.next = w.queue[:0], 0
		if cap(w.queue) > 64 {
			w.queue = nil
		}
	}
	return in
}

// work is a worker, from when it was sent for.
func (w *workers) work() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coming = false
	for {
		if in := w.take(); in != nil {
			w.send()
			w.serve(in)
		} else if w.ended || !w.rest() {
			return
		}
	}
}

// serve runs a call, without the mutex, which is held before and after, also
// where the call ends the goroutine.
func (w *workers) serve(in *incoming) {
	w.mu.Unlock()
	defer w.mu.Lock()
	w.run(in)
}

// rest waits for work and reports whether there is some. The mutex is held
// before and after.
func (w *workers) rest() bool {
	switch {
	case w.wake == nil:
		w.wake = make(chan bool)
		w.home = time.AfterFunc(workerRest, w.trim)
	case w.idle == 0:
		w.home.Reset(workerRest)
	}
	w.idle++
	wake := w.wake
	w.mu.Unlock()
	work := <-wake
	w.mu.Lock()
	w.idle--
	if work {
		w.coming = false
	}
	return work
}

// trim sends the workers home that are idle just now.
func (w *workers) trim() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.idle > 0 && !w.ended {
		select {
		case w.wake <- false:
		default: // one is on its way to bed, or just getting up
			w.home.Reset(workerRest)
			return
		}
	}
	if !w.ended {
		w.wake, w.home = nil, nil
	}
}

// end sends everyone home as soon as the queue is empty.
func (w *workers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.wake != nil {
		w.home.Stop()
		close(w.wake)
	}
}
