package arena

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/example/internal/signal"
	"github.com/wirecall/wirecall/rpc"
)

// A Host is an Arena whose rooms it keeps in memory. Nothing waits while it has the mutex:
// it guards the rooms, their worlds and their frames, but no State, which is never changed.
type Host struct {
	mu    sync.Mutex
	rooms map[string]*room
	seed  uint64 // of the next room
}

// A room has the world of those who are in it.
type room struct {
	name    string
	world   *world.World
	frame   frame
	people  int // players and those who watch
	stepped signal.Signal
}

// A frame is what everybody is to know of a tick.
type frame struct {
	state world.State
	delta rpc.Shared[world.Delta] // from the tick before
}

// Type changes is what methods stream.
type changes = iter.Seq2[rpc.Shared[world.Delta], error]

// NewHost returns a Host without rooms. The seed decides where gems and players are.
func NewHost(seed uint64) *Host {
	return &Host{rooms: make(map[string]*room), seed: seed}
}

// Run makes a tick in all rooms whenever ticks has an item, until ctx ends.
func (h *Host) Run(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ticks:
			h.step()
		case <-ctx.Done():
			return
		}
	}
}

func (h *Host) step() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rooms {
		r.world.Step()
		state := r.world.State()
		r.frame = frame{state, rpc.Share(world.Diff(r.frame.state, state))}
		r.stepped.Fire()
	}
}

// Play reads the inputs on a goroutine of its own, which ends with the call.
func (h *Host) Play(ctx context.Context, roomName, name string, inputs iter.Seq2[world.Input, error]) (you int, now world.State, _ changes, err error) {
	if err := check("name", name); err != nil {
		return 0, now, nil, err
	}
	r, you, now, err := h.enter(roomName, name)
	if err != nil {
		return 0, now, nil, err
	}
	return you, now, func(yield func(rpc.Shared[world.Delta], error) bool) {
		defer h.leave(r, you)
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		go func() {
			if err := h.steer(ctx, r, you, inputs); err != nil {
				stop(err)
			}
		}()
		h.follow(ctx, r, now, yield)
	}, nil
}

func (h *Host) Watch(ctx context.Context, roomName string) (now world.State, _ changes, err error) {
	r, _, now, err := h.enter(roomName, "")
	if err != nil {
		return now, nil, err
	}
	return now, func(yield func(rpc.Shared[world.Delta], error) bool) {
		defer h.leave(r, 0)
		h.follow(ctx, r, now, yield)
	}, nil
}

// enter adds a person to a room: a player, if it has a name. A player is in the world from
// the next tick on.
func (h *Host) enter(roomName, name string) (r *room, id int, now world.State, err error) {
	if err := check("room", roomName); err != nil {
		return nil, 0, now, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r = h.rooms[roomName]
	switch {
	case r == nil && len(h.rooms) == MaxRooms:
		return nil, 0, now, &Full{"rooms", MaxRooms}
	case r == nil:
		r = h.open(roomName)
	case r.people == MaxPeople:
		return nil, 0, now, &Full{"people", MaxPeople}
	case name != "" && r.world.Players() == MaxPlayers:
		return nil, 0, now, &Full{"players", MaxPlayers}
	}
	r.people++
	if name != "" {
		id = r.world.Enter(name)
	}
	return r, id, r.frame.state, nil
}

// open makes a room. The mutex is held.
func (h *Host) open(name string) *room {
	r := &room{name: name, world: world.New(h.seed)}
	r.frame.state = r.world.State()
	h.rooms[name] = r
	h.seed++
	return r
}

// leave removes a person from a room, and the room with the last.
func (h *Host) leave(r *room, id int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.world.Leave(id)
	if r.people--; r.people == 0 {
		delete(h.rooms, r.name)
	}
}

// steer passes inputs on to the world, and waits for a tick after each MaxInputs of them:
// with more than one a tick a sender that has fallen behind catches up. Without more of
// them the player goes on as the last one says.
func (h *Host) steer(ctx context.Context, r *room, id int, inputs iter.Seq2[world.Input, error]) error {
	n := 0
	for in, err := range inputs {
		if err != nil {
			return err
		}
		if !in.Valid() {
			return &BadInput{world.Full}
		}
		stepped := r.stepped.Next()
		h.mu.Lock()
		r.world.Steer(id, in)
		h.mu.Unlock()
		if n++; n%MaxInputs != 0 {
			continue
		}
		select {
		case <-stepped:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// follow yields how a room changes from a state on. It has no queue: what it yields is
// the difference of what it has yielded last and what there is.
func (h *Host) follow(ctx context.Context, r *room, last world.State, yield func(rpc.Shared[world.Delta], error) bool) {
	for {
		stepped := r.stepped.Next()
		f := h.frame(r)
		if f.state.Tick == last.Tick {
			select {
			case <-stepped:
				continue
			case <-ctx.Done():
				yield(rpc.Shared[world.Delta]{}, context.Cause(ctx))
				return
			}
		}
		if f.state.Tick > last.Tick+1 {
			f.delta = rpc.Share(world.Diff(last, f.state))
		}
		if !yield(f.delta, nil) {
			return
		}
		last = f.state
	}
}

func (h *Host) frame(r *room) frame {
	h.mu.Lock()
	defer h.mu.Unlock()
	return r.frame
}

// check returns a *BadName unless a name can be shown.
func check(what, name string) error {
	hidden := func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }
	if utf8.RuneCountInString(name) > MaxName || strings.TrimSpace(name) == "" || strings.ContainsFunc(name, hidden) {
		return &BadName{what, MaxName}
	}
	return nil
}
