package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/transport"
)

// housekeeping pings a silent peer, cuts a dead one, and gives up the streams
// that the garbage collector found lost. It runs on its timer's goroutine.
func (c *Session) housekeeping() {
	c.ForgetLost()
	var t transport.Transport
	c.update(func(s *connState) {
		if s.attached {
			t = c.transport
		}
	})
	if c.heard.Swap(false) || t == nil || c.reads(t) {
		c.silent = 0
	} else {
		c.silent++
	}
	switch {
	case c.silent >= 3 && !c.detach(t, errSilent):
		c.Fail(errSilent, transport.CloseTimeout)
		t.Close()
		return
	case c.silent > 0 && c.silent < 3:
		c.ping(t)
	}
	c.update(func(s *connState) {
		if !s.ended {
			c.keeper.Reset(c.Limits.IdleTimeout / 3)
		}
	})
}

// reads reports whether the peer has taken some, and not all, of what waits for it in
// the system since this was asked last: its answer to a ping is behind the rest.
func (c *Session) reads(t transport.Transport) bool {
	taken, more := t.Progress()
	moved := taken != c.taken
	c.taken = taken
	return moved && more
}

// forgetLost gives up the streams that the garbage collector found lost.
func (c *Session) ForgetLost() {
	c.mu.Lock()
	lost := c.state.lost
	c.state.lost = nil
	c.mu.Unlock()
	for _, k := range lost {
		k.Cancel(context.Canceled)
	}
}
