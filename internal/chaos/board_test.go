package chaos

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/presence"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Board is what each node serves.
//
//wirecall:service
//wirecall:error topic.GapError
type Board interface {
	// Post stores a post of a room, once for its id.
	Post(ctx context.Context, room string, post Post) (topic.Seq, error)

	// Posts streams the posts of a room.
	//
	//wirecall:cursor after=Seq
	Posts(ctx context.Context, room string, after topic.Seq) (iter.Seq2[topic.Event[Post], error], error)

	// Work reports that it runs, and returns after some milliseconds.
	Work(ctx context.Context, id string, ms int) (string, error)

	// Ticks streams numbers from 1 on, until the node shuts down.
	Ticks(ctx context.Context) (iter.Seq2[int, error], error)

	// Once notes that a call has run.
	Once(ctx context.Context, id string) error

	// Tell notes a notification of a source, which counts them.
	//
	//wirecall:notify
	Tell(ctx context.Context, source string, n int) error

	// Double streams each number twice.
	Double(ctx context.Context, numbers iter.Seq2[int, error]) (iter.Seq2[int, error], error)

	// Enter has somebody in a place until the connection ends.
	Enter(ctx context.Context, place, who string) error

	// Watch tells who is in a place, with their nodes.
	//
	//wirecall:cursor after=Number
	Watch(ctx context.Context, place string, after int) (iter.Seq2[presence.Change[string], error], error)

	// Sign has the caller's phone ring when somebody rings a user.
	Sign(ctx context.Context, user string) error

	// Ring rings a user, wherever she is. It returns whose phone has rung, or that nobody
	// has this one.
	Ring(ctx context.Context, user, id string, ms int) (rang string, nobody bool, err error)

	// Nodes returns the name of this node and those of all that it knows.
	Nodes(ctx context.Context) (own string, all []string, err error)

	// Report returns what Once and Tell have noted on this node.
	Report(ctx context.Context) (Report, error)
}

// Phone is what users serve.
//
//wirecall:service
type Phone interface {
	// Ring returns after some milliseconds whose phone it is.
	Ring(ctx context.Context, id string, ms int) (user string, err error)
}

// A Report is what has run on a node.
type Report struct {
	Ran  map[string]int // how often, by the ids of calls
	Told map[string]int // the last notification of each source
	Lost []string       // notifications that came in another order
}

// A Post is by somebody who counts his posts.
type Post struct {
	Author string
	N      int
}

// id returns what Post stores the post once for.
func (p Post) id() string { return fmt.Sprintf("%s:%d", p.Author, p.N) }

// classOfRooms is the class of the topics that rooms are.
const classOfRooms = "room"

// A board serves Board on a node.
type board struct {
	node   string
	bus    topic.Bus
	nc     *nats.Conn // what has run is published there
	here   presence.Registry
	member *cluster.Node

	mu     sync.Mutex
	report Report
}

func (b *board) room(name string) *topic.Topic[Post] {
	return topic.New[Post](b.bus, topic.Name(classOfRooms, name))
}

func (b *board) Post(ctx context.Context, room string, p Post) (topic.Seq, error) {
	return b.room(room).PublishOnce(ctx, p.id(), p)
}

func (b *board) Posts(ctx context.Context, room string, after topic.Seq) (iter.Seq2[topic.Event[Post], error], error) {
	return b.room(room).Subscribe(ctx, after), nil
}

// ran is the subject at which calls say that they run.
const ran = "chaos.ran"

func (b *board) Work(ctx context.Context, id string, ms int) (string, error) {
	if err := b.nc.Publish(ran, []byte(id)); err != nil {
		return "", err
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return b.node, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (b *board) Ticks(ctx context.Context) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for n := 1; yield(n, nil); n++ {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-rpc.Draining(ctx):
				return
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

func (b *board) Once(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.report.Ran == nil {
		b.report.Ran = make(map[string]int)
	}
	b.report.Ran[id]++
	return nil
}

func (b *board) Tell(_ context.Context, source string, n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.report.Told == nil {
		b.report.Told = make(map[string]int)
	}
	if last := b.report.Told[source]; n != last+1 {
		b.report.Lost = append(b.report.Lost, fmt.Sprintf("%d comes after %d of %s", n, last, source))
	}
	b.report.Told[source] = n
	return nil
}

func (b *board) Double(_ context.Context, numbers iter.Seq2[int, error]) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for n, err := range numbers {
			if !yield(n, err) || err == nil && !yield(n, nil) {
				return
			}
		}
	}, nil
}

func (b *board) place(name string) *presence.Room[string] { return presence.New[string](b.here, name) }

func (b *board) Enter(ctx context.Context, place, who string) error {
	_, err := b.place(place).Enter(ctx, who, b.node)
	return err
}

func (b *board) Watch(ctx context.Context, place string, _ int) (iter.Seq2[presence.Change[string], error], error) {
	return b.place(place).Watch(ctx), nil
}

func (b *board) Sign(ctx context.Context, user string) error {
	return b.member.Bind(ctx, "user."+user)
}

func (b *board) Ring(ctx context.Context, user, id string, ms int) (rang string, nobody bool, err error) {
	rang, err = NewPhoneClient(b.member.Peer("user."+user)).Ring(ctx, id, ms)
	if errors.Is(err, rpc.CodeUnavailable) && rpc.NotRun(err) {
		return "", true, nil
	}
	return rang, false, err
}

func (b *board) Nodes(context.Context) (own string, all []string, err error) {
	for _, n := range b.member.Nodes() {
		all = append(all, n.Name)
	}
	return b.member.Name(), all, nil
}

func (b *board) Report(context.Context) (Report, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Report{maps.Clone(b.report.Ran), maps.Clone(b.report.Told), slices.Clone(b.report.Lost)}, nil
}
