package rpc_test

import (
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// Neither side waits for a socket when it closes what has none.
func TestCloseWithoutSocketIsImmediate(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, services()...)
		b.refuse.Store(true)
		b.network.Cut()
		b.await(t, rpc.Detached)
		start := time.Now()
		b.Conn.Close()
		b.srv.Load().Close()
		if d := time.Since(start); d > 0 {
			t.Errorf("closing took %v", d)
		}
	})
}
