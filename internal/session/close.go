package session

import (
	"encoding/json"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// An owner is a transport.Owner that performs the closing handshake.
type owner interface {
	transport.Owner

	// goodbye returns the message that replaces a close frame on byte streams, nil if the peer
	// needs none.
	goodbye(code transport.CloseCode, reason string) []byte

	// AwaitReader waits, for a bounded time, until nothing reads from the transport.
	AwaitReader()
}

// closeTransport performs the closing handshake and closes t. The caller must bound its
// time.
func closeTransport(t transport.Transport, o owner, code transport.CloseCode, reason string) {
	if !t.CloseHandshake(code, reason) {
		closeFramed(t, o, code, reason)
	}
	t.Close()
}

// closeFramed is the closing handshake of byte streams. It sends a goodbye only if the peer
// would otherwise reconnect for its session. Unless the peer has violated the protocol,
// it then waits for the peer to close: closing with unread input would reset the socket,
// and the peer could lose what was written last.
func closeFramed(t transport.Transport, o owner, code transport.CloseCode, reason string) {
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
	return goodbyeMessage(s.Format, code, reason)
}

// goodbyeMessage returns the message that replaces a close frame on byte streams.
func goodbyeMessage(form wire.Format, code transport.CloseCode, reason string) []byte {
	msg := form.AppendRequest(nil, &wire.Head{Method: methodClose, Body: true})
	return form.AppendTail(append(msg, closeParams(code, reason)...))
}

func closeParams(code transport.CloseCode, reason string) []byte {
	b, _ := json.Marshal([]any{code, reason})
	return b
}
