package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// notes is the queue of notifications, which run one after another in the order
// in which they came. No goroutine waits on it: one is started by the
// notification that finds the queue empty, and ends with it.
type notes struct {
	queue   []*Incoming
	running bool
	linger  *time.Timer             // bounds what is handled behind the end of the session; nil before and after
	settled chan struct{}           // closed when that is over, where somebody waits for it
	ctx     context.Context         // of their handlers: it may outlive that of the session; nil while none runs
	cancel  context.CancelCauseFunc // its end
	last    map[*Ordering]*hold     // the last of each service, while it holds calls up
	window  *flow.Window            // in wirecall mode: what the peer may send, of any method; nil before the first
}

func (n *notes) idle() bool { return !n.running && len(n.queue) == 0 }

// allow counts a notification of so many bytes, and reports whether the peer may
// send it.
func (n *notes) allow(size int, l *Limits) bool {
	if n.window == nil {
		items, bytes := l.notifications()
		w := flow.NewAnnouncedWindow(items, bytes) // by hello
		n.window = &w
	}
	return n.window.Receive(size)
}

// held is how many bytes the notifications of a wirecall peer take, roughly: those that
// wait, and the one that runs.
func (n *notes) held() int {
	if n.window == nil {
		return 0
	}
	return len(n.queue)*noteCost + n.window.Held()
}

var errNotifications = errors.New("too many notifications wait: the peer sends them faster than they are handled")

// incomingNotification takes in a notification, of a message of so many bytes. The
// reader calls it. The peer is not told of an unknown one (JSON-RPC 2.0, section
// 4.1), but the log is, where the others run: the reader must not wait for a
// slog.Handler.
func (c *Session) incomingNotification(m *wire.Message, size int) error {
	method := c.Lookup(m.Method)
	if method == nil {
		method = c.Unknown(Brief(m.Method))
	}
	if len(m.Streams) > 0 && c.Mode == ModeWirecall {
		return errors.New("a notification with streams")
	}
	in := c.newIncoming(method)
	in.size = size
	if c.Mode != ModeWirecall && !in.reserve(m) {
		return errNotifications
	}
	in.keep(m, c.holds.Load() > 0)
	var err error
	start := false
	c.update(func(s *connState) {
		switch {
		case s.ended:
			return
		case c.Mode == ModeWirecall && !s.notes.allow(size, &c.Limits),
			c.Mode != ModeWirecall && len(s.notes.queue) >= c.Limits.Notifications:
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

// runNotes runs what is queued, in order, until nothing is.
func (c *Session) runNotes() {
	finished := false
	defer func() {
		if !finished { // a handler has ended the goroutine
			go c.runNotes()
		}
	}()
	for {
		var in *Incoming
		var ctx context.Context
		over := false
		c.update(func(s *connState) {
			if len(s.notes.queue) == 0 {
				over = s.notes.rest()
				return
			}
			in = s.notes.queue[0]
			s.notes.queue = s.notes.queue[1:]
			s.handlers++
			if s.notes.ctx == nil {
				s.notes.ctx, s.notes.cancel = context.WithCancelCause(context.WithoutCancel(c.current.Load()))
			}
			ctx = s.notes.ctx
		})
		if over {
			c.leave()
		}
		if in == nil {
			finished = true
			return
		}
		c.runNote(ctx, in)
	}
}

// rest notes that nothing is queued. It reports whether the session has lingered over
// what was. The session's mutex is held.
func (n *notes) rest() (lingered bool) {
	n.queue, n.running = nil, false
	if n.cancel != nil {
		n.cancel(context.Canceled)
		n.ctx, n.cancel = nil, nil
	}
	return n.settle()
}

// settle ends what a session lingers over, and reports whether it did. The session's
// mutex is held.
func (n *notes) settle() (lingered bool) {
	if n.linger == nil {
		return false
	}
	n.linger.Stop()
	n.linger = nil
	if n.settled != nil {
		close(n.settled)
	}
	return true
}

// lingerOverNotes decides what becomes of notifications that have been received when
// the session ends, and reports whether they are handled, for Limits.LingerTimeout at most:
// behind a goodbye of the peer's, the end of a socket, and the silence of a peer.
// Otherwise they are dropped: behind a breach, and if it is this side that ends the
// session. code is what the peer is told of the end. The session's mutex is held.
func (c *Session) lingerOverNotes(n *notes, cause error, code transport.CloseCode) (lingers bool) {
	closed, goodbye := errors.AsType[transport.CloseError](cause)
	switch {
	case !n.running,
		code != 0 && code != transport.CloseTimeout,
		goodbye && closed.Code >= transport.CloseViolation,
		c.transport == (NoTransport{}): // a POST, which nobody waits for any more
		return false
	}
	n.linger = time.AfterFunc(c.Limits.LingerTimeout, func() { c.dropNotes(cause) })
	return true
}

// awaitNotes waits for what a session that has ended lingers over, until ctx ends, and
// reports whether that is over.
func (c *Session) AwaitNotifications(ctx context.Context) bool {
	var settled chan struct{}
	c.update(func(s *connState) {
		n := &s.notes
		if n.linger != nil && n.settled == nil {
			n.settled = make(chan struct{})
		}
		settled = n.settled
	})
	if settled == nil {
		return true
	}
	select {
	case <-settled:
		return true
	case <-ctx.Done():
		return false
	}
}

// dropNotes drops what is queued behind the end of the session, and cancels what runs.
func (c *Session) dropNotes(cause error) {
	dropped, lingered := 0, false
	c.update(func(s *connState) {
		if s.notes.cancel != nil {
			s.notes.cancel(cause)
		}
		dropped = len(s.notes.queue)
		for _, in := range s.notes.queue {
			in.unreserve()
		}
		s.notes.queue = nil
		lingered = s.notes.settle()
	})
	if dropped > 0 && !errors.Is(cause, fault.ErrClosed) {
		go c.Report(c.Ctx, slog.LevelWarn, "notifications dropped at the end of the connection",
			slog.Int("count", dropped), slog.Any("cause", BriefError(cause)))
	}
	if lingered {
		c.leave()
	}
}

// runNote runs one notification, and grants the peer others when half of what it
// may send has been handled, also where the handler ends the goroutine.
func (c *Session) runNote(ctx context.Context, in *Incoming) {
	defer c.handled(in.size)
	defer in.LetGo()
	in.begin(ctx, 0)
	in.run()
}

// handled counts a notification whose handler has returned.
func (c *Session) handled(size int) {
	if c.Mode != ModeWirecall {
		return
	}
	var taken uint64
	var items, bytes int
	c.update(func(s *connState) {
		if w := s.notes.window; w.Take(size) && !s.ended {
			taken, items, bytes = w.Grant()
		}
	})
	if items > 0 {
		c.control(methodCredit, 0, int64(taken), int64(items), int64(bytes))
	}
}
