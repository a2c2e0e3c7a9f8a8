package cluster_test

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/internal/bustest"
	"github.com/wirecall/wirecall/rpc/topic"
)

var models = flag.Int("models", 1, "how many random models of each kind are run")

// retentions are what the models are run with, each for one class. Size is of a class.
var retentions = map[string]topic.Retention{
	"one":    {Events: 1},
	"events": {Events: 20},
	"bytes":  {Bytes: 10_000},
	"age":    {Age: 300 * time.Millisecond},
	"all":    {Events: 30, Bytes: 20_000, Age: time.Second},
}

// Several nodes read what one publishes. Some of what is published live is lost or late, and
// connections break.
func TestModel(t *testing.T) {
	for seed := range uint64(*models) {
		for _, faulty := range []bool{false, true} {
			t.Run(fmt.Sprint(seed, faulty), func(t *testing.T) {
				s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
				t.Cleanup(stop)
				for name, keep := range retentions {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						model(t, s, name, keep, faulty, rand.New(rand.NewPCG(seed, 1)))
					})
				}
			})
		}
	}
}

func model(t *testing.T, s *server.Server, class string, keep topic.Retention, faulty bool, random *rand.Rand) {
	opts := &cluster.BusOptions{Classes: map[string]topic.Retention{class: keep}, Memory: true}
	m := &bustest.Model{
		Topic: topic.Name(class, "t"), Retention: keep, Overhead: 300, Early: keep.Age > 0 || keep.Bytes > 0,
		Events: 200, Readers: 5, Pause: time.Millisecond,
	}
	var conns []*nats.Conn
	var buses []topic.Bus
	var lost atomic.Int64
	for range 3 {
		nc := connectTo(t, s)
		lose := func(m *nats.Msg, deliver func(*nats.Msg)) {
			switch n := rand.IntN(10); {
			case faulty && n < 2:
				lost.Add(1)
			case faulty && n == 2:
				time.AfterFunc(rand.N(20*time.Millisecond), func() { deliver(m) })
			default:
				deliver(m)
			}
		}
		bus, err := cluster.NewFaultyBus(t.Context(), nc, opts, 100*time.Millisecond, lose)
		if err != nil {
			t.Fatal(err)
		}
		conns, buses = append(conns, nc), append(buses, bus)
	}
	m.Bus = buses[0]
	var next atomic.Int64
	m.Subscribe = func(ctx context.Context, name string, after topic.Seq, latest bool) (iter.Seq2[topic.Event[string], error], error) {
		to := topic.New[string](buses[next.Add(1)%int64(len(buses))], name)
		if latest {
			return to.Latest(ctx, after), nil
		}
		return to.Subscribe(ctx, after), nil
	}
	if faulty {
		broken := conns
		if keep.Age > 0 { // ids are remembered as long, which may be shorter than it takes to publish again
			broken = conns[1:]
		}
		m.Fault = func() { broken[rand.IntN(len(broken))].ForceReconnect() }
	}
	if keep.Bytes == 0 { // which is of the class
		go others(t, buses[2], class)
	}
	m.Run(t, random)
	if faulty && lost.Load() == 0 {
		t.Error("no live message was lost")
	}
}

// others publishes to other topics of a class, so that the numbers of one have holes.
func others(t *testing.T, bus topic.Bus, class string) {
	for i := 0; t.Context().Err() == nil; i++ {
		topic.New[int](bus, topic.Name(class, "other", fmt.Sprint(i%3))).Publish(t.Context(), i)
		time.Sleep(rand.N(2 * time.Millisecond))
	}
}
