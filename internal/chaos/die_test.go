package chaos

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/rpctest"
)

var (
	long = flag.Bool("long", false, "run the tests at their full size")
	size = flag.Duration("for", 2*time.Minute, "how long the tests run at their full size")
	seed = flag.Uint64("seed", 0, "what the tests draw their faults from; 0 is the time")
)

// scale returns the size of something, and of the same with -long.
func scale(short, full int) int {
	if *long {
		return full
	}
	return short
}

// random returns what a test draws from, and logs how to have it again.
func random(t *testing.T) *rand.Rand {
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", from)
	return rand.New(rand.NewPCG(from, 0))
}

// A blow is something that happens to a site.
type blow struct {
	name   string
	strike func(s *site, r *rand.Rand)
}

// paused is how long programs are paused, which is longer than a lease.
const paused = lease + time.Second

var blows = []blow{
	{"a node is killed", func(s *site, r *rand.Rand) {
		i := r.IntN(nodes)
		s.killNode(i)
		s.startNode(i)
	}},
	{"a NATS server is killed", func(s *site, r *rand.Rand) { s.nats[r.IntN(len(s.nats))].restart() }},
	{"a node is killed while it starts", func(s *site, r *rand.Rand) {
		i := r.IntN(nodes)
		for range 3 {
			s.killNode(i)
			s.startNode(i)
			time.Sleep(time.Duration(r.Int64N(int64(200 * time.Millisecond))))
		}
	}},
	{"a node is paused", func(s *site, r *rand.Rand) {
		i := r.IntN(nodes)
		s.processes[i].pause()
		time.Sleep(paused)
		s.processes[i].cont()
	}},
	{"a NATS server is paused", func(s *site, r *rand.Rand) {
		i := r.IntN(len(s.nats))
		s.nats[i].pause()
		time.Sleep(paused)
		s.nats[i].cont()
	}},
	{"a node is replaced", func(s *site, r *rand.Rand) { s.replace(r.IntN(nodes)) }},
	{"a node is replaced while NATS servers are killed", func(s *site, r *rand.Rand) {
		var replaced sync.WaitGroup
		replaced.Go(func() { s.replace(0) })
		for _, nats := range s.nats {
			nats.restart()
		}
		replaced.Wait()
	}},
	{"all sockets of clients are cut", func(s *site, r *rand.Rand) { s.balancer.network.Cut() }},
	{"a node's connection to NATS is cut", func(s *site, r *rand.Rand) { s.proxies[r.IntN(nodes)].network.Cut() }},
	{"a node and all NATS servers are killed, and the node is there first", func(s *site, r *rand.Rand) {
		i := r.IntN(nodes)
		for _, nats := range s.nats {
			nats.kill()
		}
		s.killNode(i)
		s.startNode(i)
		time.Sleep(time.Second)
		for _, nats := range s.nats {
			nats.start()
		}
	}},
	{"all nodes and NATS servers are killed", func(s *site, r *rand.Rand) {
		for i := range nodes {
			s.killNode(i)
		}
		for _, nats := range s.nats {
			nats.restart()
		}
		for i := range nodes {
			s.startNode(i)
		}
	}},
}

// Nodes and the NATS server are killed, paused and cut off under clients that post and
// read. Each post is stored once, whoever has posted it knows, and each subscriber gets each
// post once, in order.
func TestNodesDie(t *testing.T) {
	t.Parallel()
	suffer(t, random(t), &options{}, len(blows))
}

// So it is where the connections between nodes and NATS are slow, stall and break by
// themselves.
func TestNodesDieOverBadLinks(t *testing.T) {
	t.Parallel()
	r := random(t)
	faults := rpctest.Faults{Seed: r.Uint64(), Stall: 0.3, Cut: 0.3, HalfClose: 0.1, Within: 200_000, StallFor: 3 * time.Second, Latency: 20 * time.Millisecond}
	suffer(t, r, &options{links: func(n int) rpctest.Plan {
		plan := faults.Plan(n)
		plan.Up.Drip, plan.Down.Drip = 500, 500 // bytes in a millisecond
		return plan
	}}, 3)
}

// So it is with three NATS servers, of which each stores everything.
func TestNodesDieOverThreeStores(t *testing.T) {
	t.Parallel()
	suffer(t, random(t), &options{stores: 3}, 3)
}

// suffer has a site struck so many times at least, and for a time with -long.
func suffer(t *testing.T, r *rand.Rand, opts *options, least int) {
	s := newSite(t, opts)
	c := newCrowd(t, s.balancer.addr, 10, scale(60, 1000), 20)
	c.awaitLater("before anything happens", time.Time{})
	var recovered times
	struck := make(map[string]int)
	first := r.Perm(len(blows))
	for began, i := time.Now(), 0; i < least || *long && time.Since(began) < *size; i++ {
		b := blows[r.IntN(len(blows))]
		if i < len(first) {
			b = blows[first[i]]
		}
		at := time.Now()
		b.strike(s, r)
		struck[b.name]++
		if i < least || r.IntN(2) == 0 {
			c.awaitLater(b.name, time.Now())
			recovered.add(time.Since(at))
			t.Logf("%s: everybody has later posts after %v", b.name, time.Since(at).Round(time.Millisecond))
		}
	}
	s.awaitNodes()
	c.settle(s.bus())
	t.Logf("until everybody had later posts: %v", &recovered)
	for name, n := range struck {
		t.Logf("%d times: %s", n, name)
	}
}
