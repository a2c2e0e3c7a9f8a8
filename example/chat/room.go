package chat

import (
	"context"
	"fmt"
	"iter"

	"github.com/wirecall/wirecall/example/internal/signal"
)

// A room is a Room.
type room struct {
	store  Store
	posted signal.Signal
	presence
}

// NewRoom opens a room whose messages are kept by store.
func NewRoom(store Store) Room {
	return &room{store: store, presence: presence{members: make(map[string]*member)}}
}

func (r *room) Post(ctx context.Context, author, text string) (Message, error) {
	return r.post(Message{Author: author, Text: text})
}

func (r *room) post(m Message) (Message, error) {
	if err := check("author", m.Author, MaxAuthor); err != nil {
		return Message{}, err
	}
	if err := check("text", m.Text, MaxText); err != nil {
		return Message{}, err
	}
	m, err := r.store.Append(m)
	if err == nil {
		r.posted.Fire()
	}
	return m, err
}

func check(what, s string, max int) error {
	if len(s) > max {
		return &TooLong{What: what, Size: len(s), Max: max}
	}
	return nil
}

// page is how many messages a reader takes from the store at once.
const page = 64

// Messages reads the store page by page, and waits where it has come to the end.
// History and live messages are the same thing read at different times, which
// is why nothing can fall between them.
func (r *room) Messages(ctx context.Context, after int64) (iter.Seq2[Message, error], error) {
	return func(yield func(Message, error) bool) {
		for {
			posted := r.posted.Next()
			messages, err := r.store.After(after, page)
			if err != nil {
				yield(Message{}, err)
				return
			}
			for _, m := range messages {
				if !yield(m, nil) {
					return
				}
				after = m.ID
			}
			if len(messages) > 0 {
				continue
			}
			select {
			case <-posted:
			case <-ctx.Done():
				yield(Message{}, context.Cause(ctx))
				return
			}
		}
	}, nil
}

func (r *room) Import(ctx context.Context, messages iter.Seq2[Message, error]) (int, error) {
	n := 0
	for m, err := range messages {
		if err == nil {
			_, err = r.post(m)
		}
		if err != nil {
			return n, fmt.Errorf("after %d messages: %w", n, err)
		}
		n++
	}
	return n, nil
}
