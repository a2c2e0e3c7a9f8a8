package rpc_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
)

// An answer that breaks the protocol ends the connection, and the call that it
// answers with it.
func TestBrokenAnswerEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, p := serverOf(t, nil)
		go func() {
			p.hear(`"Test.A"`)
			p.say(`{"jsonrpc":"2.0","id":2,"result":1,"streams":[1]}`)
			p.hear(`"Test.B"`)
			p.say(`{"jsonrpc":"2.0","id":3,"result":1,"streams":[1]}`)
		}()
		var s rpc.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.A", Result: &s}); err != nil {
			t.Fatal(err)
		}
		var ended error
		go func() { ended = conn.Call(context.Background(), &rpc.Call{Method: "Test.B"}) }()
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
		conn, p := serverOf(t, &rpc.DialOptions{Limits: rpc.Limits{Buffered: 1000}})
		go func() {
			p.hear(`"Test.A"`)
			p.say(`{"jsonrpc":"2.0","id":2,"result":1,"streams":[1]}`)
			for _, n := range []int{600, 500, 300, 500} {
				p.say(`{"jsonrpc":"2.0","method":"$/items","params":[1,["%s"]]}`, strings.Repeat("x", n))
			}
		}()
		var s rpc.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.A", Result: &s}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var got []int
		var end error
		for text, err := range rpc.To[string](s) {
			if end = err; err == nil {
				got = append(got, len(text))
			}
		}
		if len(got) != 1 || end == nil {
			t.Errorf("items of %d bytes, then %v; want the first and an error", got, end)
		}
		synctest.Wait()
		if p.hear(`"$/cancel"`); len(p.lines) > 0 {
			t.Errorf("behind the cancel came %s", <-p.lines)
		}
	})
}
