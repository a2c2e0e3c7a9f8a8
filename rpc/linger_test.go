package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// lingering is a server that has received so many notifications of a peer which has
// closed, the first of which runs.
func lingering(t *testing.T, many int) (*breaking, *ledger) {
	l := &ledger{goOn: make(chan struct{})}
	b := breakable(t, "tcp", &rpc.ServerOptions{}, &rpc.DialOptions{Reconnect: rpc.Reconnect{Disabled: true}}, l.service())
	for i := range many {
		if err := note(t.Context(), b.Conn, i+1); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	b.Conn.Close()
	synctest.Wait()
	return b, l
}

// Shutdown waits for the notifications of peers that have closed already.
func TestShutdownBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := lingering(t, 5)
		done := make(chan error, 1)
		go func() { done <- b.srv.Load().Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the server has shut down: %v", err)
		default:
		}
		close(l.goOn)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := l.written(); !slices.Equal(got, oneTo(5)) {
			t.Errorf("%v", got)
		}
	})
}

// Shutdown does not wait for them when its context has ended, and drops them.
func TestShutdownInTimeBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := lingering(t, 5)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := b.srv.Load().Shutdown(ctx)
		const want = "rpc: Shutdown: context deadline exceeded; not finished: 1 connection, 5 notifications (Ledger.Note: 5)"
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		synctest.Wait()
		close(l.goOn)
		if got := l.written(); len(got) > 0 {
			t.Errorf("%v", got)
		}
	})
}

// Close drops them.
func TestCloseBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := lingering(t, 5)
		b.srv.Load().Close()
		synctest.Wait()
		close(l.goOn)
		if got := l.written(); len(got) > 0 {
			t.Errorf("%v", got)
		}
	})
}

// ServeConn returns when the notifications are handled that came before the end: a
// program that serves its standard input may exit then.
func TestServeConnBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{goOn: make(chan struct{})}
		p := greetedLineClient(t, server(nil, l.service()))
		for range 5 {
			p.send(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[1]}`)
		}
		p.conn.Close()
		synctest.Wait()
		select {
		case err := <-p.ended:
			t.Fatalf("ServeConn has returned: %v", err)
		default:
		}
		close(l.goOn)
		if err := <-p.ended; err != io.EOF {
			t.Error(err)
		}
		if got := l.written(); len(got) != 5 {
			t.Errorf("%v", got)
		}
	})
}

// A peer that is silent for too long has not closed, but what it sent is handled all
// the same.
func TestNotificationsOfASilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{goOn: make(chan struct{})}
		p := greetedLineClient(t, server(&rpc.ServerOptions{Limits: rpc.Limits{IdleTimeout: 3 * time.Second}}, l.service()))
		for range 5 {
			p.send(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[1]}`)
		}
		for line := range p.lines { // until it is cut
			if !strings.Contains(line, "$/ping") && !strings.Contains(line, "$/close") {
				t.Error(line)
			}
		}
		close(l.goOn)
		<-p.ended
		if got := l.written(); len(got) != 5 {
			t.Errorf("%v", got)
		}
	})
}

// A halfBroken is a connection whose peer takes nothing any more, as one that has
// closed, while what it sent before is still there to be read.
type halfBroken struct {
	net.Conn
	failed chan struct{} // closed by the first write that fails
}

func (h *halfBroken) Write(b []byte) (int, error) {
	if !bytes.Contains(b, []byte("$/pong")) {
		return h.Conn.Write(b)
	}
	close(h.failed)
	return 0, io.ErrClosedPipe
}

// What was received before a write failed is not all that the peer had sent by then:
// the rest is read, and handled.
func TestNotificationsBehindAFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		near, far := net.Pipe()
		h := &halfBroken{far, make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- server(nil, l.service()).ServeConn(t.Context(), h) }()
		p := newLinePeer(t, near)
		p.greet()
		for i := range 5 {
			p.send(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[%d]}`, i+1)
		}
		p.send(`{"jsonrpc":"2.0","method":"$/ping","params":[1]}`)
		<-h.failed
		synctest.Wait()
		for i := range 5 {
			p.send(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[%d]}`, i+6)
		}
		near.Close()
		if err := <-done; err == nil {
			t.Error("no reason")
		}
		if got := l.written(); !slices.Equal(got, oneTo(10)) {
			t.Errorf("%v", got)
		}
	})
}

// A peer to which nothing can be written, and which does not close, is cut off.
func TestFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		h := &halfBroken{far, make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- server(nil).ServeConn(t.Context(), h) }()
		p := newLinePeer(t, near)
		p.greet()
		p.send(`{"jsonrpc":"2.0","method":"$/ping","params":[1]}`)
		begun := time.Now()
		if err := <-done; err != io.ErrClosedPipe || time.Since(begun) > time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// A closer is a connection of which it is known how it was closed.
type closer struct {
	net.Conn
	quiet  atomic.Bool // CloseWrite has been called, and the peer has not closed
	reset  atomic.Bool // it was closed in between
	hungUp chan struct{}
}

func (c *closer) CloseWrite() error {
	c.quiet.Store(true)
	close(c.hungUp)
	return nil
}

func (c *closer) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.quiet.Store(false)
	}
	return n, err
}

func (c *closer) Close() error {
	c.reset.Store(c.reset.Load() || c.quiet.Load())
	return c.Conn.Close()
}

// To close a socket while something in it is unread resets it, and what was sent last
// is lost, a grant being enough: Close lets the peer close first.
func TestCloseResetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &closer{Conn: near, hungUp: make(chan struct{})}
		p := newLinePeer(t, far)
		go func() {
			p.receive("rpc.hello")
			p.send(`{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1,"streams":1,"message":65536}}`)
			p.receive("Ledger.Note")
			<-c.hungUp
			p.send(`{"jsonrpc":"2.0","method":"$/credit","params":[0,1,64,65536]}`)
			far.Close()
		}()
		conn, err := rpc.NewConn(t.Context(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := note(t.Context(), conn, 1); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		synctest.Wait()
		if c.reset.Load() {
			t.Error("the socket was closed before the peer had")
		}
	})
}
