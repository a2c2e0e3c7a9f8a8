// Package arena is a small online game: players in a room move and collect gems, and
// others watch.
//
// It shows an authoritative server that sends the same to many. What a player wants comes
// up as a stream of inputs. What there is goes down as a snapshot and a stream of deltas,
// both results of one method. A delta is encoded once for all who have kept up; one who
// reads slowly gets what has changed since as one, and is never waited for.
//
// The interface is in this file, the rules in package world, the rooms in host.go;
// cmd/arena serves the game with a page for it, and has bots.
package arena

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen -ts web/src/api

// Tick is the time between two states of a room: there are 30 a second.
const Tick = time.Second / 30

// Arena is the game. A room is made by whoever comes first, and ends with the last.
//
//wirecall:service
//wirecall:error BadName 3001
//wirecall:error Full 3002
type Arena interface {
	// Play enters a room. It returns the id of the player, and what Watch does: the
	// player enters with the first change, and leaves with the end of the stream.
	// An input holds until the next one. More than MaxInputs a tick are not read, which
	// holds up their sender alone. The stream of changes ends with a *BadInput at the
	// first that is out of range.
	//
	//wirecall:error BadInput 3003
	Play(ctx context.Context, room, name string, inputs iter.Seq2[world.Input, error]) (you int, now world.State, changes iter.Seq2[rpc.Shared[world.Delta], error], err error)

	// Watch returns what there is in a room, and a stream of how that changes, with each
	// tick. For one who reads slowly several ticks come as one.
	Watch(ctx context.Context, room string) (now world.State, changes iter.Seq2[rpc.Shared[world.Delta], error], err error)
}

// What a Host accepts.
const (
	MaxName    = 24  // characters of a name
	MaxRooms   = 64  // at a time
	MaxPlayers = 32  // in a room
	MaxPeople  = 256 // in a room, players and those who watch
	MaxInputs  = 4   // of a player, a tick
)

// BadName is the error of the name of a room or a player that is empty, is too long, or
// has characters that are not shown.
type BadName struct {
	What string `json:"what"` // room or name
	Max  int    `json:"max"`  // characters
}

// Full is the error of what would be one too many.
type Full struct {
	What string `json:"what"` // rooms, players or people
	Max  int    `json:"max"`
}

// BadInput is the error of an input that no stick and no key makes.
type BadInput struct {
	Max int `json:"max"` // along each axis, in both directions
}

func (e *BadName) Error() string {
	return fmt.Sprintf("the %s must have 1 to %d visible characters", e.What, e.Max)
}
func (e *Full) Error() string     { return fmt.Sprintf("there are already %d %s", e.Max, e.What) }
func (e *BadInput) Error() string { return fmt.Sprintf("an input is from -%d to %[1]d", e.Max) }
