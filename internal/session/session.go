package session

import (
	"context"
	"errors"
	"math"
	"sync"
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
// Three goroutines touch a session beside its callers and handlers. The reader takes
// frames in. The flusher, at most one at a time, writes frames. The keep-alive timer
// pings the peer. Fields without another note are set before the reader starts and do
// not change.
//
// Lock order: Session.mu, then RecvStream.mu or sendQueue.mu, then Registry.mu. No other
// of these is held together with callScope.mu, batch.mu or Opening.mu.
type Session struct {
	*Settings
	Events    Events
	transport transport.Transport
	Client    bool // this side dialed the connection
	Mode      Mode // set by the reader before it serves anything
	Format    wire.Format

	Ctx    context.Context         // ends with the session; its cause is that of the end
	cancel context.CancelCauseFunc // cancels Ctx; only the first call has an effect

	lifetime   context.Context                  // like Ctx, without the values of a handshake
	current    atomic.Pointer[handshakeContext] // the parent of the contexts of calls that begin now
	draining   chan struct{}                    // closed when this side begins to drain
	ReaderDone chan struct{}                    // closed when the session has ended and its reader has returned

	incomingMessage  wire.Message // the reader's; reused for each message
	loggedOdd        bool         // the reader's: see reportOdd
	early            []byte       // the reader's: the frame that a plain server sent before its answer to hello; served first
	aloneInFrame     bool         // the reader's: the message fills its frame
	queue            sendQueue
	frames           frameBatch // the flusher's: what it writes now
	unflushed        int        // the flusher's: frames given to the transport since its buffers were last empty
	buffered         atomic.Int64
	logLimit         logLimit
	peerMessageLimit atomic.Int64 // bytes of the largest message that the peer accepts

	holds           atomic.Int32 // how many notifications hold calls back
	unansweredCalls atomic.Int64 // calls from the peer that are not answered yet
	halfClosing     atomic.Bool  // a plain client has half-closed: new subscriptions end at once

	resumption atomic.Pointer[resumption] // nil if the session ends with its transport
	HasTraffic atomic.Bool                // a message that is no control message, or items, has arrived on this transport
	Breached   atomic.Bool                // the peer has violated the protocol
	Principal  string                     // who is authenticated on the connection

	workers      workers.Pool[*Incoming]
	active       atomic.Bool // a frame has arrived since the last keep-alive check
	silentChecks int         // the keep-alive timer's: consecutive checks without a frame
	lastProgress int64       // the keep-alive timer's: see takesData
	keepAlive    *time.Timer // runs checkPeer; nil without an idle timeout
	drainTimer   *time.Timer // bounds how long the peer may ignore a shutdown

	mu    sync.Mutex
	state sessionState // guarded by mu; a change that may make the session idle goes through update
}

// A Mode is the dialect that a session speaks.
type Mode uint8

const (
	ModeUnknown Mode = iota // on lines, until the server has answered hello
	ModePlain               // JSON-RPC 2.0 without extensions
	ModeWirecall
)

// messageOverhead is an upper bound, in bytes, of what an envelope adds to its body.
const messageOverhead = 512

var (
	errSilent      = errors.New("the peer has been silent for too long")
	ErrNoAnswer    = errors.New("the server does not answer rpc.hello: is it a wirecall server, and does a proxy hold its answer back?")
	errNotAnAnswer = errors.New("the server's first frame is not an answer")
	errEcho        = errors.New("the server echoes what it receives")
)

type sessionKey struct{}

// FromContext returns the session of the handler that ctx belongs to, or nil if ctx
// belongs to none.
func FromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// New returns a session that is idle until Start or Activate. If e is nil, set.Events
// makes the session's events.
func New(ctx context.Context, set *Settings, form wire.Format, t transport.Transport, m Mode, e Events) *Session {
	s := &Session{Settings: set, transport: t, Mode: m, Format: form, Events: e, ReaderDone: make(chan struct{}), draining: make(chan struct{})}
	s.lifetime, s.cancel = context.WithCancelCause(context.WithValue(context.Background(), sessionKey{}, s))
	s.Ctx = s.setHandshakeContext(ctx)
	if e == nil {
		s.Events = set.Events(s)
	}
	s.queue = sendQueue{form: s.Format, single: m != ModeWirecall, soft: set.Limits.SendQueueBytes}
	s.peerMessageLimit.Store(math.MaxInt32)
	if m == ModeWirecall {
		s.peerMessageLimit.Store(MinMessage)
	}
	s.state.callLimit.free, s.state.peerStreams = math.MaxInt32, math.MaxInt32
	s.state.lastAccepted = math.MaxInt64
	s.workers.Init((*Incoming).run)
	s.state.calls = make(map[uint64]*OutgoingCall)
	s.state.incoming = make(map[string]*Incoming)
	s.state.recvStreams = make(map[uint64]*RecvStream)
	return s
}

// stoppedTimer returns a timer that runs f after a Reset. f may use the variable that
// the timer is assigned to.
func stoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// Start activates the session and starts its reader.
func (s *Session) Start() {
	s.Activate()
	go s.Read(s.transport)
}

// Activate starts the keep-alive timer and marks the session as attached. A call of Read
// or RefuseStart must follow.
func (s *Session) Activate() {
	if s.Limits.IdleTimeout > 0 {
		s.setTimer(&s.keepAlive, s.checkPeer, s.Limits.IdleTimeout/3)
	}
	s.update(func(st *sessionState) {
		if !st.ended {
			st.attached, st.readerDone = true, make(chan struct{})
		}
	})
}

// setTimer sets *at to a timer that runs f after d. If the session has ended, the timer
// does not start.
func (s *Session) setTimer(at **time.Timer, f func(), d time.Duration) {
	t := stoppedTimer(f)
	s.update(func(st *sessionState) {
		if *at = t; !st.ended {
			t.Reset(d)
		}
	})
}

func (s *Session) HasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.ended
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

// Open performs the handshake of a dialed session. If it succeeds, Start must follow.
func (s *Session) Open(ctx context.Context) error {
	s.Client = true
	if s.Mode != ModePlain {
		if err := s.sendHello(ctx); err != nil {
			s.End(err)
			s.transport.Close() // without a closing handshake, which could exceed ctx
			return err
		}
	}
	s.transport.Bind(s)
	return nil
}

// Transport returns the latest transport.
func (s *Session) Transport() transport.Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport
}

// Draining returns a channel that is closed when this side begins to drain.
func (s *Session) Draining() <-chan struct{} { return s.draining }

// RefuseStart ends an activated session in place of Read.
func (s *Session) RefuseStart(cause error) {
	s.endAndClose(s.transport, cause)
	s.stopReading()
}

// CanResume reports whether all frames since the last acknowledgement are still kept, so
// that a cut now loses nothing.
func (s *Session) CanResume() bool {
	r := s.resumption.Load()
	return r != nil && s.Err() == nil && r.sent.Complete()
}
