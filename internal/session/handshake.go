package session

import (
	"context"
	"fmt"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A handshake is the client's side of rpc.hello or rpc.resume, before there is a reader.
type handshake struct {
	*Settings
	form
	transport transport.Transport
}

func (s *Session) handshake(t transport.Transport) handshake {
	return handshake{s.Settings, s.form, t}
}

// withCredentials makes a handshake request with the client's token. If the server
// rejects the token, it makes the request once more, with a new one.
func (hs handshake) withCredentials(ctx context.Context, request func(token string) error) error {
	if hs.Token == nil {
		return request("")
	}
	err := hs.withToken(ctx, request)
	if e, ok := err.(*fault.Error); ok && e.Code == fault.Unauthenticated {
		return hs.withToken(ctx, request)
	}
	return err
}

func (hs handshake) withToken(ctx context.Context, request func(token string) error) error {
	token, err := hs.Token(ctx)
	switch {
	case err != nil:
		return err
	case len(token) > MaxToken:
		return fmt.Errorf("a token of %d bytes: want %d at most", len(token), MaxToken)
	}
	return request(token)
}

// exchange makes a handshake request, which is alone in its frame, as is the answer. An
// error of type *fault.Error is the server's answer.
func (hs handshake) exchange(ctx context.Context, method string, params, result []member) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hs.Limits.HandshakeTimeout, ErrNoAnswer)
	defer cancel()
	defer context.AfterFunc(ctx, hs.transport.Close)()
	msg := hs.Format.AppendRequest(nil, &wire.Head{ID: hs.Format.AppendID(nil, 1), Method: method, Body: true})
	msg = appendMembers(hs.Format, msg, params)
	answer, err := hs.roundTripContext(ctx, hs.Format.AppendTail(msg))
	if err != nil {
		return err
	}
	if answer.Error != nil {
		return hs.receivedError(answer.Error)
	}
	if err := readMembers(hs.Format, answer.Result, result); err != nil {
		return &strangeAnswer{error: fmt.Errorf("%s: %w", method, err)}
	}
	return nil
}

// roundTripContext is roundTrip bounded by ctx, whose end closes the
// transport. It reads on another
// goroutine, since closing does not unblock every kind of Read, for example not that of
// standard input.
func (hs handshake) roundTripContext(ctx context.Context, msg []byte) (*wire.Message, error) {
	var answer *wire.Message
	var err error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		answer, err = hs.roundTrip(msg)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // the transport is closed, even if an answer has arrived
		return nil, context.Cause(ctx)
	}
	return answer, err
}

// roundTrip writes msg and reads the answer. A server may send nothing else before it.
func (hs handshake) roundTrip(msg []byte) (*wire.Message, error) {
	if err := hs.transport.WriteFrame(hs.Format.AppendToFrame(nil, msg, true)); err != nil {
		return nil, err
	}
	if _, err := hs.transport.Flush(true); err != nil {
		return nil, err
	}
	frame, err := readFrame(hs.transport, true)
	if err != nil {
		return nil, err
	}
	m, err := hs.onlyMessage(frame)
	switch invalid, ok := err.(*wire.Fault); {
	case ok && hs.Format == wire.JSON:
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
func (hs handshake) onlyMessage(frame []byte) (*wire.Message, error) {
	m := &wire.Message{}
	if hs.Format == wire.JSON {
		return m, hs.Format.Decode(frame, m)
	}
	n := 0
	for msg, err := range hs.Format.Split(frame) {
		if err == nil {
			err = hs.Format.Decode(msg, m)
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

// A strangeAnswer is an answer in JSON that no wirecall server sends to a handshake
// request.
type strangeAnswer struct {
	error
	frame []byte // its frame, if that may hold requests and notifications
}

// A Redirect is the error of a handshake whose server has named another one that the
// client is to dial in its place.
type Redirect struct{ At string }

func (r *Redirect) Error() string { return "the server redirects to another" }

// CloseFailed closes the transport of a handshake that has failed with err: after a
// redirect with CloseCut, on another goroutine, and otherwise at once.
func CloseFailed(t transport.Transport, err error) {
	if _, ok := err.(*Redirect); !ok {
		t.Close()
		return
	}
	e := newPipeEnd(t, wire.JSON, false)
	t.Bind(e)
	go e.shut(transport.CloseCut, "")
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
