package session

import (
	"io"
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// goodbye implements owner. The client has no session for which it would reconnect.
func (o *Opening) goodbye(transport.CloseCode, string) []byte { return nil }

// AwaitReader waits until Run has returned, for 2*CloseGrace at most.
func (o *Opening) AwaitReader() {
	t := time.NewTimer(2 * CloseGrace)
	defer t.Stop()
	select {
	case <-o.Done:
	case <-t.C:
	}
}

// End closes the transport, unless the opening has ended. While the transport is taken
// the reader closes it instead, by ending the session if there is one by then. If the
// session is at another node it continues: its client resumes it elsewhere.
func (o *Opening) End(cause error, code transport.CloseCode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cause != nil {
		return
	}
	o.cause, o.code = cause, code
	if !o.transportTaken {
		go o.shut()
	}
	o.leaveNode()
}

// late ends an opening whose client has sent no valid request in time.
func (o *Opening) late() {
	o.mu.Lock()
	draining := o.draining
	o.mu.Unlock()
	if draining {
		o.End(ErrDrained, transport.CloseShutdown)
	} else {
		o.End(errHandshake, transport.CloseTimeout)
	}
}

// shut performs the closing handshake and closes the transport.
func (o *Opening) shut() {
	grace := time.AfterFunc(CloseGrace, o.transport.Close)
	defer grace.Stop()
	closeTransport(o.transport, o, o.code, o.cause.Error())
	o.logEnd(o.cause)
}

// abandon closes a transport whose client is gone. The answer of the WebSocket library
// to a close frame is still written.
func (o *Opening) abandon(why error) {
	grace := time.AfterFunc(CloseGrace, o.transport.Close)
	defer grace.Stop()
	if err := o.flush(); err == nil && why == io.EOF && o.transport.CloseWrite() {
		o.transport.Discard()
	}
	o.transport.Close()
	o.logEnd(why)
}

func (o *Opening) logEnd(why error) {
	o.Settings.Log.LogAttrs(o.ctx, slog.LevelDebug, "connection ended", slog.Any("cause", BriefError(why)))
}

// Drain bounds the time for the first frame, since the server shuts down. The server
// drains a session that begins meanwhile. A client whose session is at another node has
// to resume it elsewhere.
func (o *Opening) Drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.draining = true
	if !o.transportTaken && o.cause == nil {
		o.timer.Reset(idleGrace)
	}
	o.leaveNode()
}
