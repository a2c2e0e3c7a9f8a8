package rpc

import (
	"context"
	"net"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
)

// ConnFromContext returns the connection that the call of a handler's context came
// over: what Peer returns, and false in a POST and outside of handlers.
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

// RemoteAddr returns the address of the other end of the latest socket: that of a
// proxy, if there is one. It is nil for byte streams that have none.
func (c *Conn) RemoteAddr() net.Addr { return c.session.Load().Transport().RemoteAddr() }

// Codec returns what values are encoded with.
func (c *Conn) Codec() codec.Codec { return codecOf(c.session.Load()) }

// Plain reports whether the peer speaks JSON-RPC 2.0 and nothing else: there are no
// streams but subscriptions, and a server cannot call such a client.
func (c *Conn) Plain() bool { return c.session.Load().Mode != session.ModeWirecall }

// Stats are what a connection holds at one moment. Numbers that only grow are an
// Observer's to count.
type Stats struct {
	CallsMade     int // calls of this side that have no answer
	CallsServed   int // calls and notifications of the peer that run or wait to
	StreamsSent   int // streams that this side produces
	StreamsTaken  int // streams that the peer produces
	QueuedBytes   int // to be written: see Limits.SendQueueBytes
	BufferedBytes int // received for the application: see Limits.BufferedBytes
	ReplayBytes   int // sent and not acknowledged: see Limits.ReplayBytes
}

// Stats returns what the connection holds now, in sessions whose server shuts down
// as well.
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
