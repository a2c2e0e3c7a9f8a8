package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// notifications owns the notifications from the peer, which run one after another in the
// order of their arrival, and the calls that wait for them. The notification that finds
// the queue empty starts a goroutine, which ends when the queue is empty again.
type notifications struct {
	session *Session
	holding atomic.Int32 // how many notifications hold calls back

	mu          sync.Mutex
	queue       []*Incoming
	current     *Incoming // the one that runs; nil if the goroutine has none
	running     bool
	ended       bool                    // the session has ended
	lingerTimer *time.Timer             // bounds how long notifications run after the end of the session; nil unless they do
	lingerEnded chan struct{}           // closed when they have returned; nil unless AwaitNotifications waits
	ctx         context.Context         // the parent of the handlers' contexts, which may outlive the session's; nil while none runs
	cancel      context.CancelCauseFunc // cancels ctx
	lastHolds   map[*Ordering]*hold     // the last hold of each service that has one
	window      *flow.Window            // what the peer may send; nil before the first notification, and in plain mode, which has no credit
}

// allows counts a notification of size bytes, and reports whether the peer was allowed
// to send it. The mutex must be held.
func (n *notifications) allows(size int) bool {
	if !n.session.extended {
		return len(n.queue) < n.session.Limits.Notifications
	}
	if n.window == nil {
		w := flow.NewAnnouncedWindow(n.session.Limits.notifications()) // hello has announced it
		n.window = &w
	}
	return n.window.Receive(size)
}

// held returns the approximate size in bytes of the notifications of a wirecall peer:
// those queued and the one that runs.
func (n *notifications) held() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.window == nil {
		return 0
	}
	return len(n.queue)*notificationCost + n.window.Held()
}

var errNotifications = errors.New("too many notifications wait: the peer sends them faster than they are handled")

// receive receives a notification, whose message has size bytes. The reader calls it. A
// notification of an unknown method is logged and not answered (JSON-RPC 2.0, section
// 4.1); it is logged where the others run, since the reader must not block on a
// slog.Handler.
func (n *notifications) receive(m *wire.Message, size int) error {
	s := n.session
	method := s.Lookup(m.Method)
	if method == nil {
		method = s.Unknown(Brief(m.Method))
	}
	if len(m.Streams) > 0 && s.extended {
		return errors.New("a notification with streams")
	}
	in := s.newIncoming(method)
	in.size = size
	if !s.extended && !in.reserve(m) {
		return errNotifications
	}
	in.copyMessage(m, n.holding.Load() > 0)
	start, err := n.add(in)
	if start {
		s.addWork(1)
		go n.run()
	}
	return err
}

// add appends a notification to the queue, and reports whether the caller must run the
// queue.
func (n *notifications) add(in *Incoming) (start bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.ended:
		return false, nil
	case !n.allows(in.size):
		return false, errNotifications
	}
	n.queue = append(n.queue, in)
	n.addHold(in)
	start, n.running = !n.running, true
	return start, nil
}

// run runs the queued notifications in order until the queue is empty.
func (n *notifications) run() {
	finished := false
	defer func() {
		if finished {
			n.session.addWork(-1)
		} else { // a handler has exited the goroutine
			go n.run()
		}
	}()
	for {
		in, ctx := n.next()
		if in == nil {
			finished = true
			return
		}
		n.serve(ctx, in)
	}
}

// methods returns the methods of the notifications that run or wait.
func (n *notifications) methods() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := methodsOf(slices.Values(n.queue))
	if n.current != nil {
		names = append(names, n.current.Method.Name)
	}
	return names
}

// next removes the first notification from the queue and returns it with the parent of
// its context. If there is none it records that, and returns nil.
func (n *notifications) next() (in *Incoming, ctx context.Context) {
	s := n.session
	n.mu.Lock()
	if len(n.queue) == 0 {
		lingered := n.stopRunning()
		n.mu.Unlock()
		if lingered {
			s.reportLeft()
		}
		return nil, nil
	}
	defer n.mu.Unlock()
	in = n.queue[0]
	n.current, n.queue = in, n.queue[1:]
	if n.ctx == nil {
		n.ctx, n.cancel = context.WithCancelCause(context.WithoutCancel(s.credentials.current.Load()))
	}
	return in, n.ctx
}

// serve runs one notification, and then counts it even if the handler exits the
// goroutine.
func (n *notifications) serve(ctx context.Context, in *Incoming) {
	defer n.countHandled(in.size)
	defer in.ReleaseHold()
	n.session.incoming.running.Add(1)
	in.begin(ctx, 0)
	in.run()
}

// stopRunning records that the queue is empty. It reports whether the ended session has
// lingered for the notifications. The mutex must be held.
func (n *notifications) stopRunning() (lingered bool) {
	n.queue, n.current, n.running = nil, nil, false
	if n.cancel != nil {
		n.cancel(context.Canceled)
		n.ctx, n.cancel = nil, nil
	}
	return n.endLinger()
}

// countHandled counts a notification whose handler has returned. It grants the peer new
// credit when half of the window has been used.
func (n *notifications) countHandled(size int) {
	if !n.session.extended {
		return
	}
	var taken uint64
	var items, bytes int
	n.mu.Lock()
	if n.window.Take(size) && !n.ended {
		taken, items, bytes = n.window.Grant()
	}
	n.mu.Unlock()
	if items > 0 {
		n.session.queue.control(methodCredit, 0, int64(taken), int64(items), int64(bytes))
	}
}

// end decides whether the notifications received before the end of the session are still
// handled, for Limits.LingerTimeout at most, and starts the timer if so. They are if the
// peer has sent a goodbye, the transport has failed or the peer has been silent. They
// are dropped after a violation, and if this side ends the session. code is the close
// code for the peer, 0 for none.
func (n *notifications) end(cause error, code transport.CloseCode) (lingers bool) {
	s := n.session
	closed, goodbye := errors.AsType[transport.CloseError](cause)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	switch {
	case !n.running,
		code != 0 && code != transport.CloseTimeout,
		goodbye && closed.Code >= transport.CloseViolation,
		s.transport == (NoTransport{}): // a POST whose client no longer waits
		return false
	}
	n.lingerTimer = time.AfterFunc(s.Limits.LingerTimeout, func() { n.drop(cause) })
	return true
}

// endLinger ends the lingering of an ended session, and reports whether it did linger.
// The mutex must be held.
func (n *notifications) endLinger() (lingered bool) {
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

// AwaitNotifications waits until the notifications that an ended session lingers for
// have returned. It returns false if ctx ends first.
func (s *Session) AwaitNotifications(ctx context.Context) bool {
	n := &s.notifications
	n.mu.Lock()
	if n.lingerTimer != nil && n.lingerEnded == nil {
		n.lingerEnded = make(chan struct{})
	}
	settled := n.lingerEnded
	n.mu.Unlock()
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

// drop drops the queued notifications of an ended session and cancels the one that runs.
func (n *notifications) drop(cause error) {
	s := n.session
	n.mu.Lock()
	if n.cancel != nil {
		n.cancel(cause)
	}
	dropped := len(n.queue)
	for _, in := range n.queue {
		in.unreserve()
	}
	n.queue = nil
	lingered := n.endLinger()
	n.mu.Unlock()
	if dropped > 0 && !errors.Is(cause, fault.ErrClosed) {
		go s.Report(s.Ctx, slog.LevelWarn, "notifications dropped at the end of the connection",
			slog.Int("count", dropped), slog.Any("cause", BriefError(cause)))
	}
	if lingered {
		s.reportLeft()
	}
}
