package arena

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/example/internal/signal"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// PlayBot plays under a name, from gem to gem, until ctx or the connection ends or a call
// is refused. It calls seen with each state.
func PlayBot(ctx context.Context, arena Arena, room, name string, seen func(world.State)) error {
	ticket, err := arena.Enter(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stick := &stick{}
	go func() {
		stop(again(ctx, func() error { return arena.Play(ctx, room, name, ticket.Key, stick.inputs(ctx)) }))
	}()
	err = Follow(ctx, arena, room, func(s world.State) {
		seen(s)
		stick.set(world.Chase(s, ticket.You))
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// Follow calls seen with each state of a room, until ctx ends or the call is refused.
func Follow(ctx context.Context, arena Arena, room string, seen func(world.State)) error {
	return again(ctx, func() error {
		frames, err := arena.Watch(ctx, room, "")
		if err != nil {
			return err
		}
		var s world.State
		for e, err := range frames {
			if err != nil {
				return err
			}
			s = e.Value.Apply(s)
			seen(s)
		}
		return nil
	})
}

// again makes a call until it fails for good. What ends with a node, or is too far behind,
// goes on with another call a moment later.
func again(ctx context.Context, call func() error) error {
	for {
		err := call()
		_, behind := errors.AsType[*topic.GapError](err)
		if ctx.Err() != nil || !behind && !errors.Is(err, rpc.CodeSessionLost) && !errors.Is(err, rpc.CodeUnavailable) {
			return err
		}
		pause(ctx, Silence/4)
	}
}

// A stick has the input that a player wants. The zero stick is at rest.
type stick struct {
	mu    sync.Mutex
	input world.Input
	moved signal.Signal
}

func (s *stick) set(in world.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in != s.input {
		s.input = in
		s.moved.Fire()
	}
}

// inputs yields the input, and again when it has changed.
func (s *stick) inputs(ctx context.Context) iter.Seq2[world.Input, error] {
	return func(yield func(world.Input, error) bool) {
		for {
			moved := s.moved.Next()
			s.mu.Lock()
			in := s.input
			s.mu.Unlock()
			if !yield(in, nil) {
				return
			}
			select {
			case <-moved:
			case <-ctx.Done():
				yield(in, context.Cause(ctx))
				return
			}
		}
	}
}
