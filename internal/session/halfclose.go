package session

import (
	"io"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
)

// A plain client that serves nothing may close its sending side after its requests, as a
// pipe and nc -N do, and still read the answers. In wirecall mode, and over a WebSocket,
// which has a closing handshake, the end of the stream ends the session.

// halfCloseTimeout bounds how long requests are served after a half-close. A client that
// has disappeared looks the same until something is written to it.
const halfCloseTimeout = 30 * time.Second

var errHalfClosed = &fault.Error{Code: fault.Canceled, Message: "canceled: the client has closed its side of the connection"}

// halfClosed reports whether err, which ended the reading, is the half-close of a plain
// client.
func (s *Session) halfClosed(t transport.Transport, err error) bool {
	_, lines := t.(*transport.Lines)
	return lines && err == io.EOF && s.Mode == ModePlain && !s.Client
}

// serveRest serves and answers what has been received, and then ends the session; it
// also ends it when a write fails or after halfCloseTimeout. It first stops
// subscriptions, which may be endless. The reader calls it.
func (s *Session) serveRest(t transport.Transport) {
	s.halfClosing.Store(true)
	for _, ss := range s.queue.openStreams() {
		ss.stop(errHalfClosed)
	}
	idle := make(chan struct{})
	s.update(func(st *sessionState) { st.whenIdle = idle })
	late := time.NewTimer(halfCloseTimeout)
	defer late.Stop()
	select {
	case <-idle:
		select {
		case <-s.queue.awaitFlushed():
		case <-s.Ctx.Done():
		case <-late.C:
		}
	case <-s.Ctx.Done():
	case <-late.C:
	}
	s.peerGone(t, io.EOF)
}
