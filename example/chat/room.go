package chat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/wirecall/wirecall/rpc/presence"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Class is the class of the topic that has the messages. Their bus must have it.
const Class = "chat"

// A room is a Room.
type room struct {
	messages *topic.Topic[Message] // without ids: those are the places in the topic
	visitors
}

// NewRoom opens the room whose messages are kept by a bus and whose visitors are in a
// registry. All rooms of the same bus and registry are one.
func NewRoom(bus topic.Bus, registry presence.Registry) Room {
	return &room{topic.New[Message](bus, topic.Name(Class, "room")), visitors{presence.New[visitor](registry, "room")}}
}

// InMemory opens a room that lasts as long as the process.
func InMemory() Room {
	return NewRoom(&topic.Memory{Retention: topic.Retention{Events: 100_000}}, &presence.Memory{})
}

func (r *room) Post(ctx context.Context, author, text string) (Message, error) {
	return r.post(ctx, Message{Author: author, Text: text})
}

func (r *room) post(ctx context.Context, m Message) (Message, error) {
	if err := check("author", m.Author, MaxAuthor); err != nil {
		return Message{}, err
	}
	if err := check("text", m.Text, MaxText); err != nil {
		return Message{}, err
	}
	if m.ID = 0; m.Time.IsZero() {
		m.Time = time.Now()
	}
	seq, err := r.messages.Publish(ctx, m)
	m.ID = int64(seq.Number())
	return m, err
}

func check(what, s string, max int) error {
	if len(s) > max {
		return &TooLong{What: what, Size: len(s), Max: max}
	}
	return nil
}

// Messages subscribes to the topic behind an id. An iterator around the subscription has a
// goroutine for each reader; a method that returns the subscription itself, with a
// topic.Seq as its cursor, has none.
func (r *room) Messages(ctx context.Context, after int64) (iter.Seq2[Message, error], error) {
	place, err := r.place(ctx, after)
	if err != nil {
		return nil, err
	}
	return func(yield func(Message, error) bool) {
		for e, err := range r.messages.Subscribe(ctx, place) {
			if gap, ok := errors.AsType[*topic.GapError](err); ok {
				err = &Forgotten{int64(gap.After.Number()), int64(gap.Begin.Number())}
			}
			if e.Value.ID = int64(e.Seq.Number()); !yield(e.Value, err) {
				return
			}
		}
	}, nil
}

// place returns the place of an id in the topic. Ids have no epoch: they are of that which
// the topic has now.
func (r *room) place(ctx context.Context, id int64) (topic.Seq, error) {
	if id <= 0 {
		return "", nil
	}
	end, err := r.messages.Back(ctx, 0)
	epoch, _, _ := strings.Cut(string(end), ".")
	return topic.Place{Epoch: epoch, Number: uint64(id)}.Seq(), err
}

func (r *room) Import(ctx context.Context, messages iter.Seq2[Message, error]) (int, error) {
	n := 0
	for m, err := range messages {
		if err == nil {
			_, err = r.post(ctx, m)
		}
		if err != nil {
			return n, fmt.Errorf("after %d messages: %w", n, err)
		}
		n++
	}
	return n, nil
}
