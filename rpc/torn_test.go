package rpc_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A frame of which a part has arrived when its socket ends is none, wherever it
// is torn.
func TestTornFrame(t *testing.T) {
	whole := callTorn(t, 1<<20, rpctest.Cut)
	for at := range whole {
		for _, do := range []rpctest.Action{rpctest.Cut, rpctest.Hangup, rpctest.HalfClose} {
			if callTorn(t, at, do); t.Failed() {
				t.Fatalf("torn after byte %d of %d by %d", at, whole, do)
			}
		}
	}
}

// callTorn makes a call over a WebSocket that ends when so many bytes have gone
// up, and returns how many have.
func callTorn(t *testing.T, at int, do rpctest.Action) (up int) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{Plan: func(n int) rpctest.Plan {
			if n > 0 {
				return rpctest.Plan{}
			}
			return rpctest.Plan{Up: rpctest.Path{Events: []rpctest.Event{{At: at, Do: do}}}}
		}}
		srv, runs := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}}), 0
		srv.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Run", Serve: func(context.Context, any, *rpc.Call) error {
			runs++
			return nil
		}}}})
		ln := network.Listen()
		hs := &http.Server{Handler: srv}
		go hs.Serve(ln)
		defer hs.Close()
		defer srv.Close()
		conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: network.Dial, Resume: true, Reconnect: rpc.Reconnect{RetryFirst: true}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Run")}); err != nil || runs != 1 || conn.State().Session != 1 {
			t.Errorf("torn after byte %d by %d: %v after %d runs, %+v", at, do, err, runs, conn.State())
		}
		up = network.Stats().Up
	})
	return up
}
