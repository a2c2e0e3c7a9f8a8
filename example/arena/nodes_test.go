package arena

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/arena/world"
)

// rises reports the first tick that is not the one after the tick before.
func rises(t *testing.T, ticks []int) {
	t.Helper()
	for i := 1; i < len(ticks); i++ {
		if ticks[i] != ticks[i-1]+1 {
			t.Fatalf("tick %d follows tick %d", ticks[i], ticks[i-1])
		}
	}
}

// The nodes that lead a room die one after the other. Another goes on from the last state
// within a few seconds, players who were connected to the dead one come back with their
// gems, and whoever watches gets each tick once, in order.
func TestNodesDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bots = 6
		f := newFixture(t, 3)
		ended := make(chan error, bots)
		for i := range bots {
			arena := NewArenaClient(f.dial(i%3, (i+1)%3, (i+2)%3))
			go func() {
				ended <- PlayBot(t.Context(), arena, "lobby", fmt.Sprint("bot ", i), func(world.State) {})
			}()
		}
		views := []*viewer{f.watch(NewArenaClient(f.dial(0, 1, 2)), "lobby"), f.watch(NewArenaClient(f.dial(2, 1, 0)), "lobby")}
		f.tick(600)
		for range 2 {
			before := views[0].state()
			f.nodes[f.leader("lobby")].die()
			f.tick(5 * 30)
			after := views[0].state()
			if after.Tick < before.Tick+60 {
				t.Errorf("%d ticks in five seconds", after.Tick-before.Tick)
			}
			f.tick(600)
			after = views[1].state()
			for _, p := range before.Players {
				if now, _ := after.Player(p.ID); now.Name != p.Name || now.Score <= p.Score {
					t.Errorf("the player %+v has become %+v", p, now)
				}
			}
			if len(after.Players) != bots {
				t.Errorf("the players %+v", after.Players)
			}
		}
		for _, v := range views {
			rises(t, v.ticks)
			if v.ticks[0] > 1+SnapshotEvery || len(v.ticks) < 1300 {
				t.Errorf("%d ticks from %d on", len(v.ticks), v.ticks[0])
			}
		}
		if len(ended) > 0 {
			t.Errorf("a bot has ended: %v", <-ended)
		}
	})
}

// Players of a node that dies leave after a while, once, if they do not come back.
func TestAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2)
		go PlayBot(t.Context(), NewArenaClient(f.dial(0)), "lobby", "ann", func(world.State) {})
		f.tick(5)
		go PlayBot(t.Context(), NewArenaClient(f.dial(1)), "lobby", "ben", func(world.State) {})
		view := f.watch(f.connect(1), "lobby")
		f.tick(10)
		if view.names() != "ann ben" || f.leader("lobby") != 0 {
			t.Fatalf("the players %s, node %d leads", view.names(), f.leader("lobby"))
		}
		f.nodes[0].die()
		f.tick(4 * 30)
		if view.names() != "ann ben" {
			t.Errorf("the players %s", view.names())
		}
		f.tick(5 * 30)
		if view.names() != "ben" {
			t.Errorf("the players %s", view.names())
		}
		rises(t, view.ticks)
	})
}

// A node that leads a room and is held up is replaced, and what it then publishes is not
// stored. It follows from then on.
func TestStalledLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2)
		views := []*viewer{f.watch(f.connect(0), "lobby")}
		f.tick(1)
		views = append(views, f.watch(f.connect(1), "lobby"))
		f.tick(60)
		if n := f.leader("lobby"); n != 0 {
			t.Fatalf("node %d leads", n)
		}
		f.nodes[0].bus.hold.Store(int64(3 * Silence))
		f.tick(1)
		f.nodes[0].bus.hold.Store(0)
		f.tick(10 * 30)
		if n := f.leader("lobby"); n != 1 {
			t.Errorf("node %d leads", n)
		}
		for _, v := range views {
			rises(t, v.ticks)
			if len(v.ticks) < 7*30 || !slices.Equal(v.ticks[len(v.ticks)-60:], views[0].ticks[len(views[0].ticks)-60:]) {
				t.Errorf("%d ticks", len(v.ticks))
			}
		}
		f.nodes[1].die() // and the other leads again
		f.tick(5 * 30)
		if n := f.leader("lobby"); n != 0 {
			t.Errorf("node %d leads", n)
		}
		rises(t, views[0].ticks)
	})
}

// A node that shuts down hands its rooms over at once.
func TestNodeCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2)
		f.watch(f.connect(0), "lobby")
		f.tick(1)
		view := f.watch(f.connect(1), "lobby")
		f.tick(60)
		before := view.state().Tick
		f.nodes[0].host.Close()
		f.tick(30)
		if n, tick := f.leader("lobby"), view.state().Tick; n != 1 || tick < before+28 {
			t.Errorf("node %d leads, %d ticks in a second", n, tick-before)
		}
		rises(t, view.ticks)
	})
}

// While the bus cannot be reached a room stands still; then it goes on.
func TestBusFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2)
		views := []*viewer{f.watch(f.connect(0), "lobby"), f.watch(f.connect(1), "lobby")}
		f.tick(60)
		for _, n := range f.nodes {
			n.bus.fail.Store(true)
		}
		f.tick(60)
		stands := views[0].state().Tick
		f.tick(300)
		if now := views[0].state().Tick; now != stands {
			t.Errorf("%d ticks without a bus", now-stands)
		}
		for _, n := range f.nodes {
			n.bus.fail.Store(false)
		}
		f.tick(5 * 30)
		for _, v := range views {
			if v.state().Tick < stands+60 {
				t.Errorf("%d ticks", v.state().Tick-stands)
			}
			rises(t, v.ticks)
		}
	})
}
