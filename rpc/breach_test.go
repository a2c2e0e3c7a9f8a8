package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// An answer that breaks the protocol ends the connection, and the call that it
// answers with it.
func TestBrokenAnswerEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, p := lineServer(t, nil)
		go func() {
			p.receive(`"Test.A"`)
			p.send(`{"jsonrpc":"2.0","id":2,"result":1,"streams":[1]}`)
			p.receive(`"Test.B"`)
			p.send(`{"jsonrpc":"2.0","id":3,"result":1,"streams":[1]}`)
		}()
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.A"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		var ended error
		go func() { ended = conn.Call(context.Background(), &rpc.Call{Method: to("Test.B")}) }()
		synctest.Wait()
		if ended == nil || rpc.NotRun(ended) {
			t.Errorf("a call with a broken answer: %v", ended)
		}
		<-conn.Done()
	})
}

// Where one item of a stream cannot be held none behind it is delivered: what
// the reader gets has no gaps.
func TestNoItemBehindOneThatWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, p := lineServer(t, &rpc.ConnOptions{Limits: rpc.Limits{BufferedBytes: 1000}})
		go func() {
			p.receive(`"Test.A"`)
			p.send(`{"jsonrpc":"2.0","id":2,"result":1,"streams":[1]}`)
			for _, n := range []int{600, 500, 300, 500} {
				p.send(`{"jsonrpc":"2.0","method":"$/items","params":[1,["%s"]]}`, strings.Repeat("x", n))
			}
		}()
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.A"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var got []int
		var end error
		for text, err := range gen1.Receive[string](s) {
			if end = err; err == nil {
				got = append(got, len(text))
			}
		}
		if len(got) != 1 || end == nil {
			t.Errorf("items of %d bytes, then %v; want the first and an error", got, end)
		}
		synctest.Wait()
		if p.receive(`"$/cancel"`); len(p.lines) > 0 {
			t.Errorf("behind the cancel came %s", <-p.lines)
		}
	})
}

// A stream that passes on another connection's ends with an error where that
// connection was closed: half of it must not look like all.
func TestRelayOfClosedConnectionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		origin := rpctest.Connect(t.Context(), t, streamMethod("Test.Ints", func(ctx context.Context) gen1.Stream {
			return gen1.Send(func(yield func(int, error) bool) {
				yield(1, nil)
				<-ctx.Done()
			})
		}))
		relay := rpctest.Connect(t.Context(), t, streamMethod("Test.Ints", func(ctx context.Context) gen1.Stream {
			var s gen1.Stream
			origin.Call(ctx, &rpc.Call{Method: to("Test.Ints"), Result: &s})
			return gen1.Send(gen1.Receive[int](s))
		}))
		var s gen1.Stream
		if err := relay.Call(t.Context(), &rpc.Call{Method: to("Test.Ints"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		var end error
		for _, err := range gen1.Receive[int](s) {
			if end = err; err == nil {
				origin.Close()
			}
		}
		if end == nil {
			t.Error("a stream that was cut looks complete")
		}
	})
}

// An error is not let to break the peer's limit for a message, which would end
// the connection.
func TestStreamErrorKeepsPeersLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t.Context(), t, server(nil, streamMethod("Test.Huge", func(context.Context) gen1.Stream {
			return gen1.Send(func(yield func(int, error) bool) { yield(0, errors.New(strings.Repeat("x", 100_000))) })
		})), &rpc.ConnOptions{Limits: rpc.Limits{MessageBytes: 64 << 10}})
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Huge"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		var end error
		for _, err := range gen1.Receive[int](s) {
			end = err
		}
		if !errors.Is(end, rpc.CodeUnknown) || len(end.Error()) > 1000 || conn.Err() != nil {
			t.Errorf("the stream ended with %.100v, the connection with %.100v", end, conn.Err())
		}
	})
}
