package rpc_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// lingering is a server that has received so many notifications of a peer which has
// closed, the first of which runs.
func lingering(t *testing.T, many int) (*breaking, *ledger) {
	l := &ledger{goOn: make(chan struct{})}
	b := breakable(t, "tcp", &rpc.ServerOptions{}, &rpc.DialOptions{Reconnect: rpc.Reconnect{Never: true}}, l.service())
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
		if err := b.srv.Load().Shutdown(ctx); err != context.DeadlineExceeded {
			t.Error(err)
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
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- server(nil, l.service()).ServeConn(t.Context(), far) }()
		p := newPeer(t, near)
		p.say(helloLine)
		p.hear(`"result"`)
		for range 5 {
			p.say(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[1]}`)
		}
		near.Close()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("ServeConn has returned: %v", err)
		default:
		}
		close(l.goOn)
		if err := <-done; err != io.EOF {
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
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- server(&rpc.ServerOptions{Limits: rpc.Limits{Idle: 3 * time.Second}}, l.service()).ServeConn(t.Context(), far)
		}()
		p := newPeer(t, near)
		p.say(helloLine)
		p.hear(`"result"`)
		for range 5 {
			p.say(`{"jsonrpc":"2.0","method":"Ledger.Note","params":[1]}`)
		}
		for line := range p.lines { // until it is cut
			if !strings.Contains(line, "$/ping") && !strings.Contains(line, "$/close") {
				t.Error(line)
			}
		}
		close(l.goOn)
		<-done
		if got := l.written(); len(got) != 5 {
			t.Errorf("%v", got)
		}
	})
}
