package session

import (
	"encoding/json"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// An owner is a transport.Owner that closes its transport.
type owner interface {
	transport.Owner

	// goodbye returns the message that has the place of a close frame on lines, nil
	// if the peer needs none.
	goodbye(code transport.CloseCode, reason string) []byte

	// awaitTorn waits, within bounds, until nobody reads from the transport.
	AwaitReader()
}

// closeTransport tells the peer why, and closes. What bounds it is the caller's.
func closeTransport(t transport.Transport, o owner, code transport.CloseCode, reason string) {
	if !t.CloseHandshake(code, reason) {
		closeLines(t, o, code, reason)
	}
	t.Close()
}

// closeLines is the closing handshake of lines. A goodbye is sent only if the peer would
// otherwise reconnect for its session. Unless it broke the protocol the peer is also
// given the time to close: what it has sent meanwhile would reset the socket, and what
// was written last would be lost.
func closeLines(t transport.Transport, o owner, code transport.CloseCode, reason string) {
	msg := o.goodbye(code, reason)
	if msg != nil {
		_ = t.WriteFrame(msg)
		t.Flush(true)
	}
	wait := msg != nil || code == transport.CloseNormal || code == transport.CloseShutdown
	if wait && t.CloseWrite() {
		o.AwaitReader()
		t.Discard()
	}
}

// goodbye implements owner.
func (s *Session) goodbye(code transport.CloseCode, reason string) []byte {
	if s.resumption.Load() == nil {
		return nil
	}
	msg := s.Format.AppendRequest(nil, &wire.Head{Method: methodClose, Body: true})
	return s.Format.AppendTail(append(msg, closeParams(code, reason)...))
}

func closeParams(code transport.CloseCode, reason string) []byte {
	b, _ := json.Marshal([]any{code, reason})
	return b
}

// peerCloses takes in the peer's goodbye.
func (s *Session) receiveClose(params []byte) error {
	var e transport.CloseError
	i := 0
	for raw := range s.Format.Array(params) {
		switch i++; i {
		case 1:
			code, _ := s.Format.Int(raw)
			e.Code = transport.CloseCode(code)
		case 2:
			e.Reason, _ = s.Format.String(raw)
		}
	}
	return e
}
