package stress

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// Shutdown refuses what comes, as not having run, and lets what runs finish.
func TestShutdownDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{waiting: make(chan struct{}, 1), release: make(chan struct{})}
		p := inMemory(t, impl, nil, nil)
		items, err := p.Count(t.Context(), 1000, 10)
		if err != nil {
			t.Fatal(err)
		}
		running := make(chan error)
		go func() { running <- p.Ignore(t.Context()) }()
		<-impl.waiting
		down := make(chan error)
		go func() { down <- p.srv.Shutdown(t.Context()) }()
		synctest.Wait()
		if _, err := p.Echo(t.Context(), "late"); !rpc.NotRun(err) {
			t.Errorf("a call during the shutdown: %v, want one that says it has not run", err)
		}
		wantCount(t, 1000)(inOrder(items))
		close(impl.release)
		if err := <-running; err != nil {
			t.Errorf("the call that ran: %v", err)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		<-p.conn.Done()
	})
}

// When the time for a shutdown is over the rest fails.
func TestShutdownEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{waiting: make(chan struct{}, 1), ended: make(chan error, 1)}
		p := inMemory(t, impl, nil, nil)
		running := make(chan error)
		go func() { running <- p.Wait(t.Context()) }()
		<-impl.waiting
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if err := p.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if d := time.Since(start); d < 5*time.Second || d > 7*time.Second {
			t.Errorf("Shutdown took %v", d)
		}
		err := <-running
		if !errors.Is(err, rpc.CodeUnavailable) || rpc.NotRun(err) {
			t.Errorf("the call that ran: %v", err)
		}
		<-impl.ended
	})
}

// Close may come from anywhere, a handler included, and any number of times.
func TestCloseFromHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, &load{}, nil, nil)
		p.srv.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Bye", Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
			conn := rpc.Peer(ctx).(*rpc.Conn)
			conn.Close()
			return conn.Close()
		}}}})
		if err := p.conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Bye"}}); err == nil {
			t.Error("a call over a connection that its handler closed has succeeded")
		}
		p.conn.Close()
		p.conn.Close()
		if _, err := p.Echo(t.Context(), "hi"); !rpc.NotRun(err) {
			t.Errorf("a call over a closed connection: %v", err)
		}
	})
}

// Notifications run in the order in which they were sent.
func TestNotificationsInOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, impl *load) {
		impl.told = make(chan int, 10)
		for from := 0; from < 2000; from += 500 { // of the 1,024 that may wait
			for i := range 500 {
				if err := p.Tell(t.Context(), int64(from+i)); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 500 {
				select {
				case n := <-impl.told:
					if n != from+i {
						t.Fatalf("notification %d comes where %d is due", n, from+i)
					}
				case <-p.conn.Done():
					t.Fatalf("the connection ended before notification %d: %v", from+i, p.conn.Err())
				}
			}
		}
	})
}
