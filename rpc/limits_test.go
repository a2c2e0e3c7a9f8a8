package rpc_test

import (
	"testing"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A peer that keeps to the limit on calls is never refused: an answer frees its
// place before the peer can know of it.
func TestLimitFreesBeforeTheAnswer(t *testing.T) {
	srv := rpc.NewServer(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1}})
	srv.Register(services()...)
	subject := NewSubjectClient(rpctest.Pair(t, srv, nil))
	for i := range 5000 {
		if err := subject.Nothing(t.Context()); err != nil {
			t.Fatalf("call %d, one at a time: %v", i, err)
		}
	}
}
