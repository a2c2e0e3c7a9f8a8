package arena

import (
	"context"
	"crypto/rand"
	"iter"
	"maps"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// A Host is the Arena of one node. It follows the rooms that people are in who are
// connected to it, and leads those that it has got.
type Host struct {
	bus  topic.Bus
	node string

	mu    sync.Mutex
	rooms map[string]*room
	runs  sync.WaitGroup // the goroutines of rooms
	done  bool           // closed
}

var _ Arena = (*Host)(nil)

// NewHost returns a Host whose rooms are those of all Hosts on the same bus. The name of
// its node must be that of no other.
func NewHost(bus topic.Bus, node string) *Host {
	return &Host{bus: bus, node: node, rooms: make(map[string]*room)}
}

// Close leaves all rooms, so that other nodes lead them at once. New calls are refused
// then.
func (h *Host) Close() {
	h.mu.Lock()
	h.done = true
	rooms := maps.Clone(h.rooms)
	h.mu.Unlock()
	for _, r := range rooms {
		r.stop()
	}
	h.runs.Wait()
}

// Enter implements Arena.
func (h *Host) Enter(context.Context) (Ticket, error) {
	key := rand.Text()
	return Ticket{playerID(key), key}, nil
}

// Play implements Arena.
func (h *Host) Play(ctx context.Context, roomName, name, key string, inputs iter.Seq2[world.Input, error]) error {
	if err := check("name", name); err != nil {
		return err
	}
	r, err := h.visit(ctx, roomName)
	if err != nil {
		return err
	}
	defer h.leave(r)
	p, err := r.players.enter(playerID(key), name, r.now())
	if err != nil {
		return err
	}
	defer r.players.leave(p)
	steered := make(chan error, 1)
	go func() { steered <- r.players.steer(ctx, p, inputs) }() // ends with the call, as inputs do
	select {
	case err := <-steered:
		return err
	case <-rpc.Draining(ctx):
		return errClosed()
	}
}

// Watch implements Arena. It returns the subscription as it is, so that the stream needs no
// goroutine: the room is left when the context of the call ends.
func (h *Host) Watch(ctx context.Context, roomName string, after topic.Seq) (iter.Seq2[topic.Event[Frame], error], error) {
	r, err := h.visit(ctx, roomName)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { h.leave(r) })
	if after == "" {
		after = r.beginning()
	}
	return r.frames.Subscribe(ctx, after), nil
}

// visit adds a person to a room, and waits until the state of the room is known here.
func (h *Host) visit(ctx context.Context, roomName string) (*room, error) {
	r, err := h.enter(roomName)
	if err != nil {
		return nil, err
	}
	select {
	case <-r.known:
		return r, nil
	case <-r.ended:
		err = errClosed()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	h.leave(r)
	return nil, err
}

// enter adds a person to a room.
func (h *Host) enter(roomName string) (*room, error) {
	if err := check("room", roomName); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[roomName]
	switch {
	case h.done:
		return nil, errClosed()
	case r == nil && len(h.rooms) == MaxRooms:
		return nil, &Full{"rooms", MaxRooms}
	case r == nil:
		r = h.open(roomName)
	case r.people == MaxPeople:
		return nil, &Full{"people", MaxPeople}
	}
	r.people++
	return r, nil
}

// open begins to follow a room. The mutex is held.
func (h *Host) open(name string) *room {
	r := newRoom(h.bus, h.node, name)
	h.rooms[name] = r
	h.runs.Go(r.run)
	return r
}

// leave removes a person from a room, and the room from this node with the last.
func (h *Host) leave(r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.people--; r.people == 0 {
		delete(h.rooms, r.name)
		r.stop()
	}
}

// errClosed returns what clients of a node that shuts down get. They find another.
func errClosed() error { return rpc.Errorf(rpc.CodeUnavailable, "the node shuts down") }

// check returns a *BadName unless a name can be shown.
func check(what, name string) error {
	hidden := func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }
	if utf8.RuneCountInString(name) > MaxName || strings.TrimSpace(name) == "" || strings.ContainsFunc(name, hidden) {
		return &BadName{what, MaxName}
	}
	return nil
}
