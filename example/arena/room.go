package arena

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc/topic"
)

// A room is one room on this node: it follows what the node that leads it publishes, and
// leads it when that node has gone.
type room struct {
	name, node string
	frames     *topic.Topic[Frame]
	players    *players // of this node

	people int // that are in the room on this node; guarded by Host.mu

	stop  context.CancelFunc
	ctx   context.Context // until stop is called
	known chan struct{}   // closed when there is a state
	ended chan struct{}   // closed when run has returned

	mu    sync.Mutex
	state world.State
	begin topic.Seq // behind which the last frame with a state is

	// The goroutine of run has these.
	at     topic.Seq // the last frame that is applied
	expect topic.Seq // the last frame of the topic, as far as known
}

func newRoom(bus topic.Bus, node, name string) *room {
	ctx, stop := context.WithCancel(context.Background())
	return &room{
		name: name, node: node,
		frames:  topic.New[Frame](bus, topic.Name("frames", name)),
		players: newPlayers(bus, node, name),
		ctx:     ctx, stop: stop,
		known: make(chan struct{}), ended: make(chan struct{}),
	}
}

// run follows and leads the room in turn until it is stopped. While the bus fails it tries
// again and again.
func (r *room) run() {
	defer close(r.ended)
	var reporting sync.WaitGroup
	defer reporting.Wait()
	reporting.Go(func() { r.players.report(r.ctx) })
	logged := ""
	for r.ctx.Err() == nil {
		err := r.takeTurn()
		if err == nil || r.ctx.Err() != nil {
			continue
		}
		if text := err.Error(); text != logged {
			slog.Warn("arena: a room stands still, and is tried again", "room", r.name, "error", text)
			logged = text
		}
		pause(r.ctx, Silence/4)
	}
}

// takeTurn follows the room until nobody leads it, and then leads it until somebody else does.
func (r *room) takeTurn() error {
	free, err := r.look()
	if err != nil {
		return err
	}
	if !free {
		if err := r.follow(); err != nil {
			return err
		}
	}
	return r.lead()
}

// look sees who leads the room. If this node has not followed it, it finds where the last
// state is. It reports whether nobody leads it.
func (r *room) look() (free bool, err error) {
	last, some, err := r.frames.Last(r.ctx)
	switch {
	case err != nil:
		return false, err
	case !some:
		r.at, err = r.frames.Back(r.ctx, 0)
		return true, err
	case r.at == "":
		r.at, err = r.frames.Back(r.ctx, SnapshotEvery)
	}
	return last.Value.Vacant && last.Seq == r.at, err
}

var errSilent = errors.New("nobody leads the room")

// follow applies what another node publishes, until nobody leads the room.
func (r *room) follow() error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	silence := time.AfterFunc(Silence, func() { cancel(errSilent) })
	defer silence.Stop()
	for e, err := range r.frames.Subscribe(ctx, r.at) {
		if errors.Is(err, errSilent) {
			return nil
		}
		if err != nil {
			r.at = "" // what is missing is before the last state
			return err
		}
		silence.Reset(Silence)
		r.apply(e.Seq, e.Value)
		if e.Value.Vacant {
			return nil
		}
	}
	return nil
}

// lead computes the room and publishes it until this node is stopped, or another one has
// published. Whether a frame was stored that was answered with an error is seen by
// following.
func (r *room) lead() error {
	w := world.Resume(rand.Uint64(), r.now())
	reports := r.players.receive(r.ctx, w.Players())
	defer reports.stop()
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for n := 0; r.ctx.Err() == nil; n++ {
		reports.apply(w)
		w.Step()
		if replaced, err := r.publish(w.State(), n%SnapshotEvery == 0, false); replaced || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-r.ctx.Done():
		}
	}
	w.Step()
	_, err := r.publish(w.State(), true, true)
	return err
}

// publish publishes the frame of a tick, with the whole state or what has changed. It
// reports whether another node has published instead.
func (r *room) publish(s world.State, whole, vacant bool) (replaced bool, err error) {
	f := Frame{Vacant: vacant}
	if whole {
		f.State, f.Node = &s, r.node
	} else {
		d := world.Diff(r.now(), s)
		f.Delta = &d
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), Silence)
	defer cancel()
	at, err := r.frames.PublishAfter(ctx, r.expect, f)
	if conflict, ok := errors.AsType[*topic.ConflictError](err); ok {
		r.expect = conflict.Last
		return true, nil
	}
	if err == nil {
		r.apply(at, f)
	}
	return false, err
}

// apply takes a frame in. What is before the first state is of no use.
func (r *room) apply(at topic.Seq, f Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.State != nil {
		r.begin = r.at
		select {
		case <-r.known:
		default:
			close(r.known)
		}
	}
	r.state = f.Apply(r.state)
	r.at, r.expect = at, at
}

// now returns the state of the room. Before it is known, that is an empty one.
func (r *room) now() world.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// beginning returns the place behind which the last state is.
func (r *room) beginning() topic.Seq {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begin
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
