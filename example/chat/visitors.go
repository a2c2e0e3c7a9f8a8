package chat

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/wirecall/wirecall/rpc/presence"
)

// visitors are those who are in the room, on all nodes.
type visitors struct {
	here *presence.Room[visitor]
}

// A visitor is what is known of a name that is in the room.
type visitor struct {
	Typed time.Time // when the name last typed
}

// Watch enters the room in its iterator, which also leaves it: what is opened
// around the iterator would stay open if nobody ranged over it.
func (v visitors) Watch(ctx context.Context, name string) (State, iter.Seq2[Delta, error], error) {
	if err := check("name", name, MaxAuthor); err != nil {
		return State{}, nil, err
	}
	members, err := v.here.Members(ctx)
	if err != nil {
		return State{}, nil, err
	}
	t := make(told)
	for _, m := range members {
		t[m.Who] = m.Value.Typed
	}
	if _, here := t[name]; !here && name != "" {
		t[name] = time.Time{}
	}
	return State{Online: slices.Sorted(maps.Keys(t))}, func(yield func(Delta, error) bool) {
		if err := v.watch(ctx, name, t, yield); err != nil {
			yield(Delta{}, err)
		}
	}, nil
}

// watch yields what a reader has not been told, while the name is in the room.
func (v visitors) watch(ctx context.Context, name string, t told, yield func(Delta, error) bool) error {
	if name != "" {
		leave, err := v.here.Enter(ctx, name, visitor{})
		if err != nil {
			return err
		}
		defer leave()
	}
	here := make(map[string]visitor)
	for change, err := range v.here.Watch(ctx) {
		if err != nil {
			return err
		}
		if change.Apply(here); change.More {
			continue
		}
		if d, some := t.news(here); some && !yield(d, nil) {
			return nil
		}
	}
	return nil
}

// told is what a reader has been told: who is in the room, and when each last typed.
type told map[string]time.Time

// news returns what has not been told, and reports whether that is anything.
func (t told) news(here map[string]visitor) (d Delta, some bool) {
	for name, v := range here {
		typed, known := t[name]
		if !known {
			d.Joined = append(d.Joined, name)
		}
		if v.Typed.After(typed) {
			d.Typing = append(d.Typing, name)
			typed = v.Typed
		}
		t[name] = typed
	}
	for name := range t {
		if _, stays := here[name]; !stays {
			delete(t, name)
			d.Left = append(d.Left, name)
		}
	}
	for _, names := range [][]string{d.Joined, d.Left, d.Typing} {
		slices.Sort(names)
	}
	return d, len(d.Joined)+len(d.Left)+len(d.Typing) > 0
}

// Typing ignores a name that is not in the room by the connection.
func (v visitors) Typing(ctx context.Context, author string) error {
	if err := v.here.Update(ctx, author, visitor{time.Now()}); !errors.Is(err, presence.ErrNotHere) {
		return err
	}
	return nil
}
