package main

import (
	"context"
	"iter"

	"github.com/wirecall/wirecall/rpc/topic"
)

//go:generate go tool wirecall gen .

// Feed is what each node serves.
//
//wirecall:service
//wirecall:error topic.GapError
type Feed interface {
	// Publish stores an item in a topic.
	Publish(ctx context.Context, name string, item Item) (topic.Seq, error)

	// Follow streams what is published to a topic.
	Follow(ctx context.Context, name string) (iter.Seq2[topic.Event[Item], error], error)
}

// An Item is about as large as a chat's message.
type Item struct {
	Text string `json:"text"`
}

// class is the class of the topics.
const class = "feed"

// A feed is the Feed of a node.
type feed struct{ bus topic.Bus }

func (f feed) topic(name string) *topic.Topic[Item] {
	return topic.New[Item](f.bus, topic.Name(class, name))
}

// Publish implements Feed.
func (f feed) Publish(ctx context.Context, name string, item Item) (topic.Seq, error) {
	return f.topic(name).Publish(ctx, item)
}

// Follow implements Feed. It begins with the last event, so that a client learns when the
// stream has begun.
func (f feed) Follow(ctx context.Context, name string) (iter.Seq2[topic.Event[Item], error], error) {
	after, err := f.topic(name).Back(ctx, 1)
	if err != nil {
		return nil, err
	}
	return f.topic(name).Subscribe(ctx, after), nil
}
