package chaos

import (
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// The sockets of all clients of one process with topic.Memory are cut again and again. Each
// post is stored once, and each subscriber gets each post once, in order.
func TestCutsOfMemory(t *testing.T) {
	t.Parallel()
	r := random(t)
	bus := &topic.Memory{Retention: topic.Retention{Events: 1_000_000}}
	n, err := serve(&board{node: "n0", bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	faults := rpctest.Faults{Seed: r.Uint64(), Cut: 0.5, HalfClose: 0.2, Hangup: 0.2, Within: 8_000}
	balancer := newProxy(t, 1, &rpctest.Network{Plan: faults.Plan})
	balancer.set(0, n.addr)
	c := newCrowd(t, balancer.addr, 10, scale(60, 1000), 20)
	broken := func() int { s := balancer.network.Stats(); return s.Cuts + s.HalfCloses + s.Hangups }
	for began := time.Now(); broken() < scale(500, 10_000) || *long && time.Since(began) < *size; {
		time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
		balancer.network.Cut()
		c.awaitLater("amid cuts", time.Now())
	}
	c.settle(bus)
	t.Logf("connections were broken %d times", broken())
}
