package session

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
	"github.com/wirecall/wirecall/internal/workers"
)

// A session is what two peers have with each other: the calls and streams in
// flight both ways, and the outbox. A transport carries it.
type Session struct {
	*Settings
	Events    Events
	transport transport.Transport
	Client    bool // this side dialed
	Mode      Mode // written by the reader before anything is served
	Format    wire.Format

	Ctx    context.Context         // ends when the connection does; its cause says why
	cancel context.CancelCauseFunc // the first call wins

	lifetime   context.Context                  // ctx without the values of a handshake
	current    atomic.Pointer[handshakeContext] // that of calls which begin now
	draining   chan struct{}                    // closed when the server shuts down
	ReaderDone chan struct{}                    // closed when the transport is closed and its reader gone

	incomingMessage  wire.Message // the reader's
	loggedOdd        bool         // the reader's: see reportOdd
	early            []byte       // the reader's: what a plain server sent before it answered hello, to be served
	aloneInFrame     bool         // the reader's: nothing else is in its frame
	queue            sendQueue
	frames           frameBatch // the flusher's
	unflushed        int        // the flusher's: frames given to the transport since it had written everything
	buffered         atomic.Int64
	logLimit         logLimit
	peerMessageLimit atomic.Int64 // the peer's limit

	holds           atomic.Int32 // notifications that hold calls up
	unansweredCalls atomic.Int64 // calls of the peer's, as it counts them itself
	halfClosing     atomic.Bool  // a plain client has half closed: subscriptions end as they begin

	resumption atomic.Pointer[resumption] // nil where the session ends with its socket
	HasTraffic atomic.Bool                // something of the peer's own has come over its socket
	Breached   atomic.Bool                // the peer broke the rules
	Principal  string                     // whose connection it is

	workers      workers.Pool[*Incoming]
	active       atomic.Bool // something came since the last housekeeping
	silentChecks int         // housekeepings without that
	lastProgress int64       // the housekeeping's: see reads
	keepAlive    *time.Timer // see setTimer
	drainTimer   *time.Timer // with a peer that goes on after goaway

	mu    sync.Mutex
	state sessionState // touched only in update
}

// connState is what decides about the connection's life, and who is part of it.
type sessionState struct {
	ended           bool // no more
	cause           error
	expiredCause    error         // why it is about to end, detached
	attached        bool          // to a socket
	readerDone      chan struct{} // closed when the reader of that has gone, nil then
	wait            *sessionWait  // in the Registry while it is not; nil otherwise
	unwatchContext  func() bool   // lets a detached session outlive the context of its last socket; nil where there is none
	credentialTimer *time.Timer   // closes the transport when they have expired; nil for no end
	drainState

	calls      map[uint64]*OutgoingCall
	recycled   []*OutgoingCall
	nextID     uint64
	nextHandle uint64
	callLimit  callLimit // calls that the peer allows

	peerStreams int

	incoming      map[string]*Incoming // unanswered, by id: see callKeyOf
	waitingCalls  []*Incoming          // a plain peer's that are to start, in order
	handlers      int                  // that run, cancelled ones included
	whenIdle      chan struct{}        // closed when nothing goes on any more, where that is waited for
	cleanups      int                  // of streams that nobody wants, that run
	notifications notificationQueue
	recvStreams   map[uint64]*RecvStream
	unreferenced  []*RecvStream // that the garbage collector found
	sendStreams   int
	resultStreams int // of the sources, those of answers
}

// idle reports whether nothing is going on.
func (st *sessionState) idle() bool {
	return len(st.calls) == 0 && st.handlers == 0 && st.cleanups == 0 && len(st.recvStreams) == 0 && st.sendStreams == 0 && st.notifications.idle()
}

// A mode is one of the two ways to speak.
type Mode uint8

const (
	ModeUnknown Mode = iota // on lines, until the server has answered hello
	ModePlain               // JSON-RPC 2.0 and nothing else
	ModeWirecall
)

// messageOverhead is more than an envelope adds to what it carries.
const messageOverhead = 512

var (
	errSilent      = errors.New("the peer has been silent for too long")
	ErrNoAnswer    = errors.New("the server does not answer rpc.hello: is it a wirecall server, and does nothing in between hold its answer back?")
	errNotAnAnswer = errors.New("the server's first frame is no answer")
	errEcho        = errors.New("the server sends back what it gets")
)

type sessionKey struct{}

// sessionOf returns the session whose handlers have ctx, nil outside of handlers.
func FromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// newSession makes a session that does nothing before start. A nil e are the events
// that the settings make.
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

// stoppedTimer makes a timer for f that Reset starts: f may look at the variable
// that holds it.
func stoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// start begins to read, and to keep house.
func (s *Session) Start() {
	s.Activate()
	go s.Read(s.transport)
}

// keep begins to keep house, for the reader that is about to begin.
func (s *Session) Activate() {
	if s.Limits.IdleTimeout > 0 {
		s.setTimer(&s.keepAlive, s.housekeeping, s.Limits.IdleTimeout/3)
	}
	s.update(func(st *sessionState) {
		if !st.ended {
			st.attached, st.readerDone = true, make(chan struct{})
		}
	})
}

// setTimer makes a timer of the connection's, which may have ended meanwhile:
// then it never fires.
func (s *Session) setTimer(at **time.Timer, f func(), d time.Duration) {
	t := stoppedTimer(f)
	s.update(func(st *sessionState) {
		if *at = t; !st.ended {
			t.Reset(d)
		}
	})
}

// read is the reader: it takes in frames, and neither waits for anything but
// the transport nor runs a line of a user's.
func (s *Session) Read(t transport.Transport) {
	if s.early != nil {
		s.plain(s.early)
		s.early = nil
	}
	err, breach := s.readFrames(t)
	defer s.stopReading()
	switch {
	case breach:
		s.Breached.Store(true)
		if b, ok := err.(transport.FrameError); ok && s.Mode != ModeWirecall && !s.Client {
			s.post(s.fault(nil, &wire.Fault{Code: int(frameErrorCode(b)), Message: b.Message}))
		}
		s.Fail(err, breachCode(err))
	case s.halfClosed(t, err):
		s.serveRest(t)
	case !s.detach(t, err):
		s.peerGone(t, err)
	}
}

// Heard implements transport.Owner.
func (s *Session) Heard() { s.active.Store(true) }

// readFrame reads a frame. On lines the last may have no line feed: it was cut, unless
// the peer is plain, as what pipes carry often ends so.
func readFrame(t transport.Transport, plain bool) ([]byte, error) {
	frame, err := t.ReadFrame()
	if plain && frame != nil {
		err = nil
	}
	return frame, err
}

// frameErrorCode is what a plain peer is told of a frame that is none.
func frameErrorCode(e transport.FrameError) int {
	if e.TooLarge {
		return fault.TooLarge
	}
	return fault.InvalidRequest
}

// readFrames returns why nothing more is read, and whether that is a breach of
// the protocol.
func (s *Session) readFrames(t transport.Transport) (err error, breach bool) {
	for {
		frame, err := readFrame(t, s.Mode != ModeWirecall)
		if err != nil {
			_, breach := err.(transport.FrameError)
			return err, breach
		}
		s.active.Store(true)
		if err := s.receive(frame); err != nil {
			_, goodbye := err.(transport.CloseError)
			return err, !goodbye
		}
	}
}

// stopReading says that the reader has gone.
func (s *Session) stopReading() {
	torn := false
	s.update(func(st *sessionState) {
		if st.readerDone != nil { // nil where the session had ended before
			close(st.readerDone)
			st.readerDone, torn = nil, st.ended
		}
	})
	if torn {
		close(s.ReaderDone)
	}
}

func (s *Session) receive(frame []byte) error {
	if s.Mode == ModePlain {
		s.plain(frame)
		return nil
	}
	r := s.resumption.Load()
	if r == nil {
		return s.frame(frame)
	}
	r.countFrame(len(frame))
	err := s.frame(frame)
	switch err.(type) {
	case nil:
		s.scheduleAck(r)
	case transport.CloseError: // it stands for a close frame, which does not count
		r.received.Add(^uint64(0))
	}
	return err
}

// update changes the connection's state with f and then acts on the result: a
// connection that drains, and whose peer has moved, ends here when it is idle, and
// nowhere else.
func (s *Session) update(f func(*sessionState)) {
	s.mu.Lock()
	f(&s.state)
	if w := s.state.wait; w != nil {
		s.Registry.recount(w)
	}
	done := s.state.draining && s.state.moved && !s.state.ended && s.state.idle()
	if s.state.idleTimer != nil {
		s.state.watchIdle()
	}
	if s.state.whenIdle != nil && s.state.idle() {
		close(s.state.whenIdle)
		s.state.whenIdle = nil
	}
	s.mu.Unlock()
	if done {
		s.Fail(ErrDrained, transport.CloseShutdown)
	}
}

func (s *Session) HasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.ended
}

// err is why the session has ended, nil before.
func (s *Session) Err() error { return context.Cause(s.Ctx) }

// reserve makes room for n received bytes that wait for the application.
func (s *Session) reserve(n int) bool {
	if s.buffered.Add(int64(n)) > int64(s.Limits.BufferedBytes) {
		s.buffered.Add(-int64(n))
		return false
	}
	return true
}

func (s *Session) peerMessage() int { return int(s.peerMessageLimit.Load()) }

// members is e as this connection's mode carries it.
func (s *Session) wireError(e *fault.Error) *wire.Error {
	w := &wire.Error{Code: e.Code, Message: e.Message, Data: e.Data}
	if s.Mode == ModeWirecall {
		w.Type, w.Ran, w.Retry = e.Type, e.Ran.String(), e.RetryMillis()
	}
	return w
}

// errorObject is e as the value of a member.
func (s *Session) errorObject(e *fault.Error) []byte {
	return s.Format.AppendErrorObject(nil, s.wireError(e))
}

// shortened returns e, which is over the peer's limit for a message, as the peer takes
// it: without its data, and if its message is too long by itself with the beginning of
// that.
func (s *Session) shortened(e *fault.Error) *fault.Error {
	short := *e
	short.Data = nil
	if escaped := 6 * len(e.Message); escaped+messageOverhead > s.peerMessage() {
		short.Message = Brief(e.Message)
	}
	return &short
}

// refusal is the answer to a request that does not run.
func (s *Session) refusal(id []byte, e *fault.Error) []byte {
	return s.Format.AppendError(nil, id, s.wireError(e), nil)
}

// open begins a dialed session. On success start follows.
func (s *Session) Open(ctx context.Context) error {
	s.Client = true
	if s.Mode != ModePlain {
		if err := s.sendHello(ctx); err != nil {
			s.End(err)
			s.transport.Close() // without a word, which could take longer than ctx allows
			return err
		}
	}
	s.transport.Bind(s)
	return nil
}

// socket returns the transport of the latest socket.
func (s *Session) Transport() transport.Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport
}

// engineStats are what a session holds at one moment: rpc.Stats, which documents them.
type Stats struct {
	CallsMade, CallsServed                  int
	StreamsSent, StreamsTaken               int
	QueuedBytes, BufferedBytes, ReplayBytes int
}

func (s *Session) Stats() (stats Stats) {
	s.mu.Lock()
	stats.CallsMade = len(s.state.calls)
	stats.CallsServed = s.state.handlers
	stats.StreamsSent = s.state.sendStreams
	stats.StreamsTaken = len(s.state.recvStreams)
	s.mu.Unlock()
	stats.BufferedBytes = int(s.buffered.Load())
	s.queue.mu.Lock()
	stats.QueuedBytes = s.queue.messages.size() + s.queue.itemBytes
	s.queue.mu.Unlock()
	if r := s.resumption.Load(); r != nil {
		stats.ReplayBytes = r.sent.Held()
	}
	return stats
}

// Draining is closed when this side shuts down.
func (s *Session) Draining() <-chan struct{} { return s.draining }

// refuseStart ends a session whose reader was about to begin.
func (s *Session) RefuseStart(cause error) {
	s.endAndClose(s.transport, cause)
	s.stopReading()
}

// canResume reports whether a cut now would lose nothing.
func (s *Session) CanResume() bool {
	r := s.resumption.Load()
	return r != nil && s.Err() == nil && r.sent.Complete()
}
