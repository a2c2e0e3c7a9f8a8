package rpc

import "time"

// workerRest is how long a worker may wait for its next call before it goes
// home. A goroutine that has grown its stack serves the next call at half the
// cost of a fresh one; but an idle connection has no use for any.
const workerRest = time.Second

// dispatch gives a call to an idle worker, or to a new one. It never waits. How
// many there are is bounded by the limit on calls.
func (c *Conn) dispatch(in *incoming) {
	select {
	case c.work <- in:
	default:
		go c.worker(in)
	}
}

// worker serves calls until none comes for a while.
func (c *Conn) worker(in *incoming) {
	for in != nil {
		in.runCounted()
		c.idlers.Add(1)
		c.armTrimmer()
		select {
		case in = <-c.work:
		case <-c.ctx.Done():
			in = nil
		}
		c.idlers.Add(-1)
	}
}

func (c *Conn) armTrimmer() {
	if !c.trimming.Swap(true) {
		c.trimmer.Reset(workerRest)
	}
}

// trim sends the workers home that are idle just now.
func (c *Conn) trim() {
	c.trimming.Store(false)
	for {
		select {
		case c.work <- nil:
		default:
			if c.idlers.Load() > 0 && c.ctx.Err() == nil {
				c.armTrimmer() // one was on its way to bed
			}
			return
		}
	}
}
