package session

import (
	"io"
	"slices"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A plain client cannot be asked to leave. While the server drains, its requests are
// served until it has been idle for idleGrace; then new requests are refused, and the
// session ends once it is idle.

const (
	idleGrace         = 250 * time.Millisecond // without anything in flight: the client may be between two requests
	plainDrainTimeout = 5 * time.Second        // for a client that is never idle
)

// drain implements dialect: a plain client is still served.
func (p *plain) drain() {
	s := p.session
	wait := plainDrainTimeout
	if left, ok := s.timeToDrain(); ok {
		wait = min(wait, left/2)
	}
	s.setTimer(&s.drainTimer, p.refuseNew, wait)
	timer := stoppedTimer(p.refuseNew)
	s.mu.Lock()
	p.idleTimer = timer
	s.mu.Unlock()
}

// workChanged implements dialect. It runs idleTimer while nothing is in flight, and ends
// the wait of readAll when nothing is.
func (p *plain) workChanged(idle bool) {
	if p.whenIdle != nil && idle {
		close(p.whenIdle)
		p.whenIdle = nil
	}
	if p.idleTimer == nil || idle == p.idleTimerRuns {
		return
	}
	if p.idleTimerRuns = idle; idle {
		p.idleTimer.Reset(idleGrace)
	} else {
		p.idleTimer.Stop()
	}
}

// refuseNew stops accepting requests of a plain client, whose session ends once it is
// idle.
func (p *plain) refuseNew() {
	p.mu.Lock()
	p.refusesNew = true
	p.mu.Unlock()
	s := p.session
	s.mu.Lock()
	s.moved, p.idleTimer = true, nil
	s.mu.Unlock()
	s.watchWork()
}

// endWhenIdle makes the session end once it is idle, and refuses new requests.
func (p *plain) endWhenIdle() {
	s := p.session
	s.mu.Lock()
	if s.phase != ended {
		s.phase = draining
	}
	s.mu.Unlock()
	p.refuseNew()
}

// finish implements dialect. If the server has shut down, it answers the unanswered calls.
// What has been put is written, since a client may have half-closed.
func (p *plain) finish(cause error) (flush bool) {
	p.mu.Lock()
	unanswered := p.open
	p.open, p.ended = nil, true
	p.mu.Unlock()
	server := !p.session.Client
	if server && cause == ErrDrained {
		p.refuse(unanswered)
	}
	return server
}

// refuse answers open calls of a plain client with an error, and ends its subscriptions
// with it.
func (p *plain) refuse(calls map[string]*Incoming) {
	s := p.session
	why := &fault.Error{Code: fault.Unavailable, Message: fault.MessageShuttingDown}
	for _, in := range calls {
		msg := s.refusal(in.ID, why)
		if in.Reply != nil {
			in.Reply(msg)
		} else {
			s.queue.post(msg)
		}
	}
	s.queue.endSubscriptions(s.errorObject(why))
}

// endSubscriptions ends the open subscriptions behind their pending items.
func (q *sendQueue) endSubscriptions(end []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ss := range slices.Collect(q.streams.all()) { // appendTo removes what it ends
		if ss.sub != nil && !ss.finished {
			ss.stopped, ss.finished, ss.endObject = true, true, end
			ss.appendTo(&q.messages)
		}
	}
	if q.messages.size() > 0 {
		q.startFlush()
	}
}

// A plain client that serves nothing may close its sending side after its requests, as a
// pipe and nc -N do, and still read the answers. In wirecall mode, and over a WebSocket,
// which has a closing handshake, the end of the stream ends the session.

// halfCloseTimeout bounds how long requests are served after a half-close. A client that
// has disappeared looks the same until something is written to it.
const halfCloseTimeout = 30 * time.Second

var errHalfClosed = &fault.Error{Code: fault.Canceled, Message: "canceled: the client has closed its side of the connection"}

// readAll implements dialect. After a half-close it serves and answers what has been
// received; it returns early when a write fails or after halfCloseTimeout. It first stops
// subscriptions, which may be endless.
func (p *plain) readAll(t transport.Transport, err error) {
	s := p.session
	if _, framed := t.(*transport.Framed); !framed || err != io.EOF || s.Client {
		return
	}
	s.halfClosing.Store(true)
	for _, ss := range s.queue.openStreams(func(*SendStream) bool { return true }) {
		ss.stop(errHalfClosed)
	}
	idle := make(chan struct{})
	s.mu.Lock()
	p.whenIdle = idle
	s.mu.Unlock()
	s.watchWork()
	late := time.NewTimer(halfCloseTimeout)
	defer late.Stop()
	select {
	case <-idle:
		select {
		case <-s.queue.awaitFlushed():
		case <-s.Ctx.Done():
		case <-late.C:
		}
	case <-s.Ctx.Done():
	case <-late.C:
	}
}

// unreadable implements dialect.
func (p *plain) unreadable(e transport.FrameError) {
	if !p.session.Client {
		p.session.queue.post(p.fault(nil, &wire.Fault{Code: frameErrorCode(e), Message: e.Message}))
	}
}

// ping implements dialect.
func (p *plain) ping(t transport.Transport) bool { return t.Ping(CloseGrace) }
