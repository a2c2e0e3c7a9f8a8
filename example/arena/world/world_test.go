package world

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// at returns a world of one player at a place, and of one gem.
func at(x, y int, gem Gem) *World {
	w := New(1)
	w.Enter(1, "ann")
	w.state.Players[0].X, w.state.Players[0].Y = x, y
	w.state.Gems = append(make([]Gem, Gems-1), gem) // the others are in a corner
	return w
}

func TestMoves(t *testing.T) {
	for _, test := range []struct {
		name         string
		x, y         int
		input        Input
		ticks        int
		wantX, wantY int
	}{
		{name: "still", x: 500, y: 500, ticks: 3, wantX: 500, wantY: 500},
		{name: "right", x: 500, y: 500, input: Input{Full, 0}, ticks: 3, wantX: 500 + 3*Speed, wantY: 500},
		{name: "up at half speed", x: 500, y: 500, input: Input{0, -Full / 2}, ticks: 2, wantX: 500, wantY: 500 - 2*(Speed/2)},
		{name: "a diagonal is not faster", x: 500, y: 500, input: Input{Full, Full}, ticks: 1, wantX: 506, wantY: 506},
		{name: "right wall", x: Size - Radius - 1, y: 500, input: Input{Full, 0}, ticks: 2, wantX: Size - Radius, wantY: 500},
		{name: "along a wall", x: 500, y: Size - Radius, input: Input{Full, Full}, ticks: 1, wantX: 506, wantY: Size - Radius},
		{name: "an invalid input", x: 500, y: 500, input: Input{Full + 1, 0}, ticks: 1, wantX: 500, wantY: 500},
	} {
		w := at(test.x, test.y, Gem{})
		w.Steer(w.state.Players[0].ID, test.input)
		for range test.ticks {
			w.Step()
		}
		if p := w.State().Players[0]; p.X != test.wantX || p.Y != test.wantY || p.Score != 0 {
			t.Errorf("%s: %+v, want %d, %d", test.name, p, test.wantX, test.wantY)
		}
	}
}

func TestCollects(t *testing.T) {
	const touch = Radius + GemRadius
	for _, test := range []struct {
		x, y int
		want int
	}{{500, 500, 1}, {500 + touch, 500, 1}, {500 + touch + 1, 500, 0}, {500 + touch, 501, 0}, {500 + 24, 500 + 24, 1}} {
		w := at(test.x, test.y, Gem{ID: 1, X: 500, Y: 500})
		w.Step()
		s := w.State()
		if _, lies := find(s.Gems, 1, gemID); s.Players[0].Score != test.want || lies == (test.want == 1) || len(s.Gems) != Gems {
			t.Errorf("at %d, %d: %+v", test.x, test.y, s)
		}
	}
	for ben, want := range []int{1, 0, 0} { // and ann has one
		w := at(500, 500, Gem{ID: 1, X: 520, Y: 500})
		w.Enter(2, "ben")
		w.state.Players[1].X, w.state.Players[1].Y = 520, 500
		w.state.Players[0].Score, w.state.Players[1].Score = 1, ben
		w.Step()
		if got := w.State().Players[1].Score - ben; got != want {
			t.Errorf("ben, who had %d, got %d gems", ben, got)
		}
	}
}

func TestLeave(t *testing.T) {
	w := New(1)
	w.Enter(1, "ann")
	w.Leave(1)
	w.Leave(1)
	w.Steer(1, Input{Full, 0})
	w.Enter(2, "ben")
	if players := w.Players(); !slices.Equal(players, []int64{2}) || len(w.inputs) != 1 {
		t.Errorf("the players %d, %d inputs", players, len(w.inputs))
	}
}

// A world that goes on from a state has its players, who stay who they are, and gives no
// gem the id of another.
func TestResume(t *testing.T) {
	game := play(3, 300)
	i := slices.IndexFunc(game, func(s State) bool { return s.Tick > 100 && len(s.Players) > 2 })
	was := game[i]
	w := Resume(2, was)
	if !equal(w.State(), was) {
		t.Errorf("goes on from %+v, was %+v", w.State(), was)
	}
	ids := make(map[int]State) // of the last state with each gem
	for range 600 {
		s := w.State()
		for i, p := range s.Players {
			w.Enter(p.ID, "somebody else")
			w.Steer(p.ID, Chase(s, p.ID))
			if p.Name != was.Players[i].Name || p.Score < was.Players[i].Score {
				t.Fatalf("the player %+v was %+v", p, was.Players[i])
			}
		}
		for _, g := range s.Gems {
			if last, was := ids[g.ID]; was && last.Tick != s.Tick-1 {
				t.Fatalf("a gem of tick %d has the id of one of tick %d", s.Tick, last.Tick)
			}
			ids[g.ID] = s
		}
		w.Step()
	}
	if len(ids) < 2*Gems {
		t.Errorf("only %d gems", len(ids))
	}
}

// play returns the states of a game at random: who enters, leaves and moves where.
func play(seed uint64, ticks int) (states []State) {
	random := rand.New(rand.NewPCG(seed, 1))
	w := New(seed)
	for range ticks {
		states = append(states, w.State())
		if random.IntN(10) == 0 {
			id := random.Int64N(100)
			w.Enter(id, fmt.Sprint("player ", id))
		}
		for _, p := range states[len(states)-1].Players {
			switch random.IntN(20) {
			case 0:
				w.Leave(p.ID)
			case 1:
				w.Steer(p.ID, Input{random.IntN(2*Full+1) - Full, random.IntN(2*Full+1) - Full})
			case 2:
				w.Steer(p.ID, Chase(w.State(), p.ID))
			}
		}
		w.Step()
	}
	return states
}

// equal compares states, for which a list of nothing and no list are the same.
func equal(a, b State) bool {
	return a.Tick == b.Tick && slices.Equal(a.Players, b.Players) && slices.Equal(a.Gems, b.Gems)
}

// The same inputs make the same states, and other inputs others.
func TestReplay(t *testing.T) {
	for seed := range uint64(20) {
		game := play(seed, 300)
		if !slices.EqualFunc(game, play(seed, 300), equal) {
			t.Errorf("seed %d: the game was another when it was played again", seed)
		}
		if slices.EqualFunc(game, play(seed+1, 300), equal) {
			t.Errorf("seeds %d and %d make the same game", seed, seed+1)
		}
	}
}

// The difference of any two states makes the later of the earlier one, over the wire, and
// changes neither.
func TestDeltas(t *testing.T) {
	scored := 0
	for seed := range uint64(20) {
		game, untouched := play(seed, 300), play(seed, 300)
		random := rand.New(rand.NewPCG(seed, 2))
		for i := 0; i < len(game)-1; {
			j := min(i+1+random.IntN(1+random.IntN(60)), len(game)-1)
			raw, err := json.Marshal(Diff(game[i], game[j]))
			if err != nil {
				t.Fatal(err)
			}
			var d Delta
			if err := json.Unmarshal(raw, &d); err != nil {
				t.Fatal(err)
			}
			if got := game[i].Apply(d); !equal(got, game[j]) {
				t.Fatalf("seed %d, from tick %d to %d: %+v, want %+v", seed, i, j, got, game[j])
			}
			i = j
		}
		if !slices.EqualFunc(game, untouched, equal) {
			t.Fatalf("seed %d: a state has been changed", seed)
		}
		for _, p := range game[len(game)-1].Players {
			scored += p.Score
		}
	}
	if scored == 0 {
		t.Error("nobody has collected anything")
	}
}

// All bots collect, also where there are others.
func TestChase(t *testing.T) {
	for seed := range uint64(20) {
		w := New(seed)
		for id := range int64(6) {
			w.Enter(id, "bot")
		}
		for range 600 {
			s := w.State()
			for _, p := range s.Players {
				w.Steer(p.ID, Chase(s, p.ID))
			}
			w.Step()
		}
		for _, p := range w.State().Players {
			if p.Score < 10 {
				t.Errorf("seed %d: %d gems in 20 seconds", seed, p.Score)
			}
		}
	}
	if in := Chase(State{}, 1); in != (Input{}) {
		t.Errorf("without a player: %+v", in)
	}
}
