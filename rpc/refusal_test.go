package rpc_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A client whose handshake is refused by a server that shuts down makes its next attempt
// over another TCP connection, which a balancer may give to another server.
func TestRefusedHandshakeIsTriedAtAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var networks [2]rpctest.Network
		var servers [2]*rpc.Server
		var ran, dials atomic.Int64
		goOn := make(chan struct{})
		for i := range servers {
			servers[i] = server(&rpc.ServerOptions{}, counted(&ran, goOn))
			ln := networks[i].Listen()
			defer ln.Close()
			go http.Serve(ln, servers[i])
		}
		conn, err := rpc.Dial(t.Context(), "ws://balancer", &rpc.DialOptions{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return networks[max(dials.Add(1)-2, 0)].Dial(ctx, network, addr)
		}})
		if err != nil {
			t.Fatal(err)
		}
		before := inFlight(conn, &rpc.Call{Method: to("Test.Work")}) // keeps the first server
		go servers[0].Shutdown(t.Context())
		synctest.Wait()
		after := inFlight(conn, &rpc.Call{Method: to("Test.Work")})
		time.Sleep(2 * time.Second)
		if ran.Load() != 2 || dials.Load() != 3 {
			t.Errorf("%d calls run, after %d dials; %+v", ran.Load(), dials.Load(), conn.State())
		}
		close(goOn)
		for _, call := range []<-chan error{before, after} {
			if err := <-call; err != nil {
				t.Error(err)
			}
		}
		conn.Close()
		for i := range servers {
			servers[i].Close()
			networks[i].Cut()
		}
	})
}

// Whatever a server refuses because of itself it refuses with the end of the TCP connection.
func TestUnavailableClosesConnection(t *testing.T) {
	full := rpc.NewServer(&rpc.ServerOptions{MaxConnections: 1})
	a, b := net.Pipe()
	defer a.Close()
	go full.ServeConn(t.Context(), b)
	a.Write([]byte("{")) // it has been accepted
	stopped := newTestServer(rpc.Limits{})
	stopped.Shutdown(t.Context())
	for name, tt := range map[string]struct {
		srv    *rpc.Server
		method string
	}{
		"a handshake over MaxConnections": {full, "GET"},
		"a handshake after Shutdown":      {stopped, "GET"},
		"a POST after Shutdown":           {stopped, "POST"},
	} {
		web := httptest.NewServer(tt.srv)
		r, err := http.NewRequest(tt.method, web.URL, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
		resp, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
			t.Errorf("%s: %s, closed: %v", name, resp.Status, resp.Close)
		}
		web.Close()
	}
}
