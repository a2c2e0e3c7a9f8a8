// Package world is the rules of the arena, without a clock and without I/O: players move
// and collect gems. The same seed and the same calls make the same states on any machine,
// because all numbers are integers.
package world

import (
	"math/rand/v2"
	"slices"
)

// Sizes are in units; the arena is a square of Size by Size with 0, 0 at the top left.
const (
	Size      = 1000
	Radius    = 22 // of a player
	GemRadius = 12
	Gems      = 12  // that there are at any time
	Speed     = 9   // units a tick at full tilt
	Full      = 100 // the tilt of an input along one axis, at most
)

// An Input is the direction and the speed that a player wants, from -Full to Full along
// each axis. Together they are at most full speed, so that a diagonal is not faster.
type Input struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Valid reports whether both tilts are in range.
func (in Input) Valid() bool {
	return -Full <= in.X && in.X <= Full && -Full <= in.Y && in.Y <= Full
}

// step returns how far the input moves a player in a tick.
func (in Input) step() (dx, dy int) {
	length := max(Full, root(in.X*in.X+in.Y*in.Y))
	return in.X * Speed / length, in.Y * Speed / length
}

// root returns the square root of a small n, rounded up.
func root(n int) (r int) {
	for r*r < n {
		r++
	}
	return r
}

// A World is the state of one arena. It must not be used concurrently.
type World struct {
	random *rand.Rand
	state  State
	inputs map[int64]Input // by player
	gems   int             // that have ever been here: the last one's id
}

// New returns a World without players, at tick 0.
func New(seed uint64) *World {
	return Resume(seed, State{})
}

// Resume returns a World that goes on from a state, in which players stand still.
func Resume(seed uint64, s State) *World {
	w := &World{random: rand.New(rand.NewPCG(seed, uint64(s.Tick))), inputs: make(map[int64]Input)}
	w.state = State{s.Tick, slices.Clone(s.Players), slices.Clone(s.Gems)}
	for _, p := range s.Players {
		w.inputs[p.ID] = Input{}
	}
	for _, g := range s.Gems {
		w.gems = max(w.gems, g.ID)
	}
	w.placeGems()
	return w
}

// Enter adds a player at a random place. One that is here already stays where it is.
func (w *World) Enter(id int64, name string) {
	i, here := index(w.state.Players, id, playerID)
	if here {
		return
	}
	w.inputs[id] = Input{}
	w.state.Players = slices.Insert(w.state.Players, i, Player{ID: id, Name: name, X: w.place(Radius), Y: w.place(Radius)})
}

// Leave removes a player.
func (w *World) Leave(id int64) {
	delete(w.inputs, id)
	w.state.Players = slices.DeleteFunc(w.state.Players, func(p Player) bool { return p.ID == id })
}

// Steer sets the input of a player, which holds until the next one. A player that has left
// and an invalid input are ignored.
func (w *World) Steer(id int64, in Input) {
	if _, here := w.inputs[id]; here && in.Valid() {
		w.inputs[id] = in
	}
}

// Step makes a tick: all players move, and then collect what they touch. A gem that several
// touch goes to the one who has the fewest, or to the first of those by id. Each gem that is
// collected is replaced by another.
func (w *World) Step() {
	w.state.Tick++
	for i := range w.state.Players {
		p := &w.state.Players[i]
		dx, dy := w.inputs[p.ID].step()
		p.X, p.Y = inside(p.X+dx), inside(p.Y+dy)
	}
	w.state.Gems = slices.DeleteFunc(w.state.Gems, w.collect)
	w.placeGems()
}

// collect gives a gem to a player, and reports whether one touches it.
func (w *World) collect(g Gem) bool {
	const reach = Radius + GemRadius
	var taker *Player
	for i := range w.state.Players {
		p := &w.state.Players[i]
		if distance(*p, g) <= reach*reach && (taker == nil || p.Score < taker.Score) {
			taker = p
		}
	}
	if taker != nil {
		taker.Score++
	}
	return taker != nil
}

// distance returns the square of the distance between the centers of a player and a gem.
func distance(p Player, g Gem) int {
	return (g.X-p.X)*(g.X-p.X) + (g.Y-p.Y)*(g.Y-p.Y)
}

// Players returns the ids of the players.
func (w *World) Players() []int64 {
	ids := make([]int64, len(w.state.Players))
	for i, p := range w.state.Players {
		ids[i] = p.ID
	}
	return ids
}

// State returns a copy of the state.
func (w *World) State() State {
	return State{w.state.Tick, slices.Clone(w.state.Players), slices.Clone(w.state.Gems)}
}

// placeGems adds the gems that are missing.
func (w *World) placeGems() {
	for len(w.state.Gems) < Gems {
		w.gems++
		w.state.Gems = append(w.state.Gems, Gem{ID: w.gems, X: w.place(GemRadius), Y: w.place(GemRadius)})
	}
}

// place returns a random coordinate of something with a radius.
func (w *World) place(radius int) int {
	return radius + w.random.IntN(Size-2*radius+1)
}

// inside returns the coordinate of a player that is stopped by the walls.
func inside(at int) int {
	return min(max(at, Radius), Size-Radius)
}
