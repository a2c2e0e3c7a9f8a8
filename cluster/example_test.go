package cluster_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc/topic"
)

// connect returns a bus on the servers of NATS at a URL, and what ends its connection.
func connect(ctx context.Context, url string) (topic.Bus, func(), error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, err
	}
	bus, err := cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"trades": {Events: 10_000}}})
	return bus, nc.Close, err
}

// What topics.md shows connects.
func TestConnect(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus, end, err := connect(t.Context(), s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	to := topic.New[int](bus, topic.Name("trades", "ACME"))
	if _, err := to.Publish(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if e, _, err := to.Last(t.Context()); e.Value != 7 || err != nil {
		t.Errorf("the last is %v, %v", e, err)
	}
}
