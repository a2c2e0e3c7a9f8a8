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
	session   *Session
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
	r.session = s
	r.sent.Init(keep, skip)
	r.ackThreshold = min(max(peerKeeps/4, 1<<10), 64<<10) // at most 64 KiB, so that the kept frames fit a CPU cache
	r.attaching = make(chan struct{}, 1)
	r.ackTimer = stoppedTimer(func() {
		r.ackTimerArmed.Store(false)
		r.acknowledge()
	})
	r.expiry = stoppedTimer(func() {
		s.expire(fmt.Errorf("%w: no new connection within %v", errSessionLost, r.window))
	})
	s.resumption.Store(r)
	s.queue.keepFrames(&r.sent)
}

// receive counts a frame, and then receives it. It sends an ack if enough bytes have
// arrived since the last, and otherwise starts ackTimer if the frame was ack-eliciting.
// The reader calls it.
func (r *resumption) receive(w *wirecall, frame []byte) error {
	r.received.Add(1)
	r.unackedBytes += len(frame)
	r.ackEliciting = false
	err := w.receiveFrame(frame)
	switch _, goodbye := err.(transport.CloseError); {
	case goodbye: // $/close stands for a close frame, which is not counted
		r.received.Add(^uint64(0))
	case err != nil:
	case r.unackedBytes >= r.ackThreshold:
		r.unackedBytes = 0
		r.acknowledge()
	case r.ackEliciting && !r.ackTimerArmed.Swap(true):
		r.ackTimer.Reset(ackDelay)
	}
	return err
}

// writeAck writes an ack alone in a frame. The flusher calls it.
func (r *resumption) writeAck() error {
	s := r.session
	received := r.received.Load()
	r.ackedFrames.Store(received)
	msg := s.Format.AppendControl(nil, methodAck, int64(received), int64(r.sent.Next()))
	frame := s.Format.AppendToFrame(nil, msg, true)
	r.sent.Keep(frame)
	return s.transport.WriteFrame(frame)
}

// acknowledge makes the next flush begin with an ack, unless the last one was up to
// date.
func (r *resumption) acknowledge() {
	if r.received.Load() != r.ackedFrames.Load() {
		r.session.queue.queueAck()
	}
}

// detach leaves the session without a transport if the end of t was a cut and the
// session can be resumed. It reports whether the session lives on.
func (s *Session) detach(t transport.Transport, cause error) bool {
	r := s.resumption.Load()
	if r == nil || !isCut(t, cause) {
		return false
	}
	s.mu.Lock()
	alive := (s.phase == attached || s.phase == detached) && !s.peerDraining
	first := alive && s.phase == attached && s.transport == t
	if first {
		s.phase = detached
		s.work.Or(workWatched)
		r.expiry.Reset(r.window)
	}
	s.mu.Unlock()
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
func (l *lifecycle) IsDetached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == detached && l.session.resumption.Load() != nil
}

// CanResume reports whether all frames since the last acknowledgement are still kept, so
// that a cut now loses nothing.
func (s *Session) CanResume() bool {
	r := s.resumption.Load()
	return r != nil && s.Err() == nil && r.sent.Complete()
}

// WatchContext hands over stop, which cancels the watch that ends the session with the
// context of its transport t. The session keeps the watch only while it is detached from
// t; otherwise WatchContext cancels it.
func (l *lifecycle) WatchContext(t transport.Transport, stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase == detached && l.transport == t {
		l.unwatchContext = stop
	} else {
		stop()
	}
}

// stopWatchingContext cancels that watch.
func (l *lifecycle) stopWatchingContext() {
	if l.unwatchContext != nil {
		l.unwatchContext()
		l.unwatchContext = nil
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

// expire ends the session if it is detached.
func (s *Session) expire(cause error) { s.finish(cause, 0, true) }

// attach continues the session over t, as the peer asks for in its request. It writes
// first(), the answer to the request, if first is not nil, then the frames that the peer
// has not received, and then whatever is queued. An older transport is closed; frames
// that were not counted by then will be sent again.
//
// If attach fails it has written nothing to t, and the session has ended, unless a later
// attempt was accepted in the meantime. If it succeeds the caller must call Read.
func (r *resumption) attach(t transport.Transport, peer *resumeParams, first func() []byte) error {
	s := r.session
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
	if err := s.takeTransport(t); err != nil {
		s.queue.abortFlush()
		return err
	}
	r.expiry.Stop()
	t.Bind(s)
	s.keepAlive.active.Store(true)
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
	go s.flusher.flush(flushAside)
	return nil
}

// leaveTransport closes the transport that the session may still have, and waits until
// its reader and its flusher have returned.
func (l *lifecycle) leaveTransport() error {
	l.mu.Lock()
	err, reading, had := l.cause, l.readerDone, l.phase != detached
	if l.phase == attached {
		l.phase = detached
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.session.queue.detach()
	if had {
		l.transport.Close()
	}
	if reading != nil {
		<-reading
	}
	<-l.session.queue.awaitFlushed()
	return nil
}

// takeTransport makes t the transport of a detached session. It returns the cause if the
// session has ended meanwhile.
func (l *lifecycle) takeTransport(t transport.Transport) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase != detached {
		return cmp.Or(l.cause, ErrDrained)
	}
	l.transport, l.phase = t, attached
	l.readerDone, l.wait = make(chan struct{}), nil
	l.work.And(^workWatched)
	l.session.HasTraffic.Store(false)
	l.stopWatchingContext()
	return nil
}

// resumeParams are the parameters of rpc.resume.
type resumeParams struct {
	Session  string
	Attempt  int64 // increases with each request that the client writes for the session
	Received int64
	Dropped  int64 // the last frame that the client no longer keeps
	Redirect bool  // the client dials another server if the answer says so
	Auth     string
}

func (p *resumeParams) members() []member {
	return []member{
		{name: "session", text: &p.Session},
		{name: "attempt", number: &p.Attempt},
		{name: "received", number: &p.Received},
		{name: "dropped", number: &p.Dropped, optional: true},
		{name: "redirect", flag: &p.Redirect, optional: true},
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
	At       string // if not empty, the URL of the server that has the session; there are no other members
}

func (r *resumeResult) members() []member {
	return []member{{name: "received", number: &r.Received}, {name: "session", text: &r.Session, optional: true}, {name: "at", text: &r.At, optional: true}}
}

// Resume is the client's side of a resume: it continues the session over t.
// If redirect is true the error may be a *Redirect.
func (s *Session) Resume(ctx context.Context, t transport.Transport, redirect bool) error {
	if err := s.leaveTransport(); err != nil {
		return err
	}
	r := s.resumption.Load()
	var answer resumeResult
	var params resumeParams
	hs := s.handshake(t)
	err := hs.withCredentials(ctx, func(token string) error {
		params = resumeParams{Session: r.token, Attempt: int64(r.attempt.Add(1)), Received: int64(r.received.Load()), Dropped: int64(r.sent.Dropped()), Redirect: redirect, Auth: token}
		return hs.exchange(ctx, methodResume, params.members(), answer.members())
	})
	if err != nil {
		return err
	}
	if redirect && answer.At != "" {
		return &Redirect{answer.At}
	}
	if answer.Session != "" {
		r.token = answer.Session
	}
	if err := r.attach(t, &resumeParams{Attempt: params.Attempt, Received: answer.Received}, nil); err != nil {
		return err
	}
	go s.Read(t)
	return nil
}
