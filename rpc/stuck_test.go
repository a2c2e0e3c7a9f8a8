package rpc_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A stuckConn does not return from Write when it is closed, once it is stuck, until it
// is released.
type stuckConn struct {
	net.Conn
	stuck   atomic.Bool
	release chan struct{}
}

func (c *stuckConn) Write(b []byte) (int, error) {
	if c.stuck.Load() {
		<-c.release
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// A connection whose peer does not read ends with that, also if the reader of the
// closed socket is the first to find an error.
func TestCauseOfPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		stuck := &stuckConn{Conn: near, release: make(chan struct{})}
		p := newLinePeer(t, far)
		go p.answerHello()
		conn, err := rpc.NewConn(t.Context(), stuck, &rpc.ConnOptions{Limits: rpc.Limits{WriteTimeout: 10 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		stuck.stuck.Store(true)
		done := make(chan error, 1)
		go func() { done <- conn.Call(context.Background(), &rpc.Call{Method: to("Test.Nop")}) }()
		<-conn.Done()
		if err := conn.Err(); !strings.Contains(err.Error(), "does not read") {
			t.Errorf("the connection ended with: %v", err)
		}
		close(stuck.release)
		if err := <-done; !strings.Contains(err.Error(), "does not read") {
			t.Errorf("the call ended with: %v", err)
		}
	})
}
