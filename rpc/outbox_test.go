package rpc

import (
	"context"
	"testing"

	"github.com/wirecall/wirecall/internal/wire"
)

// Who gives up waiting for room leaves nothing in the outbox, and a source that
// looks for room again and again is noted once.
func TestOutboxForgetsWhoWaits(t *testing.T) {
	o := outbox{form: wire.JSON, soft: 10}
	o.send(t.Context(), nil, make([]byte, 20), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := testing.AllocsPerRun(100, func() { o.send(ctx, nil, []byte("1"), nil) }); n > 0 {
		t.Errorf("a caller that gave up has left %v allocations", n)
	}
	c := &session{out: outbox{form: wire.JSON, items: itemsSize}}
	s := &source{c: c, credit: credit{limit: 10, bytes: 10}}
	for range 100 {
		if s.mayPut(1) {
			t.Fatal("there is no room")
		}
	}
	if n := len(c.out.itemRoom); n != 1 {
		t.Errorf("a source waits %d times", n)
	}
}
