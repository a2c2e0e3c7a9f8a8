package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

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

	// Redirect is true if the client dials another server if the answer says so. Then the
	// answer has At, the URL of that server, and nothing else.
	Redirect bool
	At       string

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
		{name: "redirect", flag: &h.Redirect, optional: true},
		{name: "at", text: &h.At, optional: true},
		{name: "auth", text: &h.Auth, optional: true},
	}
}

// hello returns the hello of this side.
func (s *Settings) hello() hello {
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
	s.queue.applyHello(clampToInt(h.Streams), clampToInt(items), clampToInt(bytes))
	s.outgoing.accept(h.Calls)
}

// clampToInt returns n, or the largest int if n exceeds it.
func clampToInt(n int64) int { return int(min(n, math.MaxInt)) }

// Open performs the handshake of a dialed session. If it succeeds, Start must follow. If
// redirect is true the error may be a *Redirect.
func (s *Session) Open(ctx context.Context, redirect bool) error {
	s.Client = true
	if s.Mode != ModePlain {
		if err := s.sendHello(ctx, redirect); err != nil {
			s.End(err)
			CloseFailed(s.transport, err)
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
func (s *Session) sendHello(ctx context.Context, redirect bool) error {
	s.outgoing.lastID = 1
	own, h := s.hello(), hello{}
	own.Redirect = redirect
	hs := s.handshake(s.transport)
	err := hs.withCredentials(ctx, func(token string) error {
		own.Auth = token
		return hs.exchange(ctx, methodHello, own.members(), h.members())
	})
	if err == nil && redirect && h.At != "" {
		return &Redirect{h.At}
	}
	if s.Format == wire.JSON && h.Version == 0 && knowsNoHello(err) {
		s.switchToPlain()
		if strange, ok := err.(*strangeAnswer); ok {
			s.reader.early = strange.frame
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

// switchToPlain switches the session to plain mode, before it has sent anything but
// hello.
func (s *Session) switchToPlain() {
	s.Mode, s.extended, s.dialect = ModePlain, false, newPlain(s)
	s.queue.single = true
	s.peerMessageLimit.Store(math.MaxInt32)
	if ws, ok := s.transport.(*transport.WebSocket); ok {
		ws.Plain()
	}
}
