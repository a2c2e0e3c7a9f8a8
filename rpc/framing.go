package rpc

import (
	"io"

	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// A Framing is how messages are delimited on a pair of byte streams. A Server uses that
// of the client's first message.
type Framing int

const (
	// Lines has one message a line of JSON.
	Lines Framing = iota

	// ContentLength has a header part before each message, as the Language Server
	// Protocol 3.17 specifies it: "Content-Length: 97", and an empty line, each ended by
	// CR LF. It is at most 4 KiB; a Content-Type may follow, with UTF-8 as its charset.
	ContentLength
)

// transport returns f as package transport has it.
func (f Framing) transport() transport.Framing {
	if f == ContentLength {
		return transport.Headers
	}
	return transport.Lines
}

// overByteStreams returns the transport of a client over a pair of byte streams, and the
// mode in which its session begins.
func (o *ConnOptions) overByteStreams(rwc io.ReadWriteCloser, cfg *config) (transport.Transport, session.Mode) {
	t := transport.NewFramed(rwc, o.Framing.transport(), cfg.byteStreamOptions(nil))
	if o.Plain {
		return t, session.ModePlain
	}
	return t, session.ModeUnknown
}
