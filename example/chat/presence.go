package chat

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/wirecall/wirecall/example/internal/signal"
)

// A presence knows who is in the room. It keeps no list of what happened: each
// watcher remembers what it has told, and tells how that differs from what is.
// However slow it is, it needs no more room than the names.
type presence struct {
	mu      sync.Mutex
	members map[string]*member
	keys    uint64 // how often anybody has typed
	moved   signal.Signal
}

// A member is a name that is in the room.
type member struct {
	entered int    // how many watch under the name
	typed   uint64 // what keys was when the member last typed
}

// Watch enters the room in its iterator, which also leaves it: what is opened
// around the iterator would stay open if nobody ranged over it.
func (p *presence) Watch(ctx context.Context, name string) (State, iter.Seq2[Delta, error], error) {
	if err := check("name", name, MaxAuthor); err != nil {
		return State{}, nil, err
	}
	w := p.watcher(name)
	return State{Online: slices.Sorted(maps.Keys(w.online))}, func(yield func(Delta, error) bool) {
		p.enter(name)
		defer p.leave(name)
		for {
			moved := p.moved.Next()
			if d, some := p.news(w); some {
				if !yield(d, nil) {
					return
				}
				continue
			}
			select {
			case <-moved:
			case <-ctx.Done():
				yield(Delta{}, context.Cause(ctx))
				return
			}
		}
	}, nil
}

func (p *presence) Typing(ctx context.Context, author string) error {
	defer p.moved.Fire()
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.members[author]; m != nil {
		p.keys++
		m.typed = p.keys
	}
	return nil
}

// enter counts, because one may watch from two terminals.
func (p *presence) enter(name string) {
	if name == "" {
		return
	}
	defer p.moved.Fire()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.members[name] == nil {
		p.members[name] = &member{}
	}
	p.members[name].entered++
}

func (p *presence) leave(name string) {
	if name == "" {
		return
	}
	defer p.moved.Fire()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.members[name].entered--; p.members[name].entered == 0 {
		delete(p.members, name)
	}
}

// A watcher is what has been told to one reader.
type watcher struct {
	online map[string]bool
	keys   uint64
}

// watcher makes one that has been told who is in the room, and that name is: it
// enters before there is news.
func (p *presence) watcher(name string) *watcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &watcher{online: make(map[string]bool), keys: p.keys}
	for member := range p.members {
		w.online[member] = true
	}
	if name != "" {
		w.online[name] = true
	}
	return w
}

// news tells a watcher what it has not been told, and reports whether that is
// anything.
func (p *presence) news(w *watcher) (d Delta, some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, m := range p.members {
		if !w.online[name] {
			w.online[name] = true
			d.Joined = append(d.Joined, name)
		}
		if m.typed > w.keys {
			d.Typing = append(d.Typing, name)
		}
	}
	for name := range w.online {
		if p.members[name] == nil {
			delete(w.online, name)
			d.Left = append(d.Left, name)
		}
	}
	w.keys = p.keys
	for _, names := range [][]string{d.Joined, d.Left, d.Typing} {
		slices.Sort(names)
	}
	return d, len(d.Joined)+len(d.Left)+len(d.Typing) > 0
}
