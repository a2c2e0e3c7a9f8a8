package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Host owns openings: a server.
type Host interface {
	// AddOpening adds an opening; it returns false if the server has been stopped.
	// RemoveOpening is called when the opening is over. Accept adds the session that it
	// has led to. DialLink opens a link to the server of another node for the client of an
	// opening. There it becomes an opening with a Verdict. The error wraps relay.ErrGone if
	// the node, or its server, is gone.
	AddOpening(o *Opening) bool
	RemoveOpening(o *Opening)
	Accept(s *Session)
	DialLink(ctx context.Context, o *Opening, node string) (transport.Transport, error)
}

// An Opening owns a server's transport until there is a session. The client's first
// request decides: rpc.hello begins a session, rpc.resume gives the transport to a
// detached session, or to a pipe to the node that has the session, and on byte streams
// anything else begins a plain session.
//
// One goroutine, the reader, calls Run and then Read of the session. The timer, and a
// server that shuts down, may end the opening from other goroutines.
type Opening struct {
	*Settings
	host      Host
	ctx       context.Context // has the values for handlers
	transport transport.Transport
	form      wire.Format
	framed    bool            // on a pair of byte streams: the first frame decides between wirecall and plain JSON-RPC
	Bearer    string          // the token of the HTTP request; empty for none
	Verdict   *string         // on a link: the principal of the client, as the node says that forwards it; otherwise nil
	base      context.Context // the reader's: what Authenticate receives: ctx or, on a link, that of the session's last handshake
	values    context.Context // the reader's: base with what Authenticate adds
	principal string          // the reader's
	refused   bool            // the reader's: an rpc.resume was refused
	denied    int             // the reader's: how often credentials were refused
	Done      chan struct{}

	flushing chan struct{} // a semaphore, held around transport.Flush

	mu             sync.Mutex
	timer          *time.Timer
	draining       bool   // the server shuts down
	transportTaken bool   // a session or a pipe is about to take the transport: see takeTransport
	abort          func() // ends the request to another node; nil if there is none
	pipe           *pipe  // has the transport; nil if there is none
	cause          error  // of the end; nil before
	code           transport.CloseCode
}

var errHandshake = errors.New("no hello within the time for the handshake")

// NewOpening returns an opening, whose Run must follow.
func NewOpening(ctx context.Context, set *Settings, h Host, t transport.Transport, form wire.Format, framed bool) *Opening {
	o := &Opening{Settings: set, host: h, ctx: ctx, base: ctx, values: ctx, transport: t, form: form, framed: framed, flushing: make(chan struct{}, 1), Done: make(chan struct{})}
	t.Bind(o)
	o.timer = time.AfterFunc(o.Limits.HandshakeTimeout, o.late)
	return o
}

// Run reads until there is a session, and returns it. On byte streams its Read must
// follow; otherwise its reader has been started, on a stack that the first frame has not
// grown. If there is no session, Run returns the reason.
func (o *Opening) Run() (*Session, error) {
	defer close(o.Done)
	defer o.host.RemoveOpening(o)
	if !o.host.AddOpening(o) {
		o.End(ErrDrained, transport.CloseShutdown)
	}
	s, err := o.session()
	o.mu.Lock()
	o.timer.Stop()
	cause, code := o.cause, o.code
	o.mu.Unlock()
	switch {
	case s == nil && cause == nil:
		o.abandon(err)
		return nil, err
	case s == nil:
		return nil, cause
	case cause != nil:
		s.Fail(cause, code)
	}
	if !o.framed {
		go s.Read(o.transport)
	}
	return s, nil
}

// session reads frames until one begins or resumes a session.
func (o *Opening) session() (*Session, error) {
	for {
		frame, err := readFrame(o.transport, !o.refused)
		if err == nil {
			var s *Session
			if s, err = o.receive(frame); s != nil {
				return s, nil
			}
			if err != nil {
				o.End(err, breachCode(err))
			}
		} else if breach, ok := err.(transport.FrameError); ok {
			if o.framed {
				o.write(o.form.AppendError(nil, nil, &wire.Error{Code: frameErrorCode(breach), Message: breach.Message}, nil))
			}
			o.End(err, breachCode(err))
		}
		if err != nil {
			return nil, err
		}
	}
}

// receive receives one frame. It returns neither a session nor an error if the client
// may try again.
func (o *Opening) receive(frame []byte) (*Session, error) {
	m := &wire.Message{}
	if o.framed && !o.refused && (o.form.Decode(frame, m) != nil || !isOpening(m)) {
		return o.plain(frame)
	}
	n := 0
	for msg, err := range o.form.Split(frame) {
		switch n++; {
		case err != nil:
			return nil, err
		case n > 1:
			return nil, fmt.Errorf("%s must be alone in its frame", m.Method)
		case len(msg) > o.Limits.MessageBytes:
			return nil, fmt.Errorf("a message of %d bytes is over the limit of %d", len(msg), o.Limits.MessageBytes)
		}
		if err := o.form.Decode(msg, m); err != nil {
			return nil, err
		}
		if !isOpening(m) {
			return nil, errors.New("the first message must be " + methodHello + " or " + methodResume)
		}
	}
	switch {
	case n == 0:
		return nil, errors.New("an empty frame")
	case len(frame) > len(m.Method)+len(m.Params)+messageOverhead:
		return nil, fmt.Errorf("%s must be alone in its frame", m.Method)
	case string(m.Method) == methodResume:
		return o.resume(m, frame)
	case o.Verdict != nil:
		return nil, errors.New("a link is for " + methodResume)
	}
	return o.hello(m)
}

// isOpening reports whether m is rpc.hello or rpc.resume.
func isOpening(m *wire.Message) bool {
	return m.ID != nil && (string(m.Method) == methodHello || string(m.Method) == methodResume)
}

// plain begins a session in plain mode with its first frame.
func (o *Opening) plain(frame []byte) (*Session, error) {
	if refusal := o.identified(""); refusal != nil {
		m := &wire.Message{}
		if o.form.DecodePlain(frame, m) == nil && m.ID != nil {
			o.deny(m.ID, refusal)
		}
		return nil, refusal
	}
	if err := o.takeTransport(); err != nil {
		return nil, err
	}
	s := o.newSession(ModePlain, false)
	o.transport.Bind(s)
	s.Heard()
	o.host.Accept(s)
	_ = s.dialect.receive(frame) // plain JSON-RPC has no violations
	return s, nil
}

// hello begins a session.
func (o *Opening) hello(m *wire.Message) (*Session, error) {
	var h hello
	if err := readMembers(o.form, m.Params, h.members()); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	if refusal := o.identified(h.Auth); refusal != nil {
		return nil, o.deny(m.ID, refusal)
	}
	if err := o.takeTransport(); err != nil {
		return nil, err
	}
	s := o.newSession(ModeWirecall, h.Auth != "")
	answer := s.hello()
	s.applyHello(h)
	s.incoming.highest = 1
	if s.Registry != nil && h.Replay > 0 {
		s.Registry.register(s, clampToInt(h.Replay), &answer)
	}
	msg := o.form.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true})
	msg = appendMembers(o.form, msg, answer.members())
	o.transport.Bind(s)
	s.Heard()
	s.queue.putFirst(o.form.AppendTail(msg)) // before a shutdown can send $/goaway
	o.host.Accept(s)
	go s.flusher.flush(flushAside) // the client must not have the answer before this
	return s, nil
}

// resume gives the transport to the session that the client names, or to a pipe to the
// node that has it. If the client is not entitled to it, it is refused once and may send
// rpc.hello.
func (o *Opening) resume(m *wire.Message, frame []byte) (*Session, error) {
	var params resumeParams
	if readMembers(o.form, m.Params, params.members()) != nil || !params.valid() {
		params = resumeParams{} // an empty token fits no session
	}
	if o.refused {
		return nil, errors.New("a session was refused already: send " + methodHello)
	}
	s, node := o.Registry.find(params.Session, o.form)
	if o.Verdict != nil && !o.forwardedTo(s) {
		return nil, o.refuse(m.ID, errNotKnown)
	}
	if refusal := o.identified(params.Auth); refusal != nil {
		return nil, o.deny(m.ID, refusal)
	}
	if node != "" {
		return nil, o.resumeElsewhere(node, m.ID, frame, &params)
	}
	if s == nil || !s.resumption.Load().accept(o.principal, uint64(params.Attempt)) {
		return nil, o.refuse(m.ID, errNotKnown)
	}
	if err := o.takeTransport(); err != nil {
		return nil, err
	}
	err := s.resumption.Load().attach(o.transport, &params, func() []byte {
		msg := s.Format.AppendResponse(nil, &wire.Head{ID: m.ID, Body: true})
		result := resumeResult{Received: int64(s.resumption.Load().received.Load())}
		msg = appendMembers(s.Format, msg, result.members())
		return s.Format.AppendToFrame(nil, s.Format.AppendTail(msg), true)
	})
	if err != nil {
		o.returnTransport()
		return nil, o.refuse(m.ID, err)
	}
	if o.Verdict != nil && o.Authenticate == nil {
		s.credentials.keep(o.transport)
	} else {
		s.credentials.accept(o.base, o.values, params.Auth != "", o.transport)
	}
	return s, nil
}

// identified authenticates the client, by token or, if that is empty, by the token of
// its HTTP request, and sets principal.
func (o *Opening) identified(token string) (refusal *fault.Error) {
	if o.Authenticate != nil {
		ctx, refusal := o.Authenticate(o.base, cmp.Or(token, o.Bearer))
		if refusal != nil {
			return refusal
		}
		o.values = ctx
	}
	o.principal = o.Identify(o.values)
	return nil
}

// Principal returns the principal of the client, once it has been authenticated.
func (o *Opening) Principal() string { return o.principal }

// RemoteAddr returns the address of the client, or nil if it has none.
func (o *Opening) RemoteAddr() net.Addr { return o.transport.RemoteAddr() }

// Format returns the encoding of the client.
func (o *Opening) Format() wire.Format { return o.form }

// deny answers a request with refused credentials. The client may try once more.
func (o *Opening) deny(id []byte, e *fault.Error) error {
	if o.denied++; o.denied > 2 {
		return e
	}
	return o.write(o.form.AppendError(nil, id, &wire.Error{Code: e.Code, Message: e.Message, Retry: e.RetryMillis()}, nil))
}

// refuse answers an rpc.resume for a session that is lost to the client.
func (o *Opening) refuse(id []byte, why error) error {
	o.refused = true
	return o.write(o.form.AppendError(nil, id, &wire.Error{Code: fault.SessionLost, Message: why.Error()}, nil))
}

// write sends a message in a frame of its own.
func (o *Opening) write(msg []byte) error {
	if err := o.transport.WriteFrame(o.form.AppendToFrame(nil, msg, true)); err != nil {
		return err
	}
	return o.flush()
}

// Kick flushes on another goroutine what the transport has queued: a pong or a close
// frame.
func (o *Opening) Kick() { go o.flush() }

// flush flushes the transport, unless a session is about to take it.
func (o *Opening) flush() error {
	o.flushing <- struct{}{}
	defer func() { <-o.flushing }()
	o.mu.Lock()
	held := o.transportTaken
	o.mu.Unlock()
	if held {
		return nil
	}
	_, err := o.transport.Flush(true)
	return err
}

// Heard implements transport.Owner. An opening sends no pings, so that it has nothing to
// record.
func (o *Opening) Heard() {}

// newSession returns a session of the mode. byToken is true if hello had a token.
func (o *Opening) newSession(m Mode, byToken bool) *Session {
	s := New(o.values, o.Settings, o.form, o.transport, m, nil)
	s.queue.single = s.queue.single || o.framed
	s.reader.stays = o.framed // ServeConn returns with its connection
	s.Principal = o.principal
	s.credentials.accept(o.base, o.values, byToken, o.transport)
	return s
}

// takeTransport prevents other goroutines from closing the transport, which a session or
// a pipe is about to take, and waits for a flush that has begun. It returns the reason if
// the opening has ended. An End from here on ends the session, or the pipe.
func (o *Opening) takeTransport() error {
	o.mu.Lock()
	cause := o.cause
	if cause == nil {
		o.transportTaken = true
		o.timer.Stop()
	}
	o.mu.Unlock()
	if cause == nil {
		o.flushing <- struct{}{}
		<-o.flushing
	}
	return cause
}

// returnTransport undoes takeTransport, since no session has taken the transport.
func (o *Opening) returnTransport() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.transportTaken = false
	if o.cause != nil {
		go o.shut()
	} else if o.draining {
		o.timer.Reset(idleGrace)
	} else {
		o.timer.Reset(o.Limits.HandshakeTimeout)
	}
}
