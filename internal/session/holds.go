package session

import "fmt"

// Holds says what a session has not released of calls and streams, "" if there is
// nothing: for tests of leaks.
func (c *Session) Holds() (s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	waiting, parked := c.workers.Stats()
	for _, held := range []struct {
		what string
		n    int
	}{
		{"calls", len(c.state.calls)}, {"incoming", len(c.state.incoming)}, {"handlers", c.state.handlers},
		{"sinks", len(c.state.sinks)}, {"sources counted", c.state.sources}, {"sources", len(c.out.sending)},
		{"in the ring", len(c.out.ring)}, {"bytes of items", c.out.items}, {"bytes to send", c.out.first.size()},
		{"waiting for room", len(c.out.room) + len(c.out.itemRoom)}, {"waiting for a slot", len(c.state.slots.waiting)},
		{"bytes buffered", int(c.buffered.Load())}, {"notifications", len(c.state.notes.queue)},
		{"calls to run", waiting}, {"workers", parked},
	} {
		if held.n != 0 {
			s += fmt.Sprintf("%d %s; ", held.n, held.what)
		}
	}
	if c.out.flushing {
		s += "flushing; "
	}
	return s
}

// ProducerBuffers returns how large the buffer of each open send stream's producer is,
// in bytes: for tests of what idle streams cost.
func (c *Session) ProducerBuffers() (sizes []int) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, s := range c.out.sending {
		sizes = append(sizes, cap(s.scratch))
	}
	return sizes
}

// FreeCalls returns how many more calls the peer would serve now.
func (c *Session) FreeCalls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.slots.free
}
