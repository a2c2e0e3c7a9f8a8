// Package presence tells who is here: in a room, on a page, in a game. It says who comes
// and who leaves, also when a client is lost or a server dies.
//
//	type Info struct{ Colour string }
//
//	registry := &presence.Memory{}
//	room := presence.New[Info](registry, "room 42")
//	leave, err := room.Enter(ctx, "ann", Info{"red"})
//
// Somebody who enters in a handler is here until the connection ends or leave is called.
// A connection that is cut and resumed has not ended. A handler returns a watch as its
// stream:
//
//	func (s *service) Here(ctx context.Context, room string) (iter.Seq2[presence.Change[Info], error], error) {
//		return presence.New[Info](s.registry, room).Watch(ctx), nil
//	}
//
// Somebody who is here by several devices, which are connections, is one member: the value
// is that of the device that entered or changed last, and the member leaves with the last
// device. A watcher that is slow holds up nobody and is told less: what has changed
// several times meanwhile is told once, and who came and left meanwhile is not told.
package presence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/wirecall/wirecall/codec"
)

// A Room is where members are. It keeps nothing by itself: any number of Rooms may have
// the same name, in one process or several, but all must have the same T. Its methods may
// be called by many goroutines at once.
type Room[T any] struct {
	registry Registry
	name     string
	err      error // of the name
}

// New returns the room with a name, which is any text of 1 to 255 bytes. If the name is
// not valid, all methods return an error that says why.
func New[T any](registry Registry, name string) *Room[T] {
	return &Room[T]{registry, name, checkText("the name of a room", name, maxRoom)}
}

// A Member is somebody who is in a room.
type Member[T any] struct {
	Who   string `json:"who"`
	Value T      `json:"value"` // shared: it must not be changed
}

// The largest names of rooms and members and the largest value, in bytes. A value is JSON.
const (
	maxRoom  = 255
	maxWho   = 1024
	maxValue = 32 << 10
)

// ErrNotHere is the error of Update for somebody who is not in the room.
var ErrNotHere = errors.New("presence: not in the room by this connection")

// Enter puts somebody into the room with a value, which must not be changed any more. In a
// handler, the member is here until its connection has ended; elsewhere, until ctx has.
// Calling leave ends it earlier. If who is here by this connection already, Enter
// replaces the value, and leave is counted: the member leaves when all that have entered
// have left.
//
// Enter returns when whoever watches the room will be told, in all processes. While the
// registry cannot reach the others, Enter does not wait: they are told later.
//
// Who is any text of 1 to 1,024 bytes, and the value at most 32 KiB of JSON. In a POST,
// which has no connection, the error is an *rpc.Error with CodeInvalidRequest. If ctx ends
// before Enter returns, its error is the cause and it has not entered.
func (r *Room[T]) Enter(ctx context.Context, who string, v T) (leave func(), err error) {
	value, err := r.encode(who, v)
	if err != nil {
		return nil, err
	}
	s, err := seatOf(ctx, r.registry, r.name, who)
	if err != nil {
		return nil, err
	}
	if err := s.put(ctx, value); err != nil {
		s.release()
		return nil, err
	}
	return sync.OnceFunc(s.release), nil
}

// Update replaces the value of a member that has entered by the connection of a handler's
// ctx. It is Enter without a leave. If there is no such member, the error is ErrNotHere.
func (r *Room[T]) Update(ctx context.Context, who string, v T) error {
	value, err := r.encode(who, v)
	if err != nil {
		return err
	}
	s := seatIn(ctx, r.registry, r.name, who)
	if s == nil {
		return ErrNotHere
	}
	defer s.release()
	return s.put(ctx, value)
}

// Members returns who is here, in no order.
func (r *Room[T]) Members(ctx context.Context) ([]Member[T], error) {
	if r.err != nil {
		return nil, r.err
	}
	entries, err := r.registry.Entries(ctx, r.name)
	if err != nil {
		return nil, err
	}
	last := make(map[string]Entry, len(entries))
	for _, e := range entries {
		if other, ok := last[e.Who]; !ok || e.after(other) {
			last[e.Who] = e
		}
	}
	members := make([]Member[T], 0, len(last))
	for who, e := range last {
		m := Member[T]{Who: who}
		if err := r.decode(e, &m.Value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// encode checks who is to be here, and encodes the value.
func (r *Room[T]) encode(who string, v T) ([]byte, error) {
	if err := errors.Join(r.err, checkText("the name of a member", who, maxWho)); err != nil {
		return nil, err
	}
	value, err := codec.JSON.Append(nil, &v)
	if err != nil {
		return nil, fmt.Errorf("presence: the value of %q cannot be encoded: %w", who, err)
	}
	if len(value) > maxValue {
		return nil, fmt.Errorf("presence: the value of %q has %d bytes; it has %d at most", who, len(value), maxValue)
	}
	return value, nil
}

// decode decodes the value of an entry.
func (r *Room[T]) decode(e Entry, v *T) error {
	if err := codec.JSON.Decode(e.Value, v); err != nil {
		return fmt.Errorf("presence: the value of %q cannot be decoded: %w", e.Who, err)
	}
	return nil
}

// checkText returns an error for a text that is empty, too long or not UTF-8, since JSON
// would make another text of it.
func checkText(what, text string, limit int) error {
	switch {
	case text == "":
		return fmt.Errorf("presence: %s is empty", what)
	case len(text) > limit:
		return fmt.Errorf("presence: %s has %d bytes; it has %d at most", what, len(text), limit)
	case !utf8.ValidString(text):
		return fmt.Errorf("presence: %s is not UTF-8: %q", what, text)
	}
	return nil
}
