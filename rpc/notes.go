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
}

func (n *notes) idle() bool { return !n.running && len(n.queue) == 0 }

var errNotifications = errors.New("too many notifications wait: the peer sends them faster than they are handled")

// incomingNotification takes in a notification. The reader calls it. The peer is
// not told of an unknown one (JSON-RPC 2.0, section 4.1), but the log is, where
// the others run: the reader must not wait for a slog.Handler.
func (c *session) incomingNotification(m *wire.Message) error {
	method := c.methods.lookup(m.Method)
	if method == nil {
		method = &Method{Name: brief(m.Method), Serve: noMethod}
	}
	if len(m.Streams) > 0 && c.mode == modeWirecall {
		return errors.New("a notification with streams")
	}
	in := &incoming{c: c, method: method}
	if !in.reserve(m) {
		return errNotifications
	}
	in.keep(m)
	var err error
	start := false
	c.update(func(s *connState) {
		if s.ended {
			return
		}
		if len(s.notes.queue) >= c.limits.Notifications {
			err = errNotifications
			return
		}
		s.notes.queue = append(s.notes.queue, in)
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
				s.notes = notes{}
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
		in.begin(c.ctx, 0)
		in.run()
	}
}
