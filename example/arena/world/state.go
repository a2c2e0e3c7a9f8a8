package world

import (
	"cmp"
	"slices"
)

// A State is what there is at a tick, sorted by id. Nothing changes a State that a World
// has returned, so that many may read it.
type State struct {
	Tick    int      `json:"tick"`
	Players []Player `json:"players"`
	Gems    []Gem    `json:"gems"`
}

// A Player has the gems that it has collected as its score.
type Player struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	X     int    `json:"x"`
	Y     int    `json:"y"`
	Score int    `json:"score"`
}

// A Gem lies where it is until it is collected.
type Gem struct {
	ID int `json:"id"`
	X  int `json:"x"`
	Y  int `json:"y"`
}

// A Delta is what is different between two states of a world, however many ticks are
// between them.
type Delta struct {
	Tick    int      `json:"tick"` // of the later state
	Entered []Player `json:"entered,omitempty"`
	Moved   []Move   `json:"moved,omitempty"`
	Left    []int64  `json:"left,omitempty"` // ids of players
	Placed  []Gem    `json:"placed,omitempty"`
	Taken   []int    `json:"taken,omitempty"` // ids of gems
}

// A Move is the new place and score of a player.
type Move struct {
	ID    int64 `json:"id"`
	X     int   `json:"x"`
	Y     int   `json:"y"`
	Score int   `json:"score"`
}

// Player returns the player with an id.
func (s State) Player(id int64) (p Player, ok bool) {
	return find(s.Players, id, playerID)
}

// Diff returns the Delta that makes the state is of the state was.
func Diff(was, is State) Delta {
	d := Delta{Tick: is.Tick}
	d.Entered, d.Left = compare(was.Players, is.Players, playerID)
	d.Placed, d.Taken = compare(was.Gems, is.Gems, gemID)
	for _, p := range is.Players {
		if old, ok := was.Player(p.ID); ok && p != old {
			d.Moved = append(d.Moved, Move{p.ID, p.X, p.Y, p.Score})
		}
	}
	return d
}

// Apply returns the state that d makes of s, which is not changed.
func (s State) Apply(d Delta) State {
	s = State{d.Tick, change(s.Players, d.Entered, d.Left, playerID), change(s.Gems, d.Placed, d.Taken, gemID)}
	for _, m := range d.Moved {
		if i, ok := index(s.Players, m.ID, playerID); ok {
			p := &s.Players[i]
			p.X, p.Y, p.Score = m.X, m.Y, m.Score
		}
	}
	return s
}

func playerID(p Player) int64 { return p.ID }
func gemID(g Gem) int         { return g.ID }

// compare returns what only is has, and the ids of what only was has.
func compare[T any, ID cmp.Ordered](was, is []T, id func(T) ID) (added []T, removed []ID) {
	for _, v := range is {
		if _, ok := find(was, id(v), id); !ok {
			added = append(added, v)
		}
	}
	for _, v := range was {
		if _, ok := find(is, id(v), id); !ok {
			removed = append(removed, id(v))
		}
	}
	return added, removed
}

// change returns a copy of a list with what is added and without what is removed.
func change[T any, ID cmp.Ordered](list, added []T, removed []ID, id func(T) ID) []T {
	list = slices.DeleteFunc(slices.Clone(list), func(v T) bool { return slices.Contains(removed, id(v)) })
	for _, v := range added {
		i, _ := index(list, id(v), id)
		list = slices.Insert(list, i, v)
	}
	return list
}

func find[T any, ID cmp.Ordered](list []T, want ID, id func(T) ID) (v T, ok bool) {
	i, ok := index(list, want, id)
	if ok {
		v = list[i]
	}
	return v, ok
}

func index[T any, ID cmp.Ordered](list []T, want ID, id func(T) ID) (i int, ok bool) {
	return slices.BinarySearchFunc(list, want, func(v T, want ID) int { return cmp.Compare(id(v), want) })
}

// Chase returns the input that takes a player to the nearest of the gems to which the
// fewest others are nearer. This is how bots play.
func Chase(s State, player int64) Input {
	p, ok := s.Player(player)
	if !ok || len(s.Gems) == 0 {
		return Input{}
	}
	nearer := func(g Gem) (n int) {
		for _, other := range s.Players {
			if distance(other, g) < distance(p, g) {
				n++
			}
		}
		return n
	}
	g := slices.MinFunc(s.Gems, func(a, b Gem) int {
		return cmp.Or(cmp.Compare(nearer(a), nearer(b)), cmp.Compare(distance(p, a), distance(p, b)))
	})
	length := max(1, root(distance(p, g)))
	return Input{(g.X - p.X) * Full / length, (g.Y - p.Y) * Full / length}
}
