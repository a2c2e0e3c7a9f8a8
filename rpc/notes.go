package rpc

import (
	"context"
	"errors"

	"github.com/wirecall/wirecall/internal/wire"
)

// notes is the queue of notifications, which run one after another in the order
// in which they came. No goroutine waits on it: one is started by the
// notification that finds the queue empty, and ends with it.
type notes struct {
	queue   []*incoming
	running bool
	last    map[*registration]*hold // the last of each service, while it holds calls up
	window  *window                 // in wirecall mode: what the peer may send, of any method; nil before the first
}

func (n *notes) idle() bool { return !n.running && len(n.queue) == 0 }

// allow counts a notification of so many bytes, and reports whether the peer may
// send it.
func (n *notes) allow(size int, l *Limits) bool {
	if n.window == nil {
		items, bytes := l.notifications()
		w := newWindow(items, bytes)
		w.granted = granted{limit: uint64(items), room: uint64(bytes)} // hello says as much
		n.window = &w
	}
	return n.window.receive(size)
}

var errNotifications = errors.New("too many notifications wait: the peer sends them faster than they are handled")

// incomingNotification takes in a notification, of a message of so many bytes. The
// reader calls it. The peer is not told of an unknown one (JSON-RPC 2.0, section
// 4.1), but the log is, where the others run: the reader must not wait for a
// slog.Handler.
func (c *session) incomingNotification(m *wire.Message, size int) error {
	method := c.methods.lookup(m.Method)
	if method == nil {
		method = &Method{Name: brief(m.Method), Serve: noMethod}
	}
	if len(m.Streams) > 0 && c.mode == modeWirecall {
		return errors.New("a notification with streams")
	}
	in := &incoming{c: c, method: method, size: size}
	if c.mode != modeWirecall && !in.reserve(m) {
		return errNotifications
	}
	in.keep(m)
	var err error
	start := false
	c.update(func(s *connState) {
		switch {
		case s.ended:
			return
		case c.mode == modeWirecall && !s.notes.allow(size, &c.limits),
			c.mode != modeWirecall && len(s.notes.queue) >= c.limits.Notifications:
			err = errNotifications
			return
		}
		s.notes.queue = append(s.notes.queue, in)
		c.holdUp(s, in)
		start = !s.notes.running
		s.notes.running = true
	})
	if start {
		go c.runNotes()
	}
	return err
}

func noMethod(context.Context, *Call) error {
	return &Error{Code: CodeMethodNotFound, Message: "method not found"}
}

// runNotes runs what is queued, in order, until nothing is.
func (c *session) runNotes() {
	finished := false
	defer func() {
		if !finished { // a handler has ended the goroutine
			go c.runNotes()
		}
	}()
	for {
		var in *incoming
		c.update(func(s *connState) {
			if len(s.notes.queue) == 0 || s.ended {
				s.notes.queue, s.notes.running = nil, false
				return
			}
			in = s.notes.queue[0]
			s.notes.queue = s.notes.queue[1:]
			s.handlers++
		})
		if in == nil {
			finished = true
			return
		}
		c.runNote(in)
	}
}

// runNote runs one notification, and grants the peer others when half of what it
// may send has been handled, also where the handler ends the goroutine.
func (c *session) runNote(in *incoming) {
	defer c.handled(in.size)
	defer in.letGo()
	in.begin(c.ctx, 0)
	in.run()
}

// handled counts a notification whose handler has returned.
func (c *session) handled(size int) {
	if c.mode != modeWirecall {
		return
	}
	var taken uint64
	var items, bytes int
	c.update(func(s *connState) {
		if w := s.notes.window; w.take(size) && !s.ended {
			taken, items, bytes = w.grant()
		}
	})
	if items > 0 {
		c.control(methodCredit, 0, int64(taken), int64(items), int64(bytes))
	}
}
