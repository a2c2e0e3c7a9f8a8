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
	random  *rand.Rand
	state   State
	inputs  map[int]Input // by player
	players int           // that have ever been here: the last one's id
	gems    int           // likewise
}

// New returns a World without players, at tick 0.
func New(seed uint64) *World {
	w := &World{random: rand.New(rand.NewPCG(seed, 0)), inputs: make(map[int]Input)}
	for range Gems {
		w.placeGem()
	}
	return w
}

// Enter adds a player at a random place and returns its id. Ids are never used again.
func (w *World) Enter(name string) (id int) {
	w.players++
	id = w.players
	w.inputs[id] = Input{}
	w.state.Players = append(w.state.Players, Player{ID: id, Name: name, X: w.place(Radius), Y: w.place(Radius)})
	return id
}

// Leave removes a player.
func (w *World) Leave(id int) {
	delete(w.inputs, id)
	w.state.Players = slices.DeleteFunc(w.state.Players, func(p Player) bool { return p.ID == id })
}

// Steer sets the input of a player, which holds until the next one. A player that has left
// and an invalid input are ignored.
func (w *World) Steer(id int, in Input) {
	if _, here := w.inputs[id]; here && in.Valid() {
		w.inputs[id] = in
	}
}

// Step makes a tick: all players move, and then collect what they touch. A gem that several
// touch goes to the one who has the fewest, or to the oldest of those. Each gem that is
// collected is replaced by another.
func (w *World) Step() {
	w.state.Tick++
	for i := range w.state.Players {
		p := &w.state.Players[i]
		dx, dy := w.inputs[p.ID].step()
		p.X, p.Y = inside(p.X+dx), inside(p.Y+dy)
	}
	w.state.Gems = slices.DeleteFunc(w.state.Gems, w.collect)
	for len(w.state.Gems) < Gems {
		w.placeGem()
	}
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

// Players returns how many players there are.
func (w *World) Players() int {
	return len(w.state.Players)
}

// State returns a copy of the state.
func (w *World) State() State {
	return State{w.state.Tick, slices.Clone(w.state.Players), slices.Clone(w.state.Gems)}
}

func (w *World) placeGem() {
	w.gems++
	w.state.Gems = append(w.state.Gems, Gem{ID: w.gems, X: w.place(GemRadius), Y: w.place(GemRadius)})
}

// place returns a random coordinate of something with a radius.
func (w *World) place(radius int) int {
	return radius + w.random.IntN(Size-2*radius+1)
}

// inside returns the coordinate of a player that is stopped by the walls.
func inside(at int) int {
	return min(max(at, Radius), Size-Radius)
}
