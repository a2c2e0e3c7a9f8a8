package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

var (
	ErrNoAnswer    = errors.New("the server does not answer rpc.hello: is it a wirecall server, and does a proxy hold its answer back?")
	errNotAnAnswer = errors.New("the server's first frame is not an answer")
	errEcho        = errors.New("the server echoes what it receives")
)

// MinMessage is the size of the largest message that every peer must accept, and the
// limit until hello states a higher one.
const MinMessage = 64 << 10

// maxCalls bounds the unanswered calls to a peer, whatever limit the peer states, since
// abandoned calls are remembered until the peer has answered them.
const maxCalls = 16 << 10

// hello is the first message in both directions. Its numbers are at most 2^53-1 on every
// processor.
type hello struct {
	Version int64
	Calls   int64
	Streams int64
	Message int64

	// Notes is how many notifications this side accepts before it grants more, and
	// NoteBytes how many bytes of them. If absent, they are flow.InitialItems and
	// flow.InitialBytes.
	Notes     int64
	NoteBytes int64

	// Replay is how many bytes this side keeps to resume the session; 0 or absent if it
	// does not. If both sides do, the server's answer has the session's token and the
	// resumption window in milliseconds.
	Replay  int64
	Session string
	Window  int64

	// Auth is the client's token; absent if it has none.
	Auth string
}

func (h *hello) members() []member {
	return []member{
		{name: "v", number: &h.Version},
		{name: "calls", number: &h.Calls},
		{name: "streams", number: &h.Streams},
		{name: "message", number: &h.Message},
		{name: "notes", number: &h.Notes, optional: true},
		{name: "noteBytes", number: &h.NoteBytes, optional: true},
		{name: "replay", number: &h.Replay, optional: true},
		{name: "session", text: &h.Session, optional: true},
		{name: "window", number: &h.Window, optional: true},
		{name: "auth", text: &h.Auth, optional: true},
	}
}

func (s *Session) hello() hello {
	notes, bytes := s.Limits.notifications()
	return hello{Version: 1, Calls: int64(s.Limits.Calls), Streams: int64(s.Limits.Streams), Message: int64(s.Limits.MessageBytes),
		Notes: int64(notes), NoteBytes: int64(bytes), Replay: int64(s.ReplayBytes)}
}

// check returns an error if the peer's hello violates the protocol.
func (h hello) check() error {
	notes, noteBytes := h.notifications()
	switch {
	case h.Version != 1 || h.Message < MinMessage:
		return fmt.Errorf("hello {Version:%d Message:%d}: want version 1, and a message of %d at least", h.Version, h.Message, MinMessage)
	case notes < flow.InitialItems || noteBytes < flow.InitialBytes:
		return fmt.Errorf("hello {Notes:%d NoteBytes:%d}: want %d and %d at least", h.Notes, h.NoteBytes, flow.InitialItems, flow.InitialBytes)
	}
	for _, n := range []int64{h.Calls, h.Streams, h.Message, notes, noteBytes, h.Replay, h.Window} {
		if n < 0 || n > wire.MaxInteger {
			return fmt.Errorf("hello: %d is not from 0 to 2^53-1", n)
		}
	}
	if len(h.Auth) > MaxToken {
		return fmt.Errorf("hello: a token of %d bytes: want %d at most", len(h.Auth), MaxToken)
	}
	return nil
}

// notifications returns how many notifications the peer accepts, and how many bytes of
// them.
func (h hello) notifications() (items, bytes int64) {
	return cmp.Or(h.Notes, flow.InitialItems), cmp.Or(h.NoteBytes, flow.InitialBytes)
}

// applyHello applies the limits of the peer's hello, which has been checked.
func (s *Session) applyHello(h hello) {
	s.peerMessageLimit.Store(int64(clampToInt(h.Message)))
	items, bytes := h.notifications()
	s.queue.limitNotifications(clampToInt(items), clampToInt(bytes))
	s.outgoing.accept(h.Calls)
	s.queue.acceptStreams(clampToInt(h.Streams))
}

// clampToInt returns n, or the largest int if n exceeds it.
func clampToInt(n int64) int { return int(min(n, math.MaxInt)) }

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

// sendHello is the client's handshake: it sends hello and waits for the answer, before
// there is a reader. If the answer is JSON but neither a hello nor a refusal of
// wirecall's, the server does not speak wirecall, though it may have echoed the
// subprotocol, and the session continues in plain mode.
func (s *Session) sendHello(ctx context.Context) error {
	s.outgoing.lastID = 1
	own, h := s.hello(), hello{}
	err := s.withCredentials(ctx, func(token string) error {
		own.Auth = token
		return s.exchange(ctx, s.transport, methodHello, own.members(), h.members())
	})
	if s.Format == wire.JSON && h.Version == 0 && knowsNoHello(err) {
		s.switchToPlain()
		if strange, ok := err.(*strangeAnswer); ok {
			s.plain.early = strange.frame
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	s.Mode = ModeWirecall
	if h.Session != "" && h.Replay > 0 && h.Window > 0 && s.ReplayBytes > 0 {
		s.enableResumption(&resumption{token: h.Session, window: Milliseconds(h.Window)}, s.ReplayBytes, clampToInt(h.Replay), 0)
	}
	s.applyHello(h)
	return nil
}

// Milliseconds returns the duration of n milliseconds, at most wire.MaxTimeout of them.
func Milliseconds(n int64) time.Duration {
	return time.Duration(min(n, wire.MaxTimeout)) * time.Millisecond
}

// A strangeAnswer is an answer in JSON that no wirecall server sends to a handshake
// request.
type strangeAnswer struct {
	error
	frame []byte // its frame, if that may hold requests and notifications
}

// knowsNoHello reports whether err shows that the server does not speak wirecall: its
// answer to hello is no error of wirecall's, or has no version.
func knowsNoHello(err error) bool {
	switch e := err.(type) {
	case nil, *strangeAnswer:
		return true
	case *fault.Error:
		return !refusesHello(e)
	}
	return false
}

// refusesHello reports whether e is an error with which a wirecall server refuses a
// client. A parse error is one: what the server has read is not the hello that was
// sent, but a part of it, as over lines that were cut within it.
func refusesHello(e *fault.Error) bool {
	switch e.Code {
	case fault.Parse, fault.LimitReached, fault.Unavailable, fault.Unauthenticated, fault.PermissionDenied:
		return true
	}
	return false
}

// switchToPlain switches the session to plain mode, before it has sent anything but
// hello.
func (s *Session) switchToPlain() {
	s.Mode, s.plain = ModePlain, newPlain(s)
	s.queue.single = true
	s.peerMessageLimit.Store(math.MaxInt32)
	if ws, ok := s.transport.(*transport.WebSocket); ok {
		ws.Plain()
	}
}

// exchange makes a handshake request, which is alone in its frame, as is the answer. An
// error of type *fault.Error is the server's answer.
func (s *Session) exchange(ctx context.Context, t transport.Transport, method string, params, result []member) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limits.HandshakeTimeout, ErrNoAnswer)
	defer cancel()
	defer context.AfterFunc(ctx, t.Close)()
	msg := s.Format.AppendRequest(nil, &wire.Head{ID: s.Format.AppendID(nil, 1), Method: method, Body: true})
	msg = appendMembers(s.Format, msg, params)
	answer, err := s.roundTripContext(ctx, t, s.Format.AppendTail(msg))
	if err != nil {
		return err
	}
	if answer.Error != nil {
		return s.receivedError(answer.Error)
	}
	if err := readMembers(s.Format, answer.Result, result); err != nil {
		return &strangeAnswer{error: fmt.Errorf("%s: %w", method, err)}
	}
	return nil
}

// roundTripContext is roundTrip bounded by ctx, whose end closes t. It reads on another
// goroutine, since closing does not unblock every kind of Read, for example not that of
// standard input.
func (s *Session) roundTripContext(ctx context.Context, t transport.Transport, msg []byte) (*wire.Message, error) {
	var answer *wire.Message
	var err error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		answer, err = s.roundTrip(t, msg)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // t is closed, even if an answer has arrived
		return nil, context.Cause(ctx)
	}
	return answer, err
}

// roundTrip writes msg and reads the answer. A server may send nothing else before it.
func (s *Session) roundTrip(t transport.Transport, msg []byte) (*wire.Message, error) {
	if err := t.WriteFrame(s.Format.AppendToFrame(nil, msg, true)); err != nil {
		return nil, err
	}
	if _, err := t.Flush(true); err != nil {
		return nil, err
	}
	frame, err := readFrame(t, true)
	if err != nil {
		return nil, err
	}
	m, err := s.onlyMessage(frame)
	switch invalid, ok := err.(*wire.Fault); {
	case ok && s.Format == wire.JSON:
		return nil, notAnAnswer(invalid, m, frame)
	case err != nil:
		return nil, err
	case string(m.Method) == methodHello || string(m.Method) == methodResume:
		return nil, errEcho
	case m.Method != nil:
		return nil, &strangeAnswer{error: errNotAnAnswer, frame: frame}
	}
	return m, nil
}

// notAnAnswer returns the error for a frame that holds no valid answer.
func notAnAnswer(invalid *wire.Fault, m *wire.Message, frame []byte) error {
	switch {
	case isBatch(frame) && wire.JSON.Check(frame, wire.MaxDepth+1) == nil:
		return &strangeAnswer{error: errNotAnAnswer, frame: frame}
	case invalid.Code == fault.Parse:
		return fmt.Errorf("the server's first frame is not JSON: %q", Brief(frame))
	}
	return &strangeAnswer{error: invalid}
}

// onlyMessage decodes the only message of a frame. In JSON it is the whole frame, since
// a server that does not speak wirecall may put line feeds into it and around it.
func (s *Session) onlyMessage(frame []byte) (*wire.Message, error) {
	m := &wire.Message{}
	if s.Format == wire.JSON {
		return m, s.Format.Decode(frame, m)
	}
	n := 0
	for msg, err := range s.Format.Split(frame) {
		if err == nil {
			err = s.Format.Decode(msg, m)
		}
		if err != nil {
			return m, err
		}
		n++
	}
	if n != 1 {
		return m, errNotAnAnswer
	}
	return m, nil
}
