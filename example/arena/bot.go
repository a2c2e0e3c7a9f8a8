package arena

import (
	"context"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
)

// PlayBot plays under a name, from gem to gem, until ctx or the call ends. It calls seen
// with each state.
func PlayBot(ctx context.Context, arena Arena, room, name string, seen func(world.State)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	inputs := make(chan world.Input, 1)
	you, state, changes, err := arena.Play(ctx, room, name, rpc.FromChan(ctx, inputs, nil))
	if err != nil {
		return err
	}
	var last world.Input
	for change, err := range changes {
		if err != nil {
			return err
		}
		state = state.Apply(change.Value())
		seen(state)
		if in := world.Chase(state, you); in != last {
			select {
			case inputs <- in:
				last = in
			default: // the one before is still on its way
			}
		}
	}
	return nil
}
