package rpclog

import (
	"log/slog"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// An observer logs what its functions are called with.
type observer struct {
	log *slog.Logger

	mu    sync.Mutex
	count int // of connections so far
	open  map[*rpc.Conn]*connection
}

// A connection is what is kept of one that has not ended.
type connection struct {
	number   int
	sessions int       // that have begun and not ended
	last     rpc.State // that state was called with; a session begins connected
	cut      time.Time // when the socket was lost
}

// entry returns what is kept of a connection. The mutex is held.
func (o *observer) entry(conn *rpc.Conn) *connection {
	c := o.open[conn]
	if c == nil {
		o.count++
		c = &connection{number: o.count, last: rpc.State{Phase: rpc.Connected}}
		o.open[conn] = c
	}
	return c
}

// begin counts a session, and returns the attributes of its records.
func (o *observer) begin(conn *rpc.Conn) []any {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.entry(conn)
	c.sessions++
	return []any{"conn", c.number, "session", conn.State().Session, "peer", conn.RemoteAddr()}
}

// end counts a session that has ended.
func (o *observer) end(conn *rpc.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.entry(conn)
	if c.sessions--; c.sessions == 0 && conn.Err() != nil {
		delete(o.open, conn)
	}
}

// known returns the attributes of a connection. A call may be refused, and end, when
// its connection has ended.
func (o *observer) known(conn *rpc.Conn) []slog.Attr {
	o.mu.Lock()
	defer o.mu.Unlock()
	peer := slog.Any("peer", conn.RemoteAddr())
	if c := o.open[conn]; c != nil {
		return []slog.Attr{slog.Int("conn", c.number), peer}
	}
	return []slog.Attr{peer}
}

// state implements rpc.Observer.State.
func (o *observer) state(conn *rpc.Conn, st rpc.State) {
	last, number, cut := o.move(conn, st)
	log := o.log.With("conn", number, "session", st.Session, "peer", conn.RemoteAddr())
	switch {
	case st.Phase == rpc.Detached && last.Phase != rpc.Detached:
		log.Info("socket lost", why(st.Cause), "resumable", st.Resumable)
	case st.Phase == rpc.Connected && last.Phase == rpc.Detached && st.Session == max(last.Session, 1):
		log.Info("session resumed", "cut", cut)
	case st.Phase == rpc.Refused:
		log.Error("credentials refused", why(st.Cause))
	case st.Phase == rpc.Closed && (last.Phase == rpc.Connecting || last.Phase == rpc.Refused):
		log.Info("connection closed", why(st.Cause))
	case st.Phase == last.Phase && !last.Retry.IsZero() && !st.Retry.Equal(last.Retry): // another attempt is scheduled
		log.Warn("cannot connect", why(st.Cause), "retry", time.Until(st.Retry))
	}
}

// move records a state, and returns the last one, the number of the connection, and how
// long it had no socket.
func (o *observer) move(conn *rpc.Conn, st rpc.State) (last rpc.State, number int, cut time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.entry(conn)
	last = c.last
	c.last = st
	if st.Phase == rpc.Detached && last.Phase != rpc.Detached {
		c.cut = time.Now()
	}
	if st.Phase == rpc.Closed && c.sessions == 0 {
		delete(o.open, conn)
	}
	return last, c.number, time.Since(c.cut)
}
