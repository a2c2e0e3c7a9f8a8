package rpc_test

import (
	"strings"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// Two methods cannot be what one call subscribes to, and say so when the program
// starts. One name with two kinds is in order.
func TestSubscriptionsAreDistinct(t *testing.T) {
	method := func(name, kind string) *rpc.Method {
		return &rpc.Method{Name: name, Plain: &rpc.Plain{Subscription: &rpc.Subscription{Subscribe: "eth_subscribe", Kind: kind, Notify: "eth_subscription", ID: "subscription", Item: "result"}}}
	}
	distinct := []rpc.Service{{Methods: []*rpc.Method{method("a", "newHeads"), method("b", "logs")}}}
	if err := (&rpc.ConnOptions{Services: distinct}).Validate(); err != nil {
		t.Error(err)
	}
	rpc.NewServer(nil).Register(distinct...)
	same := []rpc.Service{{Methods: []*rpc.Method{method("a", "logs")}}, {Methods: []*rpc.Method{method("b", "logs")}}}
	const want = `method "eth_subscribe logs" is registered twice`
	if err := (&rpc.ConnOptions{Services: same}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}()
	rpc.NewServer(nil).Register(same...)
}
