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
	drains     chan struct{}                    // closed when the server shuts down
	ReaderDone chan struct{}                    // closed when the transport is closed and its reader gone

	incomingMessage wire.Message // the reader's
	odd             bool         // the reader's: see reportOdd
	early           []byte       // the reader's: what a plain server sent before it answered hello, to be served
	alone           bool         // the reader's: nothing else is in its frame
	out             outbox
	batch           batch // the flusher's
	unflushed       int   // the flusher's: frames given to the transport since it had written everything
	buffered        atomic.Int64
	logged          logged
	message         atomic.Int64 // the peer's limit

	holds        atomic.Int32 // notifications that hold calls up
	unanswered   atomic.Int64 // calls of the peer's, as it counts them itself
	unsubscribed atomic.Bool  // a plain client has half closed: subscriptions end as they begin

	resume    atomic.Pointer[resumption] // nil where the session ends with its socket
	Carried   atomic.Bool                // something of the peer's own has come over its socket
	Breached  atomic.Bool                // the peer broke the rules
	Principal string                     // whose connection it is

	workers  workers.Pool[*Incoming]
	heard    atomic.Bool // something came since the last housekeeping
	silent   int         // housekeepings without that
	taken    int64       // the housekeeping's: see reads
	keeper   *time.Timer // see setTimer
	patience *time.Timer // with a peer that goes on after goaway

	mu    sync.Mutex
	state connState // touched only in update
}

// connState is what decides about the connection's life, and who is part of it.
type connState struct {
	ended       bool // no more
	cause       error
	expired     error         // why it is about to end, detached
	attached    bool          // to a socket
	reading     chan struct{} // closed when the reader of that has gone, nil then
	unwatch     func() bool   // lets a detached session outlive the context of its last socket; nil where there is none
	credentials *time.Timer   // closes the transport when they have expired; nil for no end
	departure

	calls      map[uint64]*OutgoingCall
	spare      []*OutgoingCall
	nextID     uint64
	nextHandle uint64
	slots      slots // calls that the peer allows

	peerStreams int

	incoming map[string]*Incoming // unanswered, by id: see callKeyOf
	waiting  []*Incoming          // a plain peer's that are to start, in order
	handlers int                  // that run, cancelled ones included
	whenIdle chan struct{}        // closed when nothing goes on any more, where that is waited for
	cleanups int                  // of streams that nobody wants, that run
	notes    notes
	sinks    map[uint64]*RecvStream
	lost     []*RecvStream // that the garbage collector found
	sources  int
	served   int // of the sources, those of answers
}

// idle reports whether nothing is going on.
func (s *connState) idle() bool {
	return len(s.calls) == 0 && s.handlers == 0 && s.cleanups == 0 && len(s.sinks) == 0 && s.sources == 0 && s.notes.idle()
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
	c, _ := ctx.Value(sessionKey{}).(*Session)
	return c
}

// newSession makes a session that does nothing before start. A nil e are the events
// that the settings make.
func New(ctx context.Context, set *Settings, form wire.Format, t transport.Transport, m Mode, e Events) *Session {
	c := &Session{Settings: set, transport: t, Mode: m, Format: form, Events: e, ReaderDone: make(chan struct{}), drains: make(chan struct{})}
	c.lifetime, c.cancel = context.WithCancelCause(context.WithValue(context.Background(), sessionKey{}, c))
	c.Ctx = c.renew(ctx)
	if e == nil {
		c.Events = set.Events(c)
	}
	c.out = outbox{form: c.Format, single: m != ModeWirecall, soft: set.Limits.SendQueueBytes}
	c.message.Store(math.MaxInt32)
	if m == ModeWirecall {
		c.message.Store(MinMessage)
	}
	c.state.slots.free, c.state.peerStreams = math.MaxInt32, math.MaxInt32
	c.state.last = math.MaxInt64
	c.workers.Init((*Incoming).run)
	c.state.calls = make(map[uint64]*OutgoingCall)
	c.state.incoming = make(map[string]*Incoming)
	c.state.sinks = make(map[uint64]*RecvStream)
	return c
}

// stoppedTimer makes a timer for f that Reset starts: f may look at the variable
// that holds it.
func stoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// start begins to read, and to keep house.
func (c *Session) Start() {
	c.Keep()
	go c.Read(c.transport)
}

// keep begins to keep house, for the reader that is about to begin.
func (c *Session) Keep() {
	if c.Limits.IdleTimeout > 0 {
		c.setTimer(&c.keeper, c.housekeeping, c.Limits.IdleTimeout/3)
	}
	c.update(func(s *connState) {
		if !s.ended {
			s.attached, s.reading = true, make(chan struct{})
		}
	})
}

// setTimer makes a timer of the connection's, which may have ended meanwhile:
// then it never fires.
func (c *Session) setTimer(at **time.Timer, f func(), d time.Duration) {
	t := stoppedTimer(f)
	c.update(func(s *connState) {
		if *at = t; !s.ended {
			t.Reset(d)
		}
	})
}

// read is the reader: it takes in frames, and neither waits for anything but
// the transport nor runs a line of a user's.
func (c *Session) Read(t transport.Transport) {
	if c.early != nil {
		c.plain(c.early)
		c.early = nil
	}
	err, breach := c.readFrames(t)
	defer c.stopReading()
	switch {
	case breach:
		c.Breached.Store(true)
		if b, ok := err.(transport.FrameError); ok && c.Mode != ModeWirecall && !c.Client {
			c.post(c.fault(nil, &wire.Fault{Code: int(frameErrorCode(b)), Message: b.Message}))
		}
		c.Fail(err, breachCode(err))
	case c.halfClosed(t, err):
		c.serveRest(t)
	case !c.detach(t, err):
		c.gone(t, err)
	}
}

// Heard implements transport.Owner.
func (c *Session) Heard() { c.heard.Store(true) }

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
func (c *Session) readFrames(t transport.Transport) (err error, breach bool) {
	for {
		frame, err := readFrame(t, c.Mode != ModeWirecall)
		if err != nil {
			_, breach := err.(transport.FrameError)
			return err, breach
		}
		c.heard.Store(true)
		if err := c.receive(frame); err != nil {
			_, goodbye := err.(transport.CloseError)
			return err, !goodbye
		}
	}
}

// stopReading says that the reader has gone.
func (c *Session) stopReading() {
	torn := false
	c.update(func(s *connState) {
		if s.reading != nil { // nil where the session had ended before
			close(s.reading)
			s.reading, torn = nil, s.ended
		}
	})
	if torn {
		close(c.ReaderDone)
	}
}

func (c *Session) receive(frame []byte) error {
	if c.Mode == ModePlain {
		c.plain(frame)
		return nil
	}
	r := c.resume.Load()
	if r == nil {
		return c.frame(frame)
	}
	r.count(len(frame))
	err := c.frame(frame)
	switch err.(type) {
	case nil:
		c.counted(r)
	case transport.CloseError: // it stands for a close frame, which does not count
		r.received.Add(^uint64(0))
	}
	return err
}

// update changes the connection's state with f and then acts on the result: a
// connection that drains, and whose peer has moved, ends here when it is idle, and
// nowhere else.
func (c *Session) update(f func(*connState)) {
	c.mu.Lock()
	f(&c.state)
	done := c.state.draining && c.state.moved && !c.state.ended && c.state.idle()
	if c.state.quiet != nil {
		c.state.watchQuiet()
	}
	if c.state.whenIdle != nil && c.state.idle() {
		close(c.state.whenIdle)
		c.state.whenIdle = nil
	}
	c.mu.Unlock()
	if done {
		c.Fail(ErrDrained, transport.CloseShutdown)
	}
}

func (c *Session) HasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.ended
}

// err is why the session has ended, nil before.
func (c *Session) Err() error { return context.Cause(c.Ctx) }

// reserve makes room for n received bytes that wait for the application.
func (c *Session) reserve(n int) bool {
	if c.buffered.Add(int64(n)) > int64(c.Limits.BufferedBytes) {
		c.buffered.Add(-int64(n))
		return false
	}
	return true
}

func (c *Session) peerMessage() int { return int(c.message.Load()) }

// members is e as this connection's mode carries it.
func (c *Session) members(e *fault.Error) *wire.Error {
	w := &wire.Error{Code: e.Code, Message: e.Message, Data: e.Data}
	if c.Mode == ModeWirecall {
		w.Type, w.Ran, w.Retry = e.Type, e.Ran.String(), e.RetryMillis()
	}
	return w
}

// errorObject is e as the value of a member.
func (c *Session) errorObject(e *fault.Error) []byte {
	return c.Format.AppendErrorObject(nil, c.members(e))
}

// shortened returns e, which is over the peer's limit for a message, as the peer takes
// it: without its data, and if its message is too long by itself with the beginning of
// that.
func (c *Session) shortened(e *fault.Error) *fault.Error {
	short := *e
	short.Data = nil
	if escaped := 6 * len(e.Message); escaped+messageOverhead > c.peerMessage() {
		short.Message = Brief(e.Message)
	}
	return &short
}

// refusal is the answer to a request that does not run.
func (c *Session) refusal(id []byte, e *fault.Error) []byte {
	return c.Format.AppendError(nil, id, c.members(e), nil)
}

// open begins a dialed session. On success start follows.
func (c *Session) Open(ctx context.Context) error {
	c.Client = true
	if c.Mode != ModePlain {
		if err := c.sayHello(ctx); err != nil {
			c.End(err)
			c.transport.Close() // without a word, which could take longer than ctx allows
			return err
		}
	}
	c.transport.Bind(c)
	return nil
}

// socket returns the transport of the latest socket.
func (c *Session) Transport() transport.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transport
}

// engineStats are what a session holds at one moment: rpc.Stats, which documents them.
type Stats struct {
	CallsMade, CallsServed                  int
	StreamsSent, StreamsTaken               int
	QueuedBytes, BufferedBytes, ReplayBytes int
}

func (c *Session) Stats() (st Stats) {
	c.mu.Lock()
	st.CallsMade = len(c.state.calls)
	st.CallsServed = c.state.handlers
	st.StreamsSent = c.state.sources
	st.StreamsTaken = len(c.state.sinks)
	c.mu.Unlock()
	st.BufferedBytes = int(c.buffered.Load())
	c.out.mu.Lock()
	st.QueuedBytes = c.out.first.size() + c.out.items
	c.out.mu.Unlock()
	if r := c.resume.Load(); r != nil {
		st.ReplayBytes = r.sent.Held()
	}
	return st
}

// Draining is closed when this side shuts down.
func (c *Session) Draining() <-chan struct{} { return c.drains }

// refuseStart ends a session whose reader was about to begin.
func (c *Session) RefuseStart(cause error) {
	c.drop(c.transport, cause)
	c.stopReading()
}

// canResume reports whether a cut now would lose nothing.
func (c *Session) CanResume() bool {
	r := c.resume.Load()
	return r != nil && c.Err() == nil && r.sent.Complete()
}
