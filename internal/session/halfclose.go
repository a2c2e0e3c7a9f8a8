package session

import (
	"io"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
)

// A plain client that serves nothing may close its sending side behind its requests,
// as a pipe and nc -N do, and still reads the answers. In wirecall mode, and over a
// WebSocket, which has a closing handshake, the end of the stream is the end.

// halfOpen is how long answers may take once a client sends nothing more. A client
// that is gone altogether looks the same until something is written to it.
const halfCloseTimeout = 30 * time.Second

var errHalfClosed = &fault.Error{Code: fault.Canceled, Message: "canceled: the client has closed its side of the connection"}

// halfClosed reports whether reading ended with err because a plain client sends
// nothing more.
func (s *Session) halfClosed(t transport.Transport, err error) bool {
	_, lines := t.(*transport.Lines)
	return lines && err == io.EOF && s.Mode == ModePlain && !s.Client
}

// serveRest returns when what was received has been served and answered, a write has
// failed or halfOpen is over; the session has ended then. Subscriptions, which could
// go on for ever, end first. The reader calls it.
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
