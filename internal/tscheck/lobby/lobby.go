// Package lobby has a stream of presence, which a page follows as docs/presence.md shows.
package lobby

import (
	"context"
	"iter"

	"github.com/wirecall/wirecall/rpc/presence"
)

//go:generate go tool wirecall gen

// Lobby tells who is in which game.
//
//wirecall:service
type Lobby interface {
	//wirecall:cursor after=Number
	Join(ctx context.Context, game, who string, after int) (iter.Seq2[presence.Change[Player], error], error)
}

// A Player is what all see of somebody in a game.
type Player struct {
	Ready bool
}
