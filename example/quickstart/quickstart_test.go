package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// A call:
	//   web v1.4, 3 instances
	// A notification, which nobody answers:
	//   at the cluster: instance 7 is alive
	// An error with a type:
	//   wep is not deployed; is it web?
	// A stream from the server:
	//   pulled v2.1
	//   started v2.1
	//   stopped v2.0
	// An upload, watched as a snapshot and its changes:
	//   3 instances of web
	//   started 10
	//   now 8 of worker
	//   now 5 of web
	// Streams in both directions:
	//   port=8080: ok
	//   prot=8081: unknown
	// A call from the server to the client:
	//   the cluster asks: how to restart web? [all at once one by one]
	//   restarted web, one by one
	// A stream that is left:
	//   web: request 1
	//   web: request 2
	//   web: request 3
	//   at the cluster: nobody reads the logs of web
}

// The operator works the same over a connection in memory, and nothing is left
// running when it has closed: a bubble ends only then.
func TestInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		srv := rpc.NewServer(nil)
		srv.Register(deploy.ClusterService(c))
		o := &operator{out: t.Output(), events: c.events}
		conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Services: []rpc.Service{deploy.OperatorService(o)}})
		o.cluster = deploy.NewClusterClient(conn)
		if err := o.operate(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Without a wire between the two, the same code still works, but for what
// needs a peer to call.
func TestWithoutWire(t *testing.T) {
	c := newCluster()
	o := &operator{cluster: c, out: t.Output(), events: c.events}
	for _, do := range []func(context.Context) error{o.status, o.heartbeat, o.unknown, o.deploy, o.start, o.check, o.logs} {
		if err := do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := o.restart(t.Context()); err == nil {
		t.Error("a restart without anybody to ask")
	}
}

func TestManyOperators(t *testing.T) {
	srv := rpc.NewServer(nil)
	defer srv.Close()
	srv.Register(deploy.ClusterService(newCluster()))
	web := httptest.NewServer(srv)
	defer web.Close()

	var operators sync.WaitGroup
	for range 16 {
		operators.Go(func() {
			o := &operator{out: t.Output()}
			conn, err := rpc.Dial(t.Context(), web.URL, &rpc.DialOptions{Services: []rpc.Service{deploy.OperatorService(o)}})
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			o.cluster = deploy.NewClusterClient(conn)
			for _, do := range []func(context.Context) error{o.status, o.unknown, o.deploy, o.check, o.restart} {
				if err := do(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	operators.Wait()
}
