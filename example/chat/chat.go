// Package chat is a chat room: a history that is followed by live messages, who
// is there and who is typing.
//
// The messages are a topic, and who is there is presence. Readers go by a cursor
// through what the topic keeps for all, so that a slow one lags and loses nothing,
// and costs the room no more than a fast one. With the same cursor a reader's client
// goes on where the server was started again, or at another one, if the topic is on
// NATS.
//
// The interface is in this file, the room itself in room.go and visitors.go;
// cmd/chat serves a room in memory and joins one from a terminal, and the module in
// nodes serves one on any number of nodes. There are no accounts: anybody may speak
// as anybody.
package chat

import (
	"context"
	"fmt"
	"iter"
	"time"
)

//go:generate go tool wirecall gen -ts web/src/api

// Room is one chat room.
//
//wirecall:service
//wirecall:error TooLong 1001
type Room interface {
	// Post stores a message and returns it as stored. A text or an author of too
	// many bytes is refused with a *TooLong, unless the request is even over
	// rpc.Limits.MessageBytes: then it is not sent, with rpc.CodeTooLarge.
	//
	//wirecall:option mcp.tool=yes
	Post(ctx context.Context, author, text string) (Message, error)

	// Messages streams what was said after the given id, first what is stored, then
	// what is posted from now on, in the order of the ids.
	//
	//wirecall:option mcp.tool=readonly
	//wirecall:error Forgotten 1002
	//wirecall:cursor after=ID
	Messages(ctx context.Context, after int64) (iter.Seq2[Message, error], error)

	// Watch returns who is in the room, the given name included, and a stream of
	// what changes. The name enters when the stream begins, and leaves when it
	// ends. Without a name one watches unseen.
	Watch(ctx context.Context, name string) (now State, changes iter.Seq2[Delta, error], err error)

	// Import stores every message it is sent, under new ids, and returns how many.
	// Where one is refused those before it stay.
	Import(ctx context.Context, messages iter.Seq2[Message, error]) (int, error)

	// Typing tells the room that the author, who must be in it, is typing. It is
	// called by the connection that watches. Nobody answers.
	//
	//wirecall:notify
	Typing(ctx context.Context, author string) error
}

// A Message is what was said. Ids count up.
type Message struct {
	ID     int64     `json:"id"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// State is who is in the room, in alphabetical order.
type State struct {
	Online []string `json:"online"`
}

// A Delta is what is different from the State before: what happened while its
// reader was busy comes as one.
type Delta struct {
	Joined []string `json:"joined,omitempty"`
	Left   []string `json:"left,omitempty"`
	Typing []string `json:"typing,omitempty"`
}

// The longest author and text that are accepted, in bytes.
const (
	MaxAuthor = 64
	MaxText   = 8 << 10
)

// TooLong is the error of what is longer than the room allows.
type TooLong struct {
	What string `json:"what"` // author, name or text
	Size int    `json:"size"` // in bytes, as Max is
	Max  int    `json:"max"`
}

// Error says how long, and how long it may be.
func (e *TooLong) Error() string {
	return fmt.Sprintf("the %s has %d bytes, the room takes %d", e.What, e.Size, e.Max)
}

// Forgotten is the error of a reader whose next message is no longer kept, or who has read
// further than the room has come, since it has begun anew.
type Forgotten struct {
	After int64 `json:"after"` // what has been read
	Begin int64 `json:"begin"` // behind which nothing is missing
}

func (e *Forgotten) Error() string {
	return fmt.Sprintf("the room has no message behind %d any more, it begins behind %d", e.After, e.Begin)
}
