package session

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
	"github.com/wirecall/wirecall/internal/workers"
)

// A Session holds the protocol state shared with one peer: the calls and streams in
// flight in both directions and the queue of outgoing frames. It uses one transport at a
// time and may outlive it.
//
// It is a composition. Each of its owners has its own fields and its own lock, which no
// other code touches:
//
//	outgoing       calls to the peer
//	incoming       calls from the peer
//	notifications  notifications from the peer, and the calls that wait for them
//	recv           streams from the peer
//	queue          frames to the peer, and the streams to it
//	resumption     numbered frames, and the transport that replaces a broken one
//	credentials    the parent of the contexts of calls, and when it expires
//	lifecycle      the phase: see there
//
// Three goroutines touch a session beside its callers and handlers. The reader takes
// frames in. The flusher, at most one at a time, writes frames. The keep-alive timer
// pings the peer. Fields without another note are set before the reader starts and do
// not change.
//
// Lock order: credentials.mu; then lifecycle.mu; then recvStreams.mu; then RecvStream.mu, sendQueue.mu or
// notifications.mu; then Registry.mu. No other two of these, and none of callScope.mu,
// batch.mu, Opening.mu and the owners' other locks, are held together.
type Session struct {
	*Settings
	Events Events
	Client bool // this side dialed the connection
	Mode   Mode // set before the reader starts
	form
	Principal string // who is authenticated on the connection

	Ctx        context.Context         // ends with the session; its cause is that of the end
	cancel     context.CancelCauseFunc // cancels Ctx; only the first call has an effect
	lifetime   context.Context         // like Ctx, without the values of a handshake
	ReaderDone chan struct{}           // closed when the session has ended and its reader has returned

	outgoing      outgoingCalls
	incoming      incomingCalls
	notifications notifications
	recv          recvStreams
	queue         sendQueue
	resumption    atomic.Pointer[resumption] // nil if the session ends with its transport

	reader      reader
	flusher     flusher
	keepAlive   keepAlive
	credentials credentials
	dialect     dialect
	workers     workers.Pool[*Incoming]

	buffered         atomic.Int64             // received bytes that the application has not taken
	peerMessageLimit atomic.Int64             // bytes of the largest message that the peer accepts
	HasTraffic       atomic.Bool              // a message that is no control message, or items, has arrived on this transport
	halfClosing      atomic.Bool              // a plain client has half-closed: new subscriptions end at once
	Breached         atomic.Bool              // the peer has violated the protocol
	logLimit         atomic.Pointer[logLimit] // nil before the first line

	lifecycle
}

// A Mode is the dialect that a session speaks.
type Mode uint8

const (
	ModeUnknown Mode = iota // on byte streams, until the server has answered hello
	ModePlain               // JSON-RPC 2.0 without extensions
	ModeWirecall
)

// messageOverhead is an upper bound, in bytes, of what an envelope adds to its body.
const messageOverhead = 512

type sessionKey struct{}

// FromContext returns the session of the handler that ctx belongs to, or nil if ctx
// belongs to none.
func FromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// New returns a session that is idle until Start or Activate. If e is nil, set.Events
// makes the session's events.
func New(ctx context.Context, set *Settings, format wire.Format, t transport.Transport, m Mode, e Events) *Session {
	s := &Session{Settings: set, Mode: m, form: form{format, m != ModePlain}, Events: e, ReaderDone: make(chan struct{})}
	s.lifecycle = lifecycle{session: s, transport: t, drainBegun: make(chan struct{})}
	s.lifetime, s.cancel = context.WithCancelCause(context.WithValue(context.Background(), sessionKey{}, s))
	s.credentials.session = s
	s.Ctx = s.credentials.set(ctx, ctx, false)
	if e == nil {
		s.Events = set.Events(s)
	}
	s.outgoing = outgoingCalls{session: s, free: math.MaxInt32, lastAccepted: math.MaxInt64}
	s.incoming.session, s.notifications.session, s.recv.session, s.reader.session, s.flusher.session, s.keepAlive.session = s, s, s, s, s, s
	s.queue = sendQueue{session: s, form: s.Format, single: m != ModeWirecall, soft: set.Limits.SendQueueBytes, peerStreams: math.MaxInt32}
	s.dialect = &wirecall{session: s}
	s.peerMessageLimit.Store(math.MaxInt32)
	switch m {
	case ModeWirecall:
		s.peerMessageLimit.Store(MinMessage)
	case ModePlain:
		s.dialect = newPlain(s)
	}
	s.workers.Init((*Incoming).run)
	return s
}

// Err returns why the session has ended, or nil if it has not.
func (s *Session) Err() error { return context.Cause(s.Ctx) }

// reserve counts n received bytes that the application has not taken, and reports
// whether Limits.BufferedBytes allows them.
func (s *Session) reserve(n int) bool {
	if s.buffered.Add(int64(n)) > int64(s.Limits.BufferedBytes) {
		s.buffered.Add(-int64(n))
		return false
	}
	return true
}

func (s *Session) peerMessage() int { return int(s.peerMessageLimit.Load()) }

// CleanUp runs f on another goroutine. The session is not idle until f returns.
func (s *Session) CleanUp(f func()) {
	s.incoming.cleanups.Add(1)
	s.addWork(1)
	go func() {
		defer func() {
			s.incoming.cleanups.Add(-1)
			s.addWork(-1)
		}()
		f()
	}()
}

// Heard implements transport.Owner: the transport has received something, perhaps no
// whole frame.
func (s *Session) Heard() { s.keepAlive.active.Store(true) }

// Kick implements transport.Owner: it starts a flush on another goroutine if none runs.
func (s *Session) Kick() { s.queue.kick() }

// stoppedTimer returns a timer that runs f after a Reset. f may use the variable that
// the timer is assigned to.
func stoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

var errSilent = errors.New("the peer has been silent for too long")
