package docs_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// serve serves until ctx ends, and then gives clients and calls grace to finish.
func serve(ctx context.Context, srv *rpc.Server, ln net.Listener, ready *atomic.Bool, grace time.Duration) error {
	web := &http.Server{Handler: srv, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(ln) }()
	ready.Store(true)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ready.Store(false) // the balancer sends no new connections
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	// http.Server.Shutdown does not wait for WebSockets: it comes second.
	return errors.Join(srv.Shutdown(last), web.Shutdown(last))
}

func ticks(ctx context.Context, tick <-chan time.Time) iter.Seq2[time.Time, error] {
	return func(yield func(time.Time, error) bool) {
		for {
			select {
			case now := <-tick:
				if !yield(now, nil) {
					return
				}
			case <-rpc.Draining(ctx):
				return // the server shuts down: the loop of the caller ends
			case <-ctx.Done():
				return
			}
		}
	}
}

// record saves the readings of a device until they end, or the server shuts down. It
// returns how many it has saved, so that the device knows where to go on.
func record(ctx context.Context, readings iter.Seq2[telemetry.Reading, error], save func(telemetry.Reading) error) (saved int, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // the goroutine of ToChan ends, and with it the stream
	next, end := rpc.ToChan(ctx, readings)
	for {
		select {
		case r, ok := <-next:
			if !ok {
				return saved, end()
			}
			if err := save(r); err != nil {
				return saved, err
			}
			saved++
		case <-rpc.Draining(ctx):
			return saved, nil
		}
	}
}

// A server that is shut down finishes the call that it runs, while the next one is
// made on the server that takes its place.
func TestRollingRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		started, finish := make(chan struct{}), make(chan struct{})
		start := func(name string) (stop context.CancelFunc, stopped chan error) {
			srv := rpc.NewServer(nil)
			srv.Register(files.StoreService(&files.Memory{}), rpc.Service{Methods: []*rpc.Method{{
				Name: "Slow",
				New:  func() (any, any) { return nil, new(string) },
				Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
					close(started)
					<-finish
					*c.Result.(*string) = name
					return nil
				},
			}}})
			ctx, stop := context.WithCancel(t.Context())
			stopped = make(chan error, 1)
			ln := network.Listen()
			go func() { stopped <- serve(ctx, srv, ln, new(atomic.Bool), 30*time.Second) }()
			return stop, stopped
		}
		stop, stopped := start("one")
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var slow string
		done := make(chan error)
		go func() {
			done <- conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Slow"}, Result: &slow})
		}()
		<-started
		stop()
		synctest.Wait()
		close(finish)
		if err := <-done; err != nil || slow != "one" {
			t.Error(slow, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		stop, stopped = start("two")
		_, err = files.NewStoreClient(conn).Stat(t.Context(), "nothing")
		if _, ok := errors.AsType[*files.NotFound](err); !ok {
			t.Error(err)
		}
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A stream that would never end ends when its server shuts down, and Shutdown
// returns.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		tick := make(chan time.Time)
		srv.Register(rpc.Service{Methods: []*rpc.Method{{
			Name: "Ticks",
			Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
				for range ticks(ctx, tick) {
				}
				return nil
			},
		}}})
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		done := make(chan error, 1)
		go func() {
			done <- conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Ticks"}})
		}()
		tick <- time.Now() // the handler is in its loop
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// An intake saves readings, and knows of no other end than that of its stream.
type intake struct{ save func(telemetry.Reading) error }

func (i intake) Report(ctx context.Context, _ string, _ time.Duration, readings iter.Seq2[telemetry.Reading, error]) (int, error) {
	return record(ctx, readings, i.save)
}

// An upload that would never end returns what was saved of it when its server shuts
// down.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		srv.Register(telemetry.IntakeService(intake{save: func(telemetry.Reading) error { return nil }}))
		device := telemetry.NewIntakeClient(rpctest.Pair(t.Context(), t, srv, nil))
		readings := make(chan telemetry.Reading)
		type report struct {
			saved int
			err   error
		}
		done := make(chan report, 1)
		go func() {
			ctx, stop := context.WithCancel(t.Context())
			defer stop() // or the iterator would wait for a reading, and Shutdown for the iterator
			n, err := device.Report(ctx, "a", time.Second, rpc.FromChan(ctx, readings, nil))
			done <- report{n, err}
		}()
		for range 3 {
			readings <- telemetry.Reading{}
		}
		synctest.Wait() // all of them are saved
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if got := <-done; got.saved != 3 || got.err != nil {
			t.Error(got)
		}
	})
}

// Without a shutdown it ends with its stream, or with an error of save.
func TestRecordEnds(t *testing.T) {
	full := errors.New("full")
	for _, c := range []struct {
		save func(telemetry.Reading) error
		n    int
		err  error
	}{
		{func(telemetry.Reading) error { return nil }, 2, nil},
		{func(telemetry.Reading) error { return full }, 0, full},
	} {
		n, err := record(t.Context(), rpc.Of(telemetry.Reading{}, telemetry.Reading{}), c.save)
		if n != c.n || err != c.err {
			t.Error(n, err)
		}
	}
}
