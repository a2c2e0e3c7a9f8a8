package stress

import (
	"context"
	"flag"
	"net/http/httptest"
	"testing"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

var long = flag.Bool("long", false, "run the tests at their full size")

// scale is n, or with -long many times n, or with -short a part of n.
func scale(n, times int) int {
	switch {
	case *long:
		return n * times
	case testing.Short():
		return max(1, n/5)
	}
	return n
}

// A pair is a Load at one end of a connection and the Load that serves it at
// the other.
type pair struct {
	Load
	conn *rpc.Conn
	srv  *rpc.Server
	url  string
}

// inMemory connects a pair in memory; it may be in a synctest bubble.
func inMemory(t testing.TB, impl *load, so *rpc.ServerOptions, co *rpc.ConnOptions) *pair {
	t.Helper()
	srv := rpc.NewServer(so)
	srv.Register(LoadService(impl))
	conn := rpctest.Pair(t.Context(), t, srv, co)
	return &pair{NewLoadClient(conn), conn, srv, ""}
}

// overWebSocket connects a pair over a real socket.
func overWebSocket(t testing.TB, impl *load, so *rpc.ServerOptions, do *rpc.DialOptions) *pair {
	t.Helper()
	if so == nil {
		so = &rpc.ServerOptions{}
	}
	so.Codecs = []codec.Codec{cbor.Codec}
	srv := rpc.NewServer(so)
	srv.Register(LoadService(impl))
	hs := httptest.NewServer(srv)
	conn, err := rpc.Dial(context.Background(), hs.URL, do)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		srv.Close()
		hs.Close()
	})
	return &pair{NewLoadClient(conn), conn, srv, hs.URL}
}

// again is another connection to the server of p, which is on a WebSocket.
func again(t testing.TB, p *pair) *pair {
	t.Helper()
	conn, err := rpc.Dial(context.Background(), p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &pair{NewLoadClient(conn), conn, p.srv, p.url}
}

// everywhere runs a test over each transport and codec.
func everywhere(t *testing.T, test func(t *testing.T, p *pair, impl *load)) {
	connect := map[string]func(t testing.TB, impl *load) *pair{
		"lines": func(t testing.TB, impl *load) *pair { return inMemory(t, impl, nil, nil) },
		"json":  func(t testing.TB, impl *load) *pair { return overWebSocket(t, impl, nil, nil) },
		"cbor": func(t testing.TB, impl *load) *pair {
			return overWebSocket(t, impl, nil, &rpc.DialOptions{Codec: cbor.Codec})
		},
	}
	for name, c := range connect {
		t.Run(name, func(t *testing.T) {
			impl := &load{}
			test(t, c(t, impl), impl)
		})
	}
}
