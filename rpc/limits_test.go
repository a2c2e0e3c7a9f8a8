package rpc_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func nop(context.Context, *rpc.Call) error { return nil }

// A caller that keeps to the limit of calls is never refused for it: an answer
// gives back the place of its call before the caller can have it.
func TestCallerWithinLimitIsNeverRefused(t *testing.T) {
	srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 2}}, method("Test.Nop", nil, nop))
	hs := httptest.NewServer(srv)
	defer hs.Close()
	conn, err := rpc.Dial(t.Context(), hs.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	done := make(chan error)
	for range 4 {
		go func() {
			for range 2000 {
				if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Notifications have a limit of their own: one that runs takes no call's place.
func TestNotificationTakesNoCallsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1}}, method("Test.Nop", nil, nop),
			method("Test.Note", nil, func(context.Context, *rpc.Call) error { <-release; return nil }))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Note", Notify: true}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
			t.Error(err)
		}
		close(release)
	})
}

// The cleanup of a stream that came too late takes no call's place either, for
// its call has been answered; but cleanups without end are not let to pile up.
func TestCleanupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := method("Test.Hang", func() (any, any) { return nil, new(gen1.Stream) }, func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(func(func(int, error) bool) { <-release })
			return rpc.Errorf(1, "no")
		})
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 2}}, hang)
		p := greetedLineClient(t, srv)
		for id := 2; id < 4; id++ {
			p.send(`{"jsonrpc":"2.0","id":%d,"method":"Test.Hang"}`, id)
			p.receive(`"code":1,`)
			synctest.Wait()
		}
		p.send(`{"jsonrpc":"2.0","id":4,"method":"Test.Hang"}`)
		p.receive(`"code":-32005,`)
		close(release)
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","id":5,"method":"Test.Hang"}`)
		p.receive(`"code":1,`)
		p.conn.Close()
	})
}

// What a call or a notification brings beside its parameters counts too, as the
// memory that it takes: an id four times, metadata eight times.
func TestBufferedCountsAllThatIsKept(t *testing.T) {
	for name, test := range map[string]struct {
		line string
		size int // of which nine are below the limit, and eleven above
	}{
		"params": {`{"jsonrpc":"2.0","id":%d,"method":"Test.Wait","params":{"a":"%s"}}`, 1000},
		"id":     {`{"jsonrpc":"2.0","id":"%d%s","method":"Test.Wait"}`, 1000 / 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				srv := server(&rpc.ServerOptions{Limits: rpc.Limits{BufferedBytes: 10_000}},
					method("Test.Wait", nil, func(context.Context, *rpc.Call) error { <-release; return nil }))
				p := lineClient(t, srv)
				for round := range 3 {
					for i := range 9 {
						p.send(test.line, 10*round+i, strings.Repeat("x", test.size))
						synctest.Wait()
					}
					p.send(test.line, 10*round+9, strings.Repeat("x", 2*test.size))
					p.receive(`"code":-32005`)
					for range 9 {
						release <- struct{}{}
						p.receive(`"result":null`)
					}
				}
				p.conn.Close()
			})
		})
	}
}

// A client guesses at sessions once: behind a refusal only hello follows.
func TestSessionsAreNotGuessedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
		near, ended := servePipe(context.Background(), srv)
		go io.Copy(io.Discard, near)
		for range 2 {
			if _, err := near.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{}}` + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-ended; !strings.Contains(err.Error(), "refused already") {
			t.Errorf("the connection ended with: %v", err)
		}
		near.Close()
	})
}

// A peer that keeps to the limit on calls is never refused: an answer frees its
// place before the peer can know of it.
func TestLimitFreesBeforeTheAnswer(t *testing.T) {
	srv := rpc.NewServer(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1}})
	srv.Register(services()...)
	subject := NewSubjectClient(rpctest.Pair(t.Context(), t, srv, nil))
	for i := range 5000 {
		if err := subject.Nothing(t.Context()); err != nil {
			t.Fatalf("call %d, one at a time: %v", i, err)
		}
	}
}
