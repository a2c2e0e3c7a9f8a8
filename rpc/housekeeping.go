package rpc

import "context"

// housekeeping pings a silent peer, cuts a dead one, and gives up the streams
// that the garbage collector found lost. It runs on its timer's goroutine.
func (c *session) housekeeping() {
	c.forgetLost()
	var l link
	c.update(func(s *connState) {
		if s.attached {
			l = c.link
		}
	})
	if c.heard.Swap(false) || l == nil || c.reads(l) {
		c.silent = 0
	} else {
		c.silent++
	}
	switch {
	case c.silent >= 3 && !c.detach(l, errSilent):
		c.fail(errSilent, closeTimeout)
		l.cut()
		return
	case c.silent > 0 && c.silent < 3:
		c.ping(l)
	}
	c.update(func(s *connState) {
		if !s.ended {
			c.keeper.Reset(c.limits.IdleTimeout / 3)
		}
	})
}

// reads reports whether the peer has taken some, and not all, of what waits for it in
// the system since this was asked last: its answer to a ping is behind the rest.
func (c *session) reads(l link) bool {
	taken, more := l.progress()
	moved := taken != c.taken
	c.taken = taken
	return moved && more
}

// forgetLost gives up the streams that the garbage collector found lost.
func (c *session) forgetLost() {
	c.mu.Lock()
	lost := c.state.lost
	c.state.lost = nil
	c.mu.Unlock()
	for _, k := range lost {
		k.cancel(context.Canceled)
	}
}
