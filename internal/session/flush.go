package session

import (
	"runtime"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// flushRounds is how often a caller writes what others have put meanwhile
// before a goroutine takes over, so that no caller works for all.
const flushRounds = 4

// enough is how much is made ready for the socket at a time.
const enough = 2 * FrameSize

// flush writes what waits in the outbox until nothing does. Who was told to
// flush by the outbox calls it, so it runs once at a time.
//
// It yields before it takes what is there, because those who are about to put
// something then share its system call: that doubles what a busy connection
// carries, and costs nothing where nobody else is ready to run.
//
// A caller writes only what the socket takes at once; where that is not
// everything, or not known of this kind of socket, a goroutine goes on.
func (c *Session) flush(caller bool) {
	for round := 0; ; {
		done, err := c.transport.Flush(!caller)
		if done {
			c.unflushed = 0
		}
		if err == nil && done && c.batch.left() {
			if err = c.write(); err == nil {
				continue
			}
		}
		switch {
		case err != nil:
			c.out.failed(c.unwritten())
			c.lost(err)
			c.out.quit()
			return
		case !done || caller && round == flushRounds:
			go c.flush(false)
			return
		}
		c.produceNow()
		runtime.Gosched()
		if !c.out.take(&c.batch, c.transport.Pending) {
			return
		}
		round++
		if Served, own := c.out.takeFinished(); Served+own > 0 {
			c.update(func(s *connState) { s.countSource(true, -Served); s.countSource(false, -own) })
		}
	}
}

// write makes what comes next of the batch ready for the socket.
func (c *Session) write() error {
	if c.batch.ack {
		c.batch.ack = false
		if err := c.writeAck(); err != nil {
			return err
		}
	}
	before := c.batch.written()
	err := c.batch.write(enough, c.transport.WriteFrame)
	if r := c.resume.Load(); r != nil && r.sent.NeedsAck() {
		c.out.post(c.Format.AppendControl(nil, methodPing, time.Now().UnixMilli()), false) // this flush goes on to it
	}
	c.unflushed += c.batch.written() - before
	return err
}

// unwritten is how many frames, the last that were taken, no transport has written anything
// of when one has failed. Those that were given to it in vain the next one gets first.
func (c *Session) unwritten() int {
	if c.transport.Wrote() {
		c.unflushed = 0
	}
	return c.batch.count() - c.batch.written() + c.unflushed
}

// produceNow starts the streams whose requests have been written.
func (c *Session) produceNow() {
	for _, s := range c.batch.starts {
		go s.run()
	}
	clear(c.batch.starts)
	c.batch.starts = c.batch.starts[:0]
}

// Kick starts a flush on a goroutine of its own where none is under way. The
// reader, and whoever else must not write, calls it.
func (c *Session) Kick() {
	c.out.mu.Lock()
	start := c.out.claim()
	c.out.mu.Unlock()
	if start {
		go c.flush(false)
	}
}

// post sends a message that must not wait. It may be called by the reader.
func (c *Session) post(msg []byte) {
	flush, over := c.out.post(msg, false)
	if flush {
		go c.flush(false)
	}
	if over {
		c.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}
