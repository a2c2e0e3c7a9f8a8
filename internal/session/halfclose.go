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
const halfOpen = 30 * time.Second

var errHalfClosed = &fault.Error{Code: fault.Canceled, Message: "canceled: the client has closed its side of the connection"}

// halfClosed reports whether reading ended with err because a plain client sends
// nothing more.
func (c *Session) halfClosed(t transport.Transport, err error) bool {
	_, lines := t.(*transport.Lines)
	return lines && err == io.EOF && c.Mode == ModePlain && !c.Client
}

// serveRest returns when what was received has been served and answered, a write has
// failed or halfOpen is over; the session has ended then. Subscriptions, which could
// go on for ever, end first. The reader calls it.
func (c *Session) serveRest(t transport.Transport) {
	c.unsubscribed.Store(true)
	for _, s := range c.out.produced() {
		s.stop(errHalfClosed)
	}
	idle := make(chan struct{})
	c.update(func(s *connState) { s.whenIdle = idle })
	late := time.NewTimer(halfOpen)
	defer late.Stop()
	select {
	case <-idle:
		select {
		case <-c.out.drained():
		case <-c.Ctx.Done():
		case <-late.C:
		}
	case <-c.Ctx.Done():
	case <-late.C:
	}
	c.gone(t, io.EOF)
}
