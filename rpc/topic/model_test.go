package topic_test

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/bustest"
	"github.com/wirecall/wirecall/rpc/topic"
)

var models = flag.Int("models", 20, "how many random models of each kind are run")

// retentions are what the models are run with.
var retentions = map[string]topic.Retention{
	"one":    {Events: 1},
	"events": {Events: 20},
	"bytes":  {Bytes: 500},
	"age":    {Age: 300 * time.Millisecond},
	"all":    {Events: 30, Bytes: 1000, Age: time.Second},
}

// runModels runs models of each kind in bubbles.
func runModels(t *testing.T, run func(t *testing.T, m *bustest.Model, random *rand.Rand)) {
	for name, keep := range retentions {
		for seed := range uint64(*models) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 1))
					run(t, &bustest.Model{
						Bus: &topic.Memory{Retention: keep}, Topic: "t", Retention: keep,
						Events: 500, Readers: 6, Pause: time.Duration(random.IntN(int(20 * time.Millisecond))),
					}, random)
				})
			})
		}
	}
}

func TestModel(t *testing.T) {
	runModels(t, func(t *testing.T, m *bustest.Model, random *rand.Rand) { m.Run(t, random) })
}

// The same with each reader at the other end of a connection, which is cut again and again.
func TestModelOverCuts(t *testing.T) {
	var cuts atomic.Int64
	runModels(t, func(t *testing.T, m *bustest.Model, random *rand.Rand) {
		p := open(t, m.Bus)
		var clients [3]*NewsClient
		for i := range clients {
			clients[i], _ = p.dial(t)
		}
		var next atomic.Int64
		m.Subscribe = func(ctx context.Context, name string, after topic.Seq, latest bool) (iter.Seq2[topic.Event[string], error], error) {
			c := clients[next.Add(1)%int64(len(clients))]
			if latest {
				return c.Latest(ctx, name, after)
			}
			return c.All(ctx, name, after)
		}
		m.Fault = func() { cuts.Add(int64(p.network.Cut())) }
		m.Run(t, random)
		p.close(t)
	})
	if cuts.Load() < 100 {
		t.Errorf("%d connections were cut", cuts.Load())
	}
}
