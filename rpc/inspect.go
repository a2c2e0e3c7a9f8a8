package rpc

import (
	"context"
	"net"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
)

// ConnFromContext returns the connection that the call of a handler's context came
// over, which is what Peer returns. It returns false in a POST and outside handlers.
func ConnFromContext(ctx context.Context) (*Conn, bool) {
	s := session.FromContext(ctx)
	if s == nil {
		return nil, false
	}
	if _, none := s.Transport().(session.NoTransport); none {
		return nil, false
	}
	return connOf(s), true
}

// RemoteAddr returns the address of the other end of the latest socket, which may be
// that of a proxy. It is nil for byte streams without an address.
func (c *Conn) RemoteAddr() net.Addr { return c.session.Load().Transport().RemoteAddr() }

// Codec returns the codec that encodes values on this connection.
func (c *Conn) Codec() codec.Codec { return codecOf(c.session.Load()) }

// Plain reports whether the peer speaks plain JSON-RPC 2.0. Then the only streams are
// subscriptions, and a server cannot call its client.
func (c *Conn) Plain() bool { return c.session.Load().Mode != session.ModeWirecall }

// Stats are what a connection holds at one moment. Use an Observer to count totals.
type Stats struct {
	CallsMade     int // calls of this side that have not been answered
	CallsServed   int // calls and notifications of the peer that run or wait to run
	StreamsSent   int // streams that this side produces
	StreamsTaken  int // streams that the peer produces
	QueuedBytes   int // waiting to be written: see Limits.SendQueueBytes
	BufferedBytes int // received and waiting for the application: see Limits.BufferedBytes
	ReplayBytes   int // sent and not yet acknowledged: see Limits.ReplayBytes
}

// Stats returns what the connection holds now, including sessions whose server is
// shutting down.
func (c *Conn) Stats() (st Stats) {
	for _, s := range c.lifetime.sessions() {
		st.add(s.Stats())
	}
	return st
}

func (st *Stats) add(s session.Stats) {
	st.CallsMade += s.CallsMade
	st.CallsServed += s.CallsServed
	st.StreamsSent += s.StreamsSent
	st.StreamsTaken += s.StreamsTaken
	st.QueuedBytes += s.QueuedBytes
	st.BufferedBytes += s.BufferedBytes
	st.ReplayBytes += s.ReplayBytes
}
