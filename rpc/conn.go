package rpc

import (
	"context"
	"sync/atomic"
)

// A Conn is a connection to a peer. It is a Caller, and serves the calls that
// the peer makes to the services it was given. Its methods may be used by any
// number of goroutines at once.
type Conn struct {
	session atomic.Pointer[session]
	invoke  Handler // roundTrip, and the interceptors around it
}

// Call makes a call; see Caller. A connection that a Server holds to a plain
// JSON-RPC client cannot: its calls fail with CodeNeedsWirecall.
//
// Where the peer serves no more calls at once, Call waits under ctx for one to
// end; in a handler that serves this very peer it fails at once instead, or two
// peers could wait for each other for ever.
func (c *Conn) Call(ctx context.Context, call *Call) error {
	err := c.invoke(ctx, call)
	if err != nil {
		failStreams(call.Result, err)
	}
	return err
}

// roundTrip makes a call: what interceptors are wrapped around.
func (c *Conn) roundTrip(ctx context.Context, call *Call) error {
	return c.session.Load().roundTrip(ctx, call)
}

// Close ends the connection: what is in flight fails with ErrClosed as its
// cause, the contexts of its handlers end, and what had been sent is given a
// second to leave. It may be called from anywhere and any number of times.
func (c *Conn) Close() error {
	s := c.session.Load()
	s.fail(ErrClosed, closeNormal)
	s.awaitTorn()
	return nil
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.session.Load().ctx.Done() }

// Err returns why the connection has ended, nil before.
func (c *Conn) Err() error { return context.Cause(c.session.Load().ctx) }
