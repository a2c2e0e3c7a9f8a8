package cluster_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc/presence"
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

// lobbyOf returns the registry of a lobby that is the same in all processes with the same
// secret, on the servers of NATS at a URL, and what leaves it.
func lobbyOf(ctx context.Context, url string, secret []byte) (presence.Registry, func(), error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, err
	}
	node, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Secret: secret})
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return node.Presence(), func() { node.Close(); nc.Close() }, nil
}

// What presence.md shows tells who is here.
func TestLobbyOf(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	var lobbies []presence.Registry
	for range 2 {
		lobby, leave, err := lobbyOf(t.Context(), s.ClientURL(), []byte(strings.Repeat("s", 32)))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		lobbies = append(lobbies, lobby)
	}
	if _, err := presence.New[int](lobbies[0], "chess").Enter(t.Context(), "ann", 7); err != nil {
		t.Fatal(err)
	}
	members, err := presence.New[int](lobbies[1], "chess").Members(t.Context())
	if len(members) != 1 || members[0].Who != "ann" || members[0].Value != 7 || err != nil {
		t.Errorf("in the game are %v, %v", members, err)
	}
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
