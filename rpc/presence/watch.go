package presence

import (
	"context"
	"iter"
)

// A Change is what has changed in a room since the Change before, or with All the begin
// of who is here. A reader that keeps who is here forgets everybody if All, then adds or
// replaces those in Here, then removes those in Left.
type Change[T any] struct {
	// Number counts the changes of a watch, from 1. With it a stream can have a cursor, by
	// which it goes on over the loss of a server: it begins again with All, so that Watch
	// does not need it.
	Number int `json:"number"`

	// All is true in the first Change: nobody is here but those that follow.
	All bool `json:"all,omitempty"`

	// More is true if those who were here at first are not complete: others follow at once
	// in the next Change.
	More bool `json:"more,omitempty"`

	Here []Member[T] `json:"here,omitempty"` // who has come, or has another value
	Left []string    `json:"left,omitempty"` // who has left
}

// Apply changes who is here, by name.
func (c Change[T]) Apply(here map[string]T) {
	if c.All {
		clear(here)
	}
	for _, m := range c.Here {
		here[m.Who] = m.Value
	}
	for _, who := range c.Left {
		delete(here, who)
	}
}

// Watch yields who is here, and then what changes, until ctx ends. A Change has at most
// 500 members, or 32 KiB of names and values. Its error is the last that it yields: the
// cause of ctx, or one of the registry. Watching is not being here.
func (r *Room[T]) Watch(ctx context.Context) iter.Seq2[Change[T], error] {
	return func(yield func(Change[T], error) bool) {
		err := r.err
		if err == nil {
			err = r.watch(ctx, yield)
		}
		if err != nil {
			yield(Change[T]{}, err)
		}
	}
}

// watch yields changes until ctx ends or the range is left, which is no error.
func (r *Room[T]) watch(ctx context.Context, yield func(Change[T], error) bool) error {
	v, release, err := r.registry.View(ctx, r.name)
	if err != nil {
		return err
	}
	defer release()
	w := v.watch()
	defer w.stop()
	for n := 1; ; n++ {
		p, err := w.next(ctx)
		if err != nil {
			return err
		}
		c := Change[T]{Number: n, All: p.all, More: p.more, Left: p.left}
		for _, h := range p.here {
			value, err := valueOf(r, h)
			if err != nil {
				return err
			}
			c.Here = append(c.Here, Member[T]{h.Who, value})
		}
		if !yield(c, nil) {
			return nil
		}
	}
}

// valueOf returns the value of an entry, which is decoded once for all watchers.
func valueOf[T any](r *Room[T], h *held) (v T, err error) {
	if p := h.decoded.Load(); p != nil {
		if v, ok := (*p).(T); ok {
			return v, nil
		}
	}
	if err := r.decode(h.Entry, &v); err != nil {
		return v, err
	}
	decoded := any(v)
	h.decoded.Store(&decoded)
	return v, nil
}
