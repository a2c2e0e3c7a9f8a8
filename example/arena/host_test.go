package arena

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A fixture is a host whose clock the test has in its hand.
type fixture struct {
	t     *testing.T
	host  *Host
	srv   *rpc.Server
	ticks chan time.Time
}

func newFixture(t *testing.T) *fixture {
	b := &fixture{t, NewHost(1), rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}}), make(chan time.Time)}
	b.srv.Register(ArenaService(b.host))
	go b.host.Run(t.Context(), b.ticks)
	return b
}

// tick makes ticks and waits until what they cause is done.
func (b *fixture) tick(n int) {
	for range n {
		synctest.Wait()
		b.ticks <- time.Time{}
	}
	synctest.Wait()
}

func (b *fixture) connect() Arena {
	return NewArenaClient(rpctest.Pair(b.t.Context(), b.t, b.srv, nil))
}

// A viewer has what one who watches or plays has got.
type viewer struct {
	you     int
	state   world.State
	changes int
	err     error // of the stream, when it has ended
	leave   func()
}

// follow reads a stream until it ends.
func follow(you int, now world.State, changes iter.Seq2[rpc.Shared[world.Delta], error], leave func()) *viewer {
	v := &viewer{you: you, state: now, leave: leave}
	go func() {
		for d, err := range changes {
			if err != nil {
				v.err = err
				return
			}
			v.state = v.state.Apply(d.Value())
			v.changes++
		}
	}()
	return v
}

func (b *fixture) play(arena Arena, room, name string, inputs iter.Seq2[world.Input, error]) *viewer {
	b.t.Helper()
	ctx, leave := context.WithCancel(b.t.Context())
	you, now, changes, err := arena.Play(ctx, room, name, inputs)
	if err != nil {
		b.t.Fatal(err)
	}
	return follow(you, now, changes, leave)
}

func (b *fixture) watch(arena Arena, room string) *viewer {
	b.t.Helper()
	now, changes, err := arena.Watch(b.t.Context(), room)
	if err != nil {
		b.t.Fatal(err)
	}
	return follow(0, now, changes, nil)
}

func names(s world.State) string {
	var names []string
	for _, p := range s.Players {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

func TestPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		inputs := make(chan world.Input)
		ann := b.play(b.connect(), "lobby", "ann", rpc.FromChan(t.Context(), inputs, nil))
		ben := b.play(b.connect(), "lobby", "ben", rpc.Of[world.Input]())
		spectator := b.watch(b.connect(), "lobby")
		elsewhere := b.watch(b.connect(), "cellar")
		if names(ann.state) != "" {
			t.Errorf("players before the first tick: %s", names(ann.state))
		}
		b.tick(1)
		for _, v := range []*viewer{ann, ben, spectator} {
			if names(v.state) != "ann ben" || !reflect.DeepEqual(v.state, b.host.rooms["lobby"].frame.state) {
				t.Errorf("got %+v", v.state)
			}
		}
		if names(elsewhere.state) != "" {
			t.Errorf("players of another room: %s", names(elsewhere.state))
		}

		before, _ := spectator.state.Player(ann.you)
		dx := world.Full
		if before.X > world.Size/2 {
			dx = -dx
		}
		inputs <- world.Input{X: dx}
		b.tick(10)
		after, _ := spectator.state.Player(ann.you)
		if after.X != before.X+10*world.Speed*dx/world.Full || after.Y != before.Y {
			t.Errorf("moved from %+v to %+v", before, after)
		}
		if spectator.changes != 11 || !reflect.DeepEqual(spectator.state, ann.state) {
			t.Errorf("after %d changes %+v, the player has %+v", spectator.changes, spectator.state, ann.state)
		}

		ann.leave()
		b.tick(1)
		if names(spectator.state) != "ben" {
			t.Errorf("after ann has left: %s", names(spectator.state))
		}
	})
}

// One who does not read gets what has changed since as one, and holds nobody up.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		now, changes, err := b.connect().Watch(t.Context(), "lobby")
		if err != nil {
			t.Fatal(err)
		}
		inputs := make(chan world.Input, 1)
		ann := b.play(b.connect(), "lobby", "ann", rpc.FromChan(t.Context(), inputs, nil))
		for range 500 {
			select {
			case inputs <- world.Chase(ann.state, ann.you):
			default:
			}
			b.tick(4)
		}
		if ann.changes != 2000 {
			t.Errorf("the player got %d changes", ann.changes)
		}
		n := 0
		for d, err := range changes {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if now = now.Apply(d.Value()); now.Tick == 2000 {
				break
			}
		}
		if n > 100 || !reflect.DeepEqual(now, ann.state) {
			t.Errorf("after %d changes %+v, want %+v", n, now, ann.state)
		}
		if p, _ := now.Player(ann.you); p.Score < 10 {
			t.Errorf("the player has %d gems", p.Score)
		}
	})
}

// Inputs that have waited for a network are soon behind: the last one counts.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		inputs := append(slices.Repeat([]world.Input{{X: -world.Full}}, 60), world.Input{X: world.Full})
		ann := b.play(b.connect(), "lobby", "ann", rpc.Of(inputs...))
		b.tick(len(inputs)/MaxInputs + 2)
		before, _ := ann.state.Player(ann.you)
		b.tick(1)
		if after, _ := ann.state.Player(ann.you); after.X != before.X+world.Speed {
			t.Errorf("moves from %d to %d", before.X, after.X)
		}
	})
}

// A flood of inputs waits at its sender.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		sent := 0
		mallory := b.play(b.connect(), "lobby", "mallory", func(yield func(world.Input, error) bool) {
			for yield(world.Input{X: sent % world.Full}, nil) {
				sent++
			}
		})
		ben := b.play(b.connect(), "lobby", "ben", rpc.Of[world.Input]())
		b.tick(1)
		before := sent
		b.tick(1000)
		if read := sent - before; read > 1000*MaxInputs+1024 {
			t.Errorf("%d inputs were sent in 1,000 ticks", read)
		}
		if ben.changes != 1001 || mallory.changes != 1001 {
			t.Errorf("%d and %d changes", ben.changes, mallory.changes)
		}
		mallory.leave()
		b.tick(1)
		if names(ben.state) != "ben" {
			t.Errorf("still there: %s", names(ben.state))
		}
	})
}

func TestRefusesNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		arena := b.connect()
		for _, name := range []string{"", "  ", strings.Repeat("x", MaxName+1), strings.Repeat("ö", MaxName+1), "a\x00b", "line\nbreak", "\u202etfel", "\xff"} {
			_, _, _, err := arena.Play(t.Context(), "lobby", name, rpc.Of[world.Input]())
			if e, ok := errors.AsType[*BadName](err); !ok || *e != (BadName{"name", MaxName}) {
				t.Errorf("the name %q: %v", name, err)
			}
			_, _, err = arena.Watch(t.Context(), name)
			if e, ok := errors.AsType[*BadName](err); !ok || *e != (BadName{"room", MaxName}) {
				t.Errorf("the room %q: %v", name, err)
			}
		}
		b.play(arena, "Öde Höhle", strings.Repeat("ö", MaxName), rpc.Of[world.Input]())
		if len(b.host.rooms) != 1 {
			t.Errorf("%d rooms", len(b.host.rooms))
		}
	})
}

// An input out of range ends the stream of changes with its error, and the player leaves.
func TestRefusesInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		ben := b.watch(b.connect(), "lobby")
		for _, in := range []world.Input{{X: world.Full + 1}, {Y: -world.Full - 1}, {X: math.MaxInt, Y: math.MinInt}} {
			ann := b.play(b.connect(), "lobby", "ann", rpc.Of(world.Input{X: 1}, in))
			b.tick(3)
			if e, ok := errors.AsType[*BadInput](ann.err); !ok || e.Max != world.Full {
				t.Errorf("%+v: %v", in, ann.err)
			}
			if names(ben.state) != "" {
				t.Errorf("%+v: still there: %s", in, names(ben.state))
			}
		}
	})
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		refused := func(err error, what string, max int) {
			t.Helper()
			if e, ok := errors.AsType[*Full](err); !ok || *e != (Full{what, max}) {
				t.Errorf("got %v, want that there are %d %s", err, max, what)
			}
		}
		var players []*viewer
		arena := b.connect()
		for i := range MaxPlayers {
			players = append(players, b.play(arena, "lobby", fmt.Sprint(i), rpc.Of[world.Input]()))
		}
		_, _, _, err := arena.Play(t.Context(), "lobby", "late", rpc.Of[world.Input]())
		refused(err, "players", MaxPlayers)

		others := []Arena{b.connect(), b.connect()}
		for i := range MaxPeople - MaxPlayers {
			b.watch(others[i%2], "lobby")
		}
		_, _, err = arena.Watch(t.Context(), "lobby")
		refused(err, "people", MaxPeople)

		for i := range MaxRooms - 1 {
			b.watch(others[i%2], fmt.Sprint("room ", i))
		}
		_, _, err = arena.Watch(t.Context(), "one more")
		refused(err, "rooms", MaxRooms)

		players[0].leave()
		synctest.Wait()
		b.play(arena, "lobby", "late", rpc.Of[world.Input]())
	})
}

// A room ends with the last who is in it, however their connections end.
func TestRoomsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t)
		conn := rpctest.Pair(t.Context(), t, b.srv, nil)
		b.play(NewArenaClient(conn), "lobby", "ann", rpc.Of[world.Input]())
		b.watch(NewArenaClient(conn), "cellar")
		if len(b.host.rooms) != 2 {
			t.Errorf("%d rooms", len(b.host.rooms))
		}
		conn.Close()
		synctest.Wait()
		if len(b.host.rooms) != 0 {
			t.Errorf("%d rooms are left", len(b.host.rooms))
		}
	})
}

// Bots play at 30 ticks a second over connections that are cut again and again: nobody
// leaves, and in the end all have the same state as the host.
func TestBotsOverCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bots, seconds = 5, 20
		b, network := newFixture(t), &rpctest.Network{}
		server := &http.Server{Handler: b.srv}
		go server.Serve(network.Listen())
		ticker := time.NewTicker(Tick)
		defer ticker.Stop()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go b.host.Run(ctx, ticker.C)

		states := make([]world.State, bots)
		seen, ended := make([]int, bots), make(chan error, bots)
		for i := range bots {
			conn, err := rpc.Dial(t.Context(), "ws://arena", &rpc.DialOptions{Resume: true, NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return network.Dial(ctx, "tcp", "any")
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				ended <- PlayBot(t.Context(), NewArenaClient(conn), "lobby", fmt.Sprint("bot ", i), func(s world.State) { states[i], seen[i] = s, seen[i]+1 })
			}()
		}
		for range seconds {
			time.Sleep(time.Second)
			network.Cut()
		}
		time.Sleep(10 * time.Second) // all are back
		stop()
		synctest.Wait()
		want := b.host.rooms["lobby"].frame.state
		for i, s := range states {
			if !reflect.DeepEqual(s, want) {
				t.Errorf("bot %d has tick %d: %+v\nwant %+v", i, s.Tick, s.Players, want.Players)
			}
			if p := want.Players[i]; p.Score < 5 {
				t.Errorf("%s has %d gems after %d seconds", p.Name, p.Score, seconds+10)
			}
		}
		if ticks := int((seconds + 10) * time.Second / Tick); want.Tick < ticks-1 || want.Tick > ticks+1 || slices.Max(seen) > ticks {
			t.Errorf("%d ticks in %d seconds, of which bots saw %v", want.Tick, seconds+10, seen)
		}
		if n := network.Stats().Cuts; n < bots*seconds/2 {
			t.Errorf("only %d cuts", n)
		}
		if len(ended) > 0 {
			t.Errorf("a bot has ended: %v", <-ended)
		}
		server.Close()
		b.srv.Close()
	})
}
