// Package arena is a small online game: players in a room move and collect gems, and
// others watch. It runs on any number of nodes.
//
// The server has authority: what a player wants comes up as a stream of inputs, and 30
// times a second one node computes the state of a room and publishes what has changed to
// the room's topic. All nodes follow the topics of the rooms that people of theirs are in,
// so that a player may be connected to any of them. Each change is encoded once for all
// streams of a node.
//
// The topic also decides which node computes. A change is published on the condition that
// the one before is the last of the topic. So there is one order of changes, whatever the
// nodes do, and a node that has been replaced finds out with its next change. If no change
// comes for [Silence], whoever publishes the next one has the room, and goes on from the
// last state.
//
// The interface is in this file, the rules in package world. host.go has what one node
// does for its clients, room.go how it follows and leads a room, reports.go how inputs come
// to the node that leads. cmd/arena serves the game with a page for it, and has bots.
package arena

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc/topic"
)

//go:generate go tool wirecall gen -ts web/src/api

// Arena is the game. A room is made by whoever comes first.
//
//wirecall:service
//wirecall:error BadName 3001
//wirecall:error Full 3002
type Arena interface {
	// Enter makes a player, who is in no room yet.
	//
	//wirecall:idempotent
	Enter(ctx context.Context) (Ticket, error)

	// Play has a player in a room, under a name, until the call ends. A player who comes
	// back within Absence after a node was lost, to any node, still has its gems.
	// An input holds until the next one. More than MaxInputs a tick are not read, which
	// holds up their sender alone. The first that is out of range ends the call with a
	// *BadInput.
	//
	//wirecall:error BadInput 3003
	Play(ctx context.Context, room, name, key string, inputs iter.Seq2[world.Input, error]) error

	// Watch streams how a room changes, with each tick. It begins with a state. A client
	// that goes on behind an event, on any node, misses none; one that has come too far
	// behind gets a *topic.GapError and begins anew.
	//
	//wirecall:error topic.GapError 3004
	//wirecall:cursor after=Seq
	Watch(ctx context.Context, room string, after topic.Seq) (iter.Seq2[topic.Event[Frame], error], error)
}

// A Ticket is what a client knows of its player.
type Ticket struct {
	You int64  `json:"you"` // the id, which everybody sees
	Key string `json:"key"` // lets whoever has it play
}

// A Frame is what everybody is to know of a tick: every SnapshotEvery ticks the state, and
// else what has changed since the frame before.
type Frame struct {
	State  *world.State `json:"state,omitempty"`
	Delta  *world.Delta `json:"delta,omitempty"`
	Node   string       `json:"node,omitempty"`   // that leads the room; with a state
	Vacant bool         `json:"vacant,omitempty"` // the node does not lead the room any more
}

// Apply returns the state that f makes of the one before.
func (f Frame) Apply(s world.State) world.State {
	switch {
	case f.State != nil:
		return *f.State
	case f.Delta != nil:
		return s.Apply(*f.Delta)
	}
	return s
}

// Times of the game.
const (
	Tick    = time.Second / 30 // between two states of a room
	Silence = 2 * time.Second  // after which another node leads a room
	Absence = 5 * time.Second  // after which players leave of whom no node reports
)

// SnapshotEvery is after how many frames at most there is one with a state.
const SnapshotEvery = 30

// Classes are the topics of the game. Their bus must keep these events at least.
var Classes = map[string]topic.Retention{
	"frames":  {Events: 300, Age: time.Minute},
	"reports": {Events: 100, Age: time.Minute},
}

// What a Host accepts.
const (
	MaxName    = 20  // characters of a name
	MaxRooms   = 64  // at a time, on a node
	MaxPlayers = 32  // in a room
	MaxPeople  = 256 // in a room, on a node, players and those who watch
	MaxInputs  = 4   // of a player, a tick
)

// playerID returns the id of the player with a key. It needs no memory, so that any node
// can say who has which key, and has 53 bits, so that it is a number in a page.
func playerID(key string) int64 {
	sum := sha256.Sum256([]byte(key))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 11)
}

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
