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

// A session that can be resumed outlives its transport: a cut detaches it, and attach
// continues it over a new transport with everything in flight. Both sides count the
// frames that they receive, and keep those that they have sent until the other side has
// acknowledged them. Frames that the other side has not received are sent again, byte
// for byte, before anything new.
//
// The end of a transport is a cut, unless one side has sent a goodbye.

// A resumption is the part of a session that exists only if the session can be resumed.
type resumption struct {
	token     string // the client's, for the next rpc.resume
	id        string // the server's: the public part of the token; secret is the hash of the rest
	secret    [32]byte
	principal string // the server's: who may resume the session

	attempt atomic.Uint64 // the client's: number of the last rpc.resume written; the server's: the highest accepted

	window    time.Duration // how long the session may stay detached
	expiry    *time.Timer   // ends the session after window
	sent      replay.Buffer
	attaching chan struct{} // a semaphore: attach holds it

	received      atomic.Uint64 // frames received
	ackedFrames   atomic.Uint64 // the number of received frames in the last ack sent
	ackThreshold  int           // received bytes after which an ack is due: a part of the peer's buffer
	unackedBytes  int           // the reader's: bytes received since the last ack by volume
	ackEliciting  bool          // the reader's: the current frame holds more than acks and pings
	ackTimer      *time.Timer   // sends an ack if few bytes arrive
	ackTimerArmed atomic.Bool   // ackTimer runs
}

// ackDelay bounds how long a frame stays unacknowledged if few bytes arrive.
const ackDelay = time.Second

var (
	errSessionLost = errors.New("session lost")
	errNotKnown    = fmt.Errorf("%w: it is not known here", errSessionLost) // the same error for a wrong id, secret, codec or principal
)

// enableResumption makes the session resumable by what the peers have agreed on: how
// many bytes each side keeps. The next skip frames that are written do not count.
func (s *Session) enableResumption(r *resumption, keep, peerKeeps, skip int) {
	r.sent.Init(keep, skip)
	r.ackThreshold = min(max(peerKeeps/4, 1<<10), 64<<10) // at most 64 KiB, so that the kept frames fit a CPU cache
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

// countFrame counts a frame of n bytes, before it is decoded.
func (r *resumption) countFrame(n int) {
	r.received.Add(1)
	r.unackedBytes += n
	r.ackEliciting = false
}

// scheduleAck sends an ack if enough bytes have arrived since the last, and otherwise
// starts ackTimer if the frame was ack-eliciting.
func (s *Session) scheduleAck(r *resumption) {
	switch {
	case r.unackedBytes >= r.ackThreshold:
		r.unackedBytes = 0
		s.acknowledge(r)
	case r.ackEliciting && !r.ackTimerArmed.Swap(true):
		r.ackTimer.Reset(ackDelay)
	}
}

// acknowledge makes the next flush begin with an ack, unless the last one was up to
// date.
func (s *Session) acknowledge(r *resumption) {
	if r.received.Load() == r.ackedFrames.Load() {
		return
	}
	if s.queue.queueAck() {
		go s.flush(false)
	}
}

// writeAck writes an ack alone in a frame. The flusher calls it.
func (s *Session) writeAck() error {
	r := s.resumption.Load()
	received := r.received.Load()
	r.ackedFrames.Store(received)
	msg := s.Format.AppendControl(nil, methodAck, int64(received), int64(r.sent.Next()))
	frame := s.Format.AppendToFrame(nil, msg, true)
	r.sent.Keep(frame)
	return s.transport.WriteFrame(frame)
}

// receiveAck receives $/ack, the n-th message of its frame counted from 0.
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
		return fmt.Errorf("%w: frame %d is numbered %d", replay.ErrCounting, have, v[1])
	}
	return r.sent.Ack(uint64(v[0]))
}

// detach leaves the session without a transport if the end of t was a cut and the
// session can be resumed. It reports whether the session lives on.
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

// IsDetached reports whether the session is detached.
func (s *Session) IsDetached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.state.ended && !s.state.attached && s.resumption.Load() != nil
}

// WatchContext hands over stop, which cancels the watch that ends the session with the
// context of its transport t. The session keeps the watch only while it is detached from
// t; otherwise WatchContext cancels it.
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

// isCut reports whether the end of a transport ends only the transport and not the
// session.
func isCut(t transport.Transport, cause error) bool {
	if closed, ok := errors.AsType[transport.CloseError](cause); ok {
		switch closed.Code {
		case 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015, transport.CloseCut, transport.CloseExpired: // browsers and proxies send the first eight
			return true
		}
		return false
	}
	return t.Err() != nil || cause == errSilent
}

// expire ends a session that is still detached. An attach that comes later fails.
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

// attach continues the session over t, as the peer asks for in its request. It writes
// first(), the answer to the request, if first is not nil, then the frames that the peer
// has not received, and then whatever is queued. An older transport is closed; frames
// that were not counted by then will be sent again.
//
// If attach fails it has written nothing to t, and the session has ended, unless a later
// attempt was accepted in the meantime. If it succeeds the caller must call Read.
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
	s.queue.attach() // from here on nothing else writes to a transport
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
		_ = t.WriteFrame(first()) // the reader will notice a failure
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

// leaveTransport closes the transport that the session may still have, and waits until
// its reader and its flusher have returned.
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

// resumeParams are the parameters of rpc.resume.
type resumeParams struct {
	Session  string
	Attempt  int64 // increases with each request that the client writes for the session
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

// valid reports whether the numbers are from 0 to 2^53-1 and the token is within
// MaxToken.
func (p *resumeParams) valid() bool {
	return min(p.Attempt, p.Received, p.Dropped) >= 0 && max(p.Attempt, p.Received, p.Dropped) <= wire.MaxInteger && len(p.Auth) <= MaxToken
}

// A resumeResult is the result of rpc.resume.
type resumeResult struct {
	Received int64
	Session  string // a token that replaces the one used; empty for the same
}

func (r *resumeResult) members() []member {
	return []member{{name: "received", number: &r.Received}, {name: "session", text: &r.Session, optional: true}}
}

// Resume is the client's side of a resume: it continues the session over t.
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
