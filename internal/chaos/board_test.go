package chaos

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc"
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
	node string
	bus  topic.Bus
	nc   *nats.Conn // what has run is published there
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
