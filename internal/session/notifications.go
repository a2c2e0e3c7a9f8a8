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

// A notificationQueue holds the notifications from the peer, which run one after another
// in the order of their arrival. The notification that finds the queue empty starts a
// goroutine, which ends when the queue is empty again. The session's mutex guards it.
type notificationQueue struct {
	queue       []*Incoming
	running     bool
	lingerTimer *time.Timer             // bounds how long notifications run after the end of the session; nil unless they do
	lingerEnded chan struct{}           // closed when they have returned; nil unless AwaitNotifications waits
	ctx         context.Context         // the parent of the handlers' contexts, which may outlive the session's; nil while none runs
	cancel      context.CancelCauseFunc // cancels ctx
	lastHolds   map[*Ordering]*hold     // the last hold of each service that has one
	window      *flow.Window            // what the peer may send, in wirecall mode; nil before the first notification
}

func (n *notificationQueue) idle() bool { return !n.running && len(n.queue) == 0 }

// allow counts a notification of size bytes, and reports whether the peer was allowed to
// send it.
func (n *notificationQueue) allow(size int, l *Limits) bool {
	if n.window == nil {
		items, bytes := l.notifications()
		w := flow.NewAnnouncedWindow(items, bytes) // hello has announced it
		n.window = &w
	}
	return n.window.Receive(size)
}

// heldBytes returns the approximate size in bytes of the notifications of a wirecall
// peer: those queued and the one that runs.
func (n *notificationQueue) heldBytes() int {
	if n.window == nil {
		return 0
	}
	return len(n.queue)*notificationCost + n.window.Held()
}

var errNotifications = errors.New("too many notifications wait: the peer sends them faster than they are handled")

// incomingNotification receives a notification, whose message has size bytes. The reader
// calls it. A notification of an unknown method is logged and not answered (JSON-RPC
// 2.0, section 4.1); it is logged where the others run, since the reader must not block
// on a slog.Handler.
func (s *Session) incomingNotification(m *wire.Message, size int) error {
	method := s.Lookup(m.Method)
	if method == nil {
		method = s.Unknown(Brief(m.Method))
	}
	if len(m.Streams) > 0 && s.Mode == ModeWirecall {
		return errors.New("a notification with streams")
	}
	in := s.newIncoming(method)
	in.size = size
	if s.Mode != ModeWirecall && !in.reserve(m) {
		return errNotifications
	}
	in.copyMessage(m, s.holds.Load() > 0)
	var err error
	start := false
	s.update(func(st *sessionState) {
		switch {
		case st.ended:
			return
		case s.Mode == ModeWirecall && !st.notifications.allow(size, &s.Limits),
			s.Mode != ModeWirecall && len(st.notifications.queue) >= s.Limits.Notifications:
			err = errNotifications
			return
		}
		st.notifications.queue = append(st.notifications.queue, in)
		s.addHold(st, in)
		start = !st.notifications.running
		st.notifications.running = true
	})
	if start {
		go s.runNotifications()
	}
	return err
}

// runNotifications runs the queued notifications in order until the queue is empty.
func (s *Session) runNotifications() {
	finished := false
	defer func() {
		if !finished { // a handler has exited the goroutine
			go s.runNotifications()
		}
	}()
	for {
		var in *Incoming
		var ctx context.Context
		over := false
		s.update(func(st *sessionState) {
			if len(st.notifications.queue) == 0 {
				over = st.notifications.stopRunning()
				return
			}
			in = st.notifications.queue[0]
			st.notifications.queue = st.notifications.queue[1:]
			st.handlers++
			if st.notifications.ctx == nil {
				st.notifications.ctx, st.notifications.cancel = context.WithCancelCause(context.WithoutCancel(s.current.Load()))
			}
			ctx = st.notifications.ctx
		})
		if over {
			s.reportLeft()
		}
		if in == nil {
			finished = true
			return
		}
		s.runNotification(ctx, in)
	}
}

// stopRunning records that the queue is empty. It reports whether the ended session has
// lingered for the notifications. The session's mutex must be held.
func (n *notificationQueue) stopRunning() (lingered bool) {
	n.queue, n.running = nil, false
	if n.cancel != nil {
		n.cancel(context.Canceled)
		n.ctx, n.cancel = nil, nil
	}
	return n.endLinger()
}

// endLinger ends the lingering of an ended session, and reports whether it did linger.
// The session's mutex must be held.
func (n *notificationQueue) endLinger() (lingered bool) {
	if n.lingerTimer == nil {
		return false
	}
	n.lingerTimer.Stop()
	n.lingerTimer = nil
	if n.lingerEnded != nil {
		close(n.lingerEnded)
	}
	return true
}

// lingerOverNotifications decides whether the notifications received before the end of
// the session are still handled, for Limits.LingerTimeout at most, and starts the timer
// if so. They are if the peer has sent a goodbye, the transport has failed or the peer
// has been silent. They are dropped after a violation, and if this side ends the
// session. code is the close code for the peer, 0 for none. The session's mutex must be
// held.
func (s *Session) lingerOverNotifications(n *notificationQueue, cause error, code transport.CloseCode) (lingers bool) {
	closed, goodbye := errors.AsType[transport.CloseError](cause)
	switch {
	case !n.running,
		code != 0 && code != transport.CloseTimeout,
		goodbye && closed.Code >= transport.CloseViolation,
		s.transport == (NoTransport{}): // a POST whose client no longer waits
		return false
	}
	n.lingerTimer = time.AfterFunc(s.Limits.LingerTimeout, func() { s.dropNotifications(cause) })
	return true
}

// AwaitNotifications waits until the notifications that an ended session lingers for
// have returned. It returns false if ctx ends first.
func (s *Session) AwaitNotifications(ctx context.Context) bool {
	var settled chan struct{}
	s.update(func(st *sessionState) {
		n := &st.notifications
		if n.lingerTimer != nil && n.lingerEnded == nil {
			n.lingerEnded = make(chan struct{})
		}
		settled = n.lingerEnded
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

// dropNotifications drops the queued notifications of an ended session and cancels the
// one that runs.
func (s *Session) dropNotifications(cause error) {
	dropped, lingered := 0, false
	s.update(func(st *sessionState) {
		if st.notifications.cancel != nil {
			st.notifications.cancel(cause)
		}
		dropped = len(st.notifications.queue)
		for _, in := range st.notifications.queue {
			in.unreserve()
		}
		st.notifications.queue = nil
		lingered = st.notifications.endLinger()
	})
	if dropped > 0 && !errors.Is(cause, fault.ErrClosed) {
		go s.Report(s.Ctx, slog.LevelWarn, "notifications dropped at the end of the connection",
			slog.Int("count", dropped), slog.Any("cause", BriefError(cause)))
	}
	if lingered {
		s.reportLeft()
	}
}

// runNotification runs one notification, and then counts it even if the handler exits
// the goroutine.
func (s *Session) runNotification(ctx context.Context, in *Incoming) {
	defer s.countHandled(in.size)
	defer in.ReleaseHold()
	in.begin(ctx, 0)
	in.run()
}

// countHandled counts a notification whose handler has returned. It grants the peer new
// credit when half of the window has been used.
func (s *Session) countHandled(size int) {
	if s.Mode != ModeWirecall {
		return
	}
	var taken uint64
	var items, bytes int
	s.update(func(st *sessionState) {
		if w := st.notifications.window; w.Take(size) && !st.ended {
			taken, items, bytes = w.Grant()
		}
	})
	if items > 0 {
		s.control(methodCredit, 0, int64(taken), int64(items), int64(bytes))
	}
}
