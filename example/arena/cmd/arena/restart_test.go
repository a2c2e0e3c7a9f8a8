package main

import (
	"testing"

	"github.com/wirecall/wirecall/example/arena"
	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/internal/embedded"
)

// NATS comes back without what it had in memory. The game goes on from the state that the
// nodes have, with its players.
func TestNATSRestarts(t *testing.T) {
	nats, stop, err := embedded.Start(embedded.Options{Folder: t.TempDir(), Share: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addr := nats.Addr().String()
	nodes := []*process{startProcess(t, "0", nats.ClientURL()), startProcess(t, "1", nats.ClientURL())}
	game := arena.NewArenaClient(dial(t, nodes[1:]))
	go arena.PlayBot(t.Context(), game, "lobby", "bot", func(world.State) {})
	states := make(chan world.State)
	go arena.Follow(t.Context(), arena.NewArenaClient(dial(t, nodes)), "lobby", func(s world.State) {
		select {
		case states <- s:
		case <-t.Context().Done():
		}
	})
	var before world.State
	for before.Tick < 60 || scores(before) < 3 {
		before = <-states
	}
	stop()
	_, stop, err = embedded.Start(embedded.Options{Folder: t.TempDir(), Share: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	after := before
	for scores(after) < scores(before)+3 {
		if after = <-states; after.Tick+60 < before.Tick {
			t.Fatalf("tick %d follows tick %d", after.Tick, before.Tick)
		}
	}
	if p, ok := after.Player(before.Players[0].ID); !ok || p.Name != "bot" {
		t.Errorf("was %+v, is %+v", before.Players, after.Players)
	}
}
