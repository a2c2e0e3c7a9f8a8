package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A session whose peers have agreed on it outlives its socket: a cut detaches
// it, and a new socket takes it up again, with everything in flight. Both sides
// count the frames that they receive and keep those that they have sent until
// the other has acknowledged them; what the other has not got is sent again,
// byte for byte, before anything new.
//
// The socket's end is a cut, unless one side has said goodbye.

// A resumption is what such a session knows beside its state.
type resumption struct {
	token     string // the client's
	id        string // the server's: the public part of the token, and
	secret    [32]byte
	principal string // whose principal it is

	attempt atomic.Uint64 // the client's: of the last rpc.resume written; the server's: the highest accepted

	window    time.Duration // for how long it waits for a new socket
	expiry    *time.Timer   // ends it then
	sent      replay.Buffer
	attaching chan struct{} // holds a value while a new socket takes it up

	received      atomic.Uint64 // frames
	ackedFrames   atomic.Uint64 // of those, what the last ack has said
	ackThreshold  int           // of the peer's buffer: an ack is due when as much has come
	unackedBytes  int           // the reader's: bytes that came since
	ackEliciting  bool          // the reader's: the frame holds more than acks and pings
	ackTimer      *time.Timer   // acknowledges what comes in small numbers
	ackTimerArmed atomic.Bool   // the timer is
}

// ackDelay is how long a frame waits to be acknowledged where few come.
const ackDelay = time.Second

var (
	errSessionLost = errors.New("session lost")
	errNotKnown    = fmt.Errorf("%w: it is not known here", errSessionLost) // whatever it is that does not fit
)

// resumable makes a session resumable by what the peers have agreed on: how many
// bytes each keeps, and for how long. skip is how many frames are still to be
// written that do not count.
func (s *Session) enableResumption(r *resumption, keep, peerKeeps, skip int) {
	r.sent.Init(keep, skip)
	r.ackThreshold = min(max(peerKeeps/4, 1<<10), 64<<10) // what is kept should fit a cache
	r.attaching = make(chan struct{}, 1)
	r.ackTimer = stoppedTimer(func() {
		r.ackTimerArmed.Store(false)
		s.acknowledge(r)
	})
	r.expiry = stoppedTimer(func() {
		s.expire(fmt.Errorf("%w: no new connection within %v", errSessionLost, r.window))
	})
	s.resumption.Store(r)
	s.queue.keepFrames(&r.sent)
}

// count counts a frame before anybody has looked at what is in it.
func (r *resumption) countFrame(n int) {
	r.received.Add(1)
	r.unackedBytes += n
	r.ackEliciting = false
}

// counted sees to it that the peer hears of what has come: by volume first, by
// time second.
func (s *Session) scheduleAck(r *resumption) {
	switch {
	case r.unackedBytes >= r.ackThreshold:
		r.unackedBytes = 0
		s.acknowledge(r)
	case r.ackEliciting && !r.ackTimerArmed.Swap(true):
		r.ackTimer.Reset(ackDelay)
	}
}

// acknowledge has the next flush begin with an ack.
func (s *Session) acknowledge(r *resumption) {
	if r.received.Load() == r.ackedFrames.Load() {
		return
	}
	if s.queue.queueAck() {
		go s.flush(false)
	}
}

// writeAck writes an ack, alone in its frame. The flusher calls it.
func (s *Session) writeAck() error {
	r := s.resumption.Load()
	received := r.received.Load()
	r.ackedFrames.Store(received)
	msg := s.Format.AppendControl(nil, methodAck, int64(received), int64(r.sent.Next()))
	frame := s.Format.AppendToFrame(nil, msg, true)
	r.sent.Keep(frame)
	return s.transport.WriteFrame(frame)
}

// acknowledged takes in an ack of the peer's.
func (s *Session) receiveAck(params []byte, n int) error {
	r := s.resumption.Load()
	if r == nil {
		return nil
	}
	v, ok := s.ints(params, 2)
	if !ok || len(v) < 2 || n > 0 {
		return errMalformed
	}
	if have := r.received.Load(); uint64(v[1]) != have {
		return fmt.Errorf("%w: frame %d says that it is number %d", replay.ErrCounting, have, v[1])
	}
	return r.sent.Ack(uint64(v[0]))
}

// detach leaves the session without a socket, and reports whether it lives on:
// where l's end was a cut, and it can be resumed.
func (s *Session) detach(t transport.Transport, cause error) bool {
	r := s.resumption.Load()
	if r == nil || !isCut(t, cause) {
		return false
	}
	alive, first := false, false
	s.update(func(st *sessionState) {
		alive = !st.ended && !st.draining && !st.peerDraining
		if first = alive && st.attached && s.transport == t; first {
			st.attached = false
			r.expiry.Reset(r.window)
		}
	})
	if first {
		s.queue.detach()
		t.Close()
		if s.Registry != nil {
			s.Registry.addDetached(s)
		}
		s.Events.Detached(s, s.Cause(cause))
	}
	return alive
}

// waits reports whether a session is without a socket.
func (s *Session) IsDetached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.state.ended && !s.state.attached && s.resumption.Load() != nil
}

// watch has a session that waits for its client end with the context of l, its last
// socket, which stop is of. Any other no longer depends on that.
func (s *Session) WatchContext(t transport.Transport, stop func() bool) {
	s.update(func(st *sessionState) {
		if !st.ended && !st.attached && s.transport == t {
			st.unwatchContext = stop
		} else {
			stop()
		}
	})
}

func (st *sessionState) stopWatchingContext() {
	if st.unwatchContext != nil {
		st.unwatchContext()
		st.unwatchContext = nil
	}
}

// isCut reports whether the end of a transport is that of its socket alone.
func isCut(t transport.Transport, cause error) bool {
	if closed, ok := errors.AsType[transport.CloseError](cause); ok {
		switch closed.Code {
		case 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015, transport.CloseCut, transport.CloseExpired: // the first eight are what browsers and proxies send
			return true
		}
		return false
	}
	return t.Err() != nil || cause == errSilent
}

// expire ends a session that is still detached. A socket that comes now is too
// late.
func (s *Session) expire(cause error) {
	attached := false
	s.update(func(st *sessionState) {
		if attached = st.attached; !attached {
			st.expiredCause = cause
		}
	})
	if !attached {
		s.End(cause)
	}
}

// attach takes the session up on a new socket, whose peer has got, and keeps, what
// its request says: first, the answer to that where it has made one, then what it has
// not got, then whatever comes. An older socket is closed, and what was not counted by
// then does not count. Where it fails nothing has been written to l, and the session
// has ended, unless a later attempt was accepted meanwhile, which has it then.
// Otherwise the caller goes on to read l.
func (s *Session) attach(t transport.Transport, peer *resumeParams, first func() []byte) error {
	r := s.resumption.Load()
	r.attaching <- struct{}{}
	defer func() { <-r.attaching }()
	if uint64(peer.Attempt) < r.attempt.Load() {
		return errNotKnown
	}
	if err := s.leaveTransport(); err != nil {
		return err
	}
	frames, err := r.sent.After(uint64(peer.Received))
	if have := r.received.Load(); err == nil && have < uint64(peer.Dropped) {
		err = fmt.Errorf("frames %d to %d are no longer kept by the peer", have+1, peer.Dropped)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errSessionLost, err)
		s.End(err)
		return err
	}
	s.queue.attach() // nobody else writes, nor says goodbye, before what follows
	s.update(func(st *sessionState) {
		if err = cmp.Or(st.cause, st.expiredCause); err == nil {
			s.transport = t
			st.attached, st.readerDone, st.wait = true, make(chan struct{}), nil
			s.HasTraffic.Store(false)
			st.stopWatchingContext()
			r.expiry.Stop()
		}
	})
	if err != nil {
		s.queue.abortFlush()
		return err
	}
	t.Bind(s)
	s.active.Store(true)
	if first != nil {
		_ = t.WriteFrame(first()) // if it fails the reader will know
	}
	for frame := range frames {
		_ = t.WriteFrame(frame)
	}
	if s.Registry != nil {
		s.Registry.attach(s)
	}
	s.Events.Attached()
	go s.flush(false)
	return nil
}

// leaveSocket cuts the socket that the session may still have, and waits until
// its reader and its flusher are gone.
func (s *Session) leaveTransport() (err error) {
	var reading chan struct{}
	was := false
	s.update(func(st *sessionState) {
		err, reading, was = st.cause, st.readerDone, st.attached
		st.attached = false
	})
	if err != nil {
		return err
	}
	s.queue.detach()
	if was {
		s.transport.Close()
	}
	if reading != nil {
		<-reading
	}
	<-s.queue.awaitFlushed()
	return nil
}

// resumeParams are those of the request that resumes a session.
type resumeParams struct {
	Session  string
	Attempt  int64 // rises with each request that the client writes for the session
	Received int64
	Dropped  int64 // the last frame that the client no longer keeps
	Auth     string
}

func (p *resumeParams) members() []member {
	return []member{
		{name: "session", text: &p.Session},
		{name: "attempt", number: &p.Attempt},
		{name: "received", number: &p.Received},
		{name: "dropped", number: &p.Dropped, optional: true},
		{name: "auth", text: &p.Auth, optional: true},
	}
}

// valid reports whether all numbers are from 0 to 2^53-1, and the token is not too long.
func (p *resumeParams) valid() bool {
	return min(p.Attempt, p.Received, p.Dropped) >= 0 && max(p.Attempt, p.Received, p.Dropped) <= wire.MaxInteger && len(p.Auth) <= MaxToken
}

// A resumeResult is the answer to the request.
type resumeResult struct {
	Received int64
	Session  string // another token, which replaces the one that was used
}

func (r *resumeResult) members() []member {
	return []member{{name: "received", number: &r.Received}, {name: "session", text: &r.Session, optional: true}}
}

// takeUp is the client's: it resumes the session on a new socket.
func (s *Session) Resume(ctx context.Context, t transport.Transport) error {
	if err := s.leaveTransport(); err != nil {
		return err
	}
	r := s.resumption.Load()
	var answer resumeResult
	var params resumeParams
	err := s.withCredentials(ctx, func(token string) error {
		params = resumeParams{r.token, int64(r.attempt.Add(1)), int64(r.received.Load()), int64(r.sent.Dropped()), token}
		return s.exchange(ctx, t, methodResume, params.members(), answer.members())
	})
	if err != nil {
		return err
	}
	if answer.Session != "" {
		r.token = answer.Session
	}
	if err := s.attach(t, &resumeParams{Attempt: params.Attempt, Received: answer.Received}, nil); err != nil {
		return err
	}
	go s.Read(t)
	return nil
}
