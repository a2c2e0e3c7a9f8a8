package arena

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Players and those who watch, each at another node, see the same.
func TestPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3)
		inputs := make(chan world.Input)
		ann := f.play(f.connect(0), "lobby", "ann", rpc.FromChan(t.Context(), inputs, nil))
		f.play(f.connect(1), "lobby", "ben", rpc.Of[world.Input]())
		views := []*viewer{f.watch(f.connect(0), "lobby"), f.watch(f.connect(1), "lobby"), f.watch(f.connect(2), "lobby")}
		elsewhere := f.watch(f.connect(1), "cellar")
		f.tick(10)
		for i, v := range views {
			if v.names() != "ann ben" || !reflect.DeepEqual(v.state(), views[0].state()) {
				t.Errorf("node %d shows %+v", i, v.state())
			}
		}
		if elsewhere.names() != "" || elsewhere.frames == 0 {
			t.Errorf("another room shows %+v", elsewhere.state())
		}

		spectator := views[2]
		before := spectator.player("ann")
		inputs <- world.Input{X: world.Full}
		f.tick(300)
		if after := spectator.player("ann"); after.X != world.Size-world.Radius || after.Y != before.Y {
			t.Errorf("moved from %+v to %+v", before, after)
		}
		ann.leave()
		f.tick(3)
		if spectator.names() != "ben" {
			t.Errorf("after ann has left: %s", spectator.names())
		}
	})
}

// One who does not read holds nobody up, reads what is kept, and begins anew behind a gap.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		frames, err := f.connect(0).Watch(t.Context(), "lobby", "")
		if err != nil {
			t.Fatal(err)
		}
		quick := f.watch(f.connect(0), "lobby")
		f.tick(2000)
		if quick.frames < 1999 || len(quick.ticks) != quick.state().Tick {
			t.Errorf("%d frames of %d ticks", quick.frames, quick.state().Tick)
		}
		read := 0
		for _, err = range frames {
			read++
		}
		if _, gap := errors.AsType[*topic.GapError](err); !gap || read > 1500 {
			t.Errorf("after %d frames: %v", read, err)
		}
	})
}

// Inputs that have waited for a network are soon behind: the last one counts.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		inputs := append(slices.Repeat([]world.Input{{X: -world.Full}}, 60), world.Input{X: world.Full})
		f.play(f.connect(0), "lobby", "ann", rpc.Of(inputs...))
		view := f.watch(f.connect(0), "lobby")
		f.tick(len(inputs)/MaxInputs + 5)
		before := view.player("ann")
		f.tick(1)
		if after := view.player("ann"); before.Name == "" || after.X != before.X+world.Speed {
			t.Errorf("moves from %d to %d", before.X, after.X)
		}
	})
}

// A flood of inputs waits at its sender.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		var sent atomic.Int64
		mallory := f.play(f.connect(0), "lobby", "mallory", func(yield func(world.Input, error) bool) {
			for yield(world.Input{X: int(sent.Load()) % world.Full}, nil) {
				sent.Add(1)
			}
		})
		f.play(f.connect(0), "lobby", "ben", rpc.Of[world.Input]())
		view := f.watch(f.connect(0), "lobby")
		f.tick(1)
		before := sent.Load()
		f.tick(1000)
		if read := sent.Load() - before; read > 1000*MaxInputs+1024 {
			t.Errorf("%d inputs were sent in 1,000 ticks", read)
		}
		if view.frames < 1000 || view.names() != "ben mallory" {
			t.Errorf("%d frames, %s", view.frames, view.names())
		}
		mallory.leave()
		f.tick(3)
		if view.names() != "ben" {
			t.Errorf("still there: %s", view.names())
		}
	})
}

func TestRefusesNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		arena := f.connect(0)
		for _, name := range []string{"", "  ", strings.Repeat("x", MaxName+1), strings.Repeat("ö", MaxName+1), "a\x00b", "line\nbreak", "\u202etfel", "\xff"} {
			err := arena.Play(t.Context(), "lobby", name, "key", rpc.Of[world.Input]())
			if e, ok := errors.AsType[*BadName](err); !ok || *e != (BadName{"name", MaxName}) {
				t.Errorf("the name %q: %v", name, err)
			}
			_, err = rpc.Collect(must(arena.Watch(t.Context(), name, "")))
			if e, ok := errors.AsType[*BadName](err); !ok || *e != (BadName{"room", MaxName}) {
				t.Errorf("the room %q: %v", name, err)
			}
		}
		long := strings.Repeat("\U0001F409", MaxName)
		f.play(arena, long, long, rpc.Of[world.Input]())
		view := f.watch(arena, long)
		f.tick(5)
		if view.names() != long {
			t.Errorf("the players %q", view.names())
		}
	})
}

// must returns a stream; its error, if any, is that of the stream.
func must[T any](stream iter.Seq2[T, error], err error) iter.Seq2[T, error] {
	if err != nil {
		return func(yield func(v T, err error) bool) {
			var none T
			yield(none, err)
		}
	}
	return stream
}

// An input out of range ends the call with its error, and the player leaves.
func TestRefusesInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		view := f.watch(f.connect(0), "lobby")
		for _, in := range []world.Input{{X: world.Full + 1}, {Y: -world.Full - 1}, {X: math.MaxInt, Y: math.MinInt}} {
			ann := f.play(f.connect(0), "lobby", "ann", rpc.Of(world.Input{X: 1}, in))
			f.tick(3)
			if e, ok := errors.AsType[*BadInput](ann.err); !ok || e.Max != world.Full {
				t.Errorf("%+v: %v", in, ann.err)
			}
			if view.names() != "" {
				t.Errorf("%+v: still there: %s", in, view.names())
			}
		}
	})
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 2)
		refused := func(err error, what string, max int) {
			t.Helper()
			if e, ok := errors.AsType[*Full](err); !ok || *e != (Full{what, max}) {
				t.Errorf("got %v, want that there are %d %s", err, max, what)
			}
		}
		var players []*gamer
		arena, elsewhere := f.connect(0), f.connect(1)
		for i := range MaxPlayers {
			players = append(players, f.play(arena, "lobby", fmt.Sprint(i), rpc.Of[world.Input]()))
		}
		synctest.Wait()
		refused(arena.Play(t.Context(), "lobby", "late", "key", rpc.Of[world.Input]()), "players", MaxPlayers)
		watcher := f.watch(elsewhere, "lobby")
		f.tick(5)
		refused(elsewhere.Play(t.Context(), "lobby", "late", "key", rpc.Of[world.Input]()), "players", MaxPlayers)

		others := []Arena{f.connect(0), f.connect(0)}
		for i := range MaxPeople - MaxPlayers {
			f.watch(others[i%2], "lobby")
		}
		synctest.Wait()
		refused(arena.Play(t.Context(), "lobby", "late", "key", rpc.Of[world.Input]()), "people", MaxPeople)
		for i := range MaxRooms - 1 {
			f.watch(others[i%2], fmt.Sprint("room ", i))
		}
		synctest.Wait()
		_, err := rpc.Collect(must(arena.Watch(t.Context(), "one more", "")))
		refused(err, "rooms", MaxRooms)

		players[0].leave()
		f.tick(3)
		f.play(elsewhere, "lobby", "late", rpc.Of[world.Input]())
		f.tick(3)
		if !strings.HasSuffix(watcher.names(), " late") || len(watcher.state().Players) != MaxPlayers {
			t.Errorf("the players %s", watcher.names())
		}
	})
}

// A node leaves a room with the last who is in it, however their connections end.
func TestRoomsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		conn := rpctest.Pair(t.Context(), t, f.nodes[0].srv, nil)
		f.play(NewArenaClient(conn), "lobby", "ann", rpc.Of[world.Input]())
		f.watch(NewArenaClient(conn), "cellar")
		f.tick(3)
		host := f.nodes[0].host
		if len(host.rooms) != 2 {
			t.Errorf("%d rooms", len(host.rooms))
		}
		conn.Close()
		host.runs.Wait()
		if len(host.rooms) != 0 {
			t.Errorf("%d rooms are left", len(host.rooms))
		}
	})
}

// Bots play at 30 ticks a second over connections that are cut again and again, on three
// nodes: nobody leaves, and in the end all have the same state.
func TestBotsOverCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bots, seconds = 5, 20
		f := newFixture(t, 3)
		states := make([]world.State, bots)
		seen, ended := make([]int, bots), make(chan error, bots)
		for i := range bots {
			arena := NewArenaClient(f.dial(i % 3))
			go func() {
				ended <- PlayBot(t.Context(), arena, "lobby", fmt.Sprint("bot ", i), func(s world.State) { states[i], seen[i] = s, seen[i]+1 })
			}()
		}
		for range seconds {
			time.Sleep(time.Second)
			for _, n := range f.nodes {
				n.network.Cut()
			}
		}
		f.tick(10 * 30) // all are back
		want := states[0]
		for i, s := range states {
			if !reflect.DeepEqual(s, want) {
				t.Errorf("bot %d has tick %d: %+v\nwant %+v", i, s.Tick, s.Players, want.Players)
			}
			if p := want.Players[i]; p.Score < 5 {
				t.Errorf("%s has %d gems after %d seconds", p.Name, p.Score, seconds+10)
			}
		}
		if ticks := int((seconds + 10) * time.Second / Tick); want.Tick < ticks-5 || want.Tick > ticks+1 || slices.Max(seen) > ticks+1 {
			t.Errorf("%d ticks in %d seconds, of which bots saw %v", want.Tick, seconds+10, seen)
		}
		cuts := int64(0)
		for _, n := range f.nodes {
			cuts += int64(n.network.Stats().Cuts)
		}
		if cuts < bots*seconds/2 {
			t.Errorf("only %d cuts", cuts)
		}
		if len(ended) > 0 {
			t.Errorf("a bot has ended: %v", <-ended)
		}
	})
}
