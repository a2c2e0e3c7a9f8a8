package rpc_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A client that has connected and sent nothing delays neither Shutdown nor Close.
func TestEndOfAServerBeforeTheFirstFrame(t *testing.T) {
	for name, end := range map[string]func(*rpc.Server) error{
		"shutdown": func(srv *rpc.Server) error { return srv.Shutdown(context.Background()) },
		"close":    func(srv *rpc.Server) error { return srv.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(nil)
				p := lineClient(t, srv)
				synctest.Wait()
				began := time.Now()
				if err := end(srv); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if line, ok := <-p.lines; ok {
					t.Errorf("the client received %s", line)
				}
			})
		})
	}
}

// A client that says hello while the server shuts down is served, and asked to go.
func TestHelloDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(nil, services()...)
		p := lineClient(t, srv)
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- srv.Shutdown(context.Background()) }()
		synctest.Wait()
		p.greet()
		p.receive(`$/goaway`)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`)
		p.receive(`"result":3`)
		p.send(`{"jsonrpc":"2.0","method":"$/moved","params":[]}`)
		if err := <-down; err != nil {
			t.Error(err)
		}
	})
}

// ServeConn ends with its context also before the first line.
func TestServeConnEndsBeforeTheFirstLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, far := net.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- server(nil).ServeConn(ctx, far) }()
		synctest.Wait()
		why := errors.New("enough")
		cancel(why)
		if err := <-ended; err != why {
			t.Errorf("%v, want %v", err, why)
		}
	})
}
