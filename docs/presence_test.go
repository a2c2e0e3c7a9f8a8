package docs_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/presence"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// Lobby tells who is in which game.
//
//wirecall:service
type Lobby interface {
	// Join tells who is in a game. The caller is in it until the stream ends.
	//
	//wirecall:cursor after=Number
	Join(ctx context.Context, game, who string, after int) (iter.Seq2[presence.Change[Player], error], error)

	// Ready says that somebody who has joined is ready.
	Ready(ctx context.Context, game, who string) error
}

// A Player is what all see of somebody in a game.
type Player struct {
	Ready bool
}

type lobby struct{ registry presence.Registry }

func (l *lobby) game(name string) *presence.Room[Player] {
	return presence.New[Player](l.registry, name)
}

// Join implements Lobby. It does not need the number after which a stream continues, since
// each watch begins with All.
func (l *lobby) Join(ctx context.Context, game, who string, _ int) (iter.Seq2[presence.Change[Player], error], error) {
	return func(yield func(presence.Change[Player], error) bool) {
		leave, err := l.game(game).Enter(ctx, who, Player{})
		if err != nil {
			yield(presence.Change[Player]{}, err)
			return
		}
		defer leave()
		l.game(game).Watch(ctx)(yield)
	}, nil
}

func (l *lobby) Ready(ctx context.Context, game, who string) error {
	return l.game(game).Update(ctx, who, Player{Ready: true})
}

// allReady joins a game and waits until so many players are in it and all are ready.
func allReady(ctx context.Context, c Lobby, game, who string, players int) error {
	changes, err := c.Join(ctx, game, who, 0)
	if err != nil {
		return err
	}
	here := make(map[string]Player)
	for change, err := range changes {
		if err != nil {
			return err
		}
		if change.All { // also where the stream continues on another connection
			if err := c.Ready(ctx, game, who); err != nil {
				return err
			}
		}
		if change.Apply(here); len(here) == players && !slices.Contains(slices.Collect(maps.Values(here)), Player{}) {
			return nil
		}
	}
	return nil
}

// Players wait for each other, over connections that are lost.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, srv := &rpctest.Network{}, rpc.NewServer(nil)
		srv.Register(LobbyService(&lobby{&presence.Memory{}}))
		serveInMemory(t, srv, network)
		names := []string{"ann", "bob", "carl", "dora"}
		done := make(chan error)
		for _, who := range names {
			conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() { done <- allReady(t.Context(), NewLobbyClient(conn), "chess", who, len(names)) }()
			synctest.Wait()
			network.Cut()
		}
		for range names {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
