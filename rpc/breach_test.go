package rpc_test

import (
	"context"
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
