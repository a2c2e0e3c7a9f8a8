package presencetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/presence"
)

// A Model enters and leaves one room at random, by several registries, and knows who is
// there. One goroutine at a time calls its methods, which are not those of followers.
type Model struct {
	t       testing.TB
	random  *rand.Rand
	rooms   []*presence.Room[int] // by registry
	room    string
	devices []device // in the order in which they entered
	steps   int

	// Apart has nobody enter by several registries, of which nobody knows who was last while
	// they do not reach each other.
	Apart bool

	followers []*follower
}

// A device is an Enter that has not left.
type device struct {
	registry int
	who      string
	value    int
	leave    func()
}

// NewModel returns a model of a room that is empty.
func NewModel(t testing.TB, random *rand.Rand, room string, registries ...presence.Registry) *Model {
	m := &Model{t: t, random: random, room: room}
	for range registries {
		m.rooms = append(m.rooms, nil)
	}
	for i, r := range registries {
		m.Replace(i, r)
	}
	return m
}

// Replace has a registry followed in place of one that is gone with those who entered
// by it.
func (m *Model) Replace(i int, r presence.Registry) {
	m.rooms[i] = presence.New[int](r, m.room)
	kept := m.devices[:0]
	for _, d := range m.devices {
		if d.registry != i {
			kept = append(kept, d)
		}
	}
	m.devices = kept
	for _, f := range m.followers {
		if f.registry == i {
			f.end()
		}
	}
	m.follow(i, 0)
	m.follow(i, time.Duration(1+m.random.IntN(50))*time.Millisecond)
}

// Step enters or leaves.
func (m *Model) Step() {
	m.t.Helper()
	m.steps++
	if len(m.devices) > 0 && m.random.IntN(20) < 9 {
		i := m.random.IntN(len(m.devices))
		m.devices[i].leave()
		m.devices = append(m.devices[:i], m.devices[i+1:]...)
		return
	}
	d := device{registry: m.random.IntN(len(m.rooms)), who: fmt.Sprint("somebody ", m.random.IntN(30)), value: m.steps}
	if m.Apart {
		d.who = fmt.Sprint(d.who, " of ", d.registry)
	}
	var err error
	if d.leave, err = m.rooms[d.registry].Enter(m.t.Context(), d.who, d.value); err != nil {
		m.t.Fatalf("step %d: %v", m.steps, err)
	}
	m.devices = append(m.devices, d)
}

// want returns who is here.
func (m *Model) want() map[string]int {
	all := make(map[string]int)
	for _, d := range m.devices {
		all[d.who] = d.value
	}
	return all
}

// Wait waits until all followers and all registries have who is here.
func (m *Model) Wait() {
	m.t.Helper()
	want := m.want()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	for _, f := range m.followers {
		for !f.has(want) {
			select {
			case <-f.changed:
			case <-f.ended:
				m.t.Fatalf("after %d steps a follower by registry %d has ended: %v", m.steps, f.registry, f.err)
			case <-ctx.Done():
				m.t.Fatalf("after %d steps a follower by registry %d has %v in place of %v", m.steps, f.registry, f.Here, want)
			}
		}
	}
}

// A follower is a Follower that takes by itself, and slowly.
type follower struct {
	Follower
	registry int
	changed  chan struct{} // has a value after a change
	ended    chan struct{}
	err      error // set before ended is closed
	end      func()

	mu sync.Mutex // guards Here
}

func (m *Model) follow(registry int, pause time.Duration) {
	ctx, cancel := context.WithCancel(m.t.Context())
	f := &follower{Follower: Follower{t: m.t}, registry: registry, changed: make(chan struct{}, 1), ended: make(chan struct{})}
	room := m.rooms[registry]
	go func() {
		defer close(f.ended)
		for c, err := range room.Watch(ctx) {
			if f.err = err; err != nil {
				return
			}
			f.take(c)
			time.Sleep(pause)
		}
	}()
	f.end = func() {
		cancel()
		<-f.ended
		for i, other := range m.followers {
			if other == f {
				m.followers = append(m.followers[:i:i], m.followers[i+1:]...)
			}
		}
	}
	m.t.Cleanup(func() {
		cancel()
		<-f.ended
	})
	m.followers = append(m.followers, f)
}

func (f *follower) take(c presence.Change[int]) {
	f.mu.Lock()
	f.apply(c)
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *follower) has(want map[string]int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Here != nil && !f.more && maps.Equal(f.Here, want)
}
