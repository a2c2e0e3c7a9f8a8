package session

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// floorMessage is the size of message that every peer takes before hello has
// told of more.
const MinMessage = 64 << 10

// maxCalls is how many calls of ours may be unanswered, whatever the peer says
// that it takes: those that nobody waits for any more are remembered until it has
// answered them, which it may never do.
const maxCalls = 16 << 10

// hello is what both sides tell each other first. Its numbers go to 2^53-1 on
// every processor.
type hello struct {
	Version int64
	Calls   int64
	Streams int64
	Message int64

	// Notes is how many notifications this side takes before it grants more, and
	// NoteBytes how many bytes of them. What is left out is flow.InitialItems and
	// flow.InitialBytes.
	Notes     int64
	NoteBytes int64

	// Replay is how many bytes this side keeps to resume the session; 0 or
	// nothing is a side that does not. Where both do, the server's answer has
	// the session's token, and for how many milliseconds it can be cut off.
	Replay  int64
	Session string
	Window  int64

	// Auth is the client's credentials, and nothing where it has none.
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

// check reports what is wrong with what the peer says.
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

// notifications is how many the peer takes, and how many bytes of them.
func (h hello) notifications() (items, bytes int64) {
	return cmp.Or(h.Notes, flow.InitialItems), cmp.Or(h.NoteBytes, flow.InitialBytes)
}

// meet takes over the peer's limits, which are checked.
func (s *Session) applyHello(h hello) {
	s.peerMessageLimit.Store(int64(clampToInt(h.Message)))
	items, bytes := h.notifications()
	s.queue.limitNotifications(clampToInt(items), clampToInt(bytes))
	s.update(func(st *sessionState) {
		st.callLimit.setLimit(int(min(h.Calls, maxCalls)), len(st.calls))
		st.peerStreams = clampToInt(h.Streams)
	})
}

// fitting is a number of the peer's, or the largest int where that is less.
func clampToInt(n int64) int { return int(min(n, math.MaxInt)) }

// sayHello is the client's: it sends hello and waits for the answer, before
// there is a reader. A server that answers with JSON which is neither a hello nor one
// of wirecall's refusals does not know wirecall, though it may have echoed the
// subprotocol: it is spoken to in plain mode.
func (s *Session) sendHello(ctx context.Context) error {
	s.state.nextID = 1
	own, h := s.hello(), hello{}
	err := s.withCredentials(ctx, func(token string) error {
		own.Auth = token
		return s.exchange(ctx, s.transport, methodHello, own.members(), h.members())
	})
	if s.Format == wire.JSON && h.Version == 0 && knowsNoHello(err) {
		s.switchToPlain()
		if strange, ok := err.(*strangeAnswer); ok {
			s.early = strange.frame
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

// milliseconds is a time that the peer has told.
func Milliseconds(n int64) time.Duration {
	return time.Duration(min(n, wire.MaxTimeout)) * time.Millisecond
}

// A strangeAnswer is JSON that is not the answer of a wirecall server to a request that
// a connection begins with.
type strangeAnswer struct {
	error
	frame []byte // what it came in, if it may hold requests and notifications
}

// knowsNoHello reports whether a hello without a version in its answer, or err in the
// place of an answer, is that of a server which does not know wirecall.
func knowsNoHello(err error) bool {
	switch e := err.(type) {
	case nil, *strangeAnswer:
		return true
	case *fault.Error:
		return !refusesHello(e)
	}
	return false
}

// refusesHello reports whether an error is how a wirecall server refuses a client.
func refusesHello(e *fault.Error) bool {
	switch e.Code {
	case fault.LimitReached, fault.Unavailable, fault.Unauthenticated, fault.PermissionDenied:
		return true
	}
	return false
}

// speakPlain has the session speak JSON-RPC 2.0 and nothing else, before it has
// sent anything but hello.
func (s *Session) switchToPlain() {
	s.Mode = ModePlain
	s.queue.single = true
	s.peerMessageLimit.Store(math.MaxInt32)
	if ws, ok := s.transport.(*transport.WebSocket); ok {
		ws.Plain()
	}
}

// exchange makes one of the requests that a connection begins with, alone in
// its frame as its answer is. An *Error is the server's answer.
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

// ask sends msg and returns what the server answers, or fails when ctx ends. The
// end of ctx closes t, but not every stream's Read returns because of that (standard
// input's does not), so that a goroutine of its own reads.
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
	if ctx.Err() != nil { // then t is closed, even if an answer has come
		return nil, context.Cause(ctx)
	}
	return answer, err
}

// converse writes msg and reads one frame. Before the first answer there is nothing
// else that a server may send.
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

// notAnAnswer returns the error for a frame that is invalid as an answer.
func notAnAnswer(invalid *wire.Fault, m *wire.Message, frame []byte) error {
	switch {
	case isBatch(frame) && wire.JSON.Check(frame, wire.MaxDepth+1) == nil:
		return &strangeAnswer{error: errNotAnAnswer, frame: frame}
	case invalid.Code == fault.Parse:
		return fmt.Errorf("the server's first frame is not JSON: %q", Brief(frame))
	}
	return &strangeAnswer{error: invalid}
}

// onlyMessage decodes the only message of a frame. In JSON that is all of the frame: a server
// that does not know wirecall may have line feeds in it and around it.
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
