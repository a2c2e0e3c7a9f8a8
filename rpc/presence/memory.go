package presence

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Memory is a Registry in this process. The zero Memory is ready to be used.
type Memory struct {
	order atomic.Uint64

	mu    sync.Mutex
	rooms map[string]*memoryRoom // those with entries or users
}

var _ Registry = (*Memory)(nil)

// A memoryRoom is a room of a Memory.
type memoryRoom struct {
	view  View
	users int // of the view; guarded by Memory.mu
}

// room returns a room for one user. It is made if there is none.
func (m *Memory) room(name string) *memoryRoom {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[name]
	if r == nil {
		if m.rooms == nil {
			m.rooms = make(map[string]*memoryRoom)
		}
		r = new(memoryRoom)
		m.rooms[name] = r
	}
	r.users++
	return r
}

// release ends what room began. A room that nobody is in goes with the last user.
func (m *Memory) release(name string, r *memoryRoom) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.users--; r.users == 0 && r.view.empty() {
		delete(m.rooms, name)
	}
}

// Enter implements Registry.
func (m *Memory) Enter(room string, e Entry) <-chan error {
	r := m.room(room)
	defer m.release(room, r)
	e.Order = m.order.Add(1)
	r.view.Put(e)
	stored := make(chan error, 1)
	stored <- nil
	return stored
}

// Leave implements Registry.
func (m *Memory) Leave(room, device string) {
	r := m.room(room)
	defer m.release(room, r)
	r.view.Remove(device)
}

// Entries implements Registry. It does not wait.
func (m *Memory) Entries(_ context.Context, room string) ([]Entry, error) {
	r := m.room(room)
	defer m.release(room, r)
	return r.view.entries(), nil
}

// View implements Registry. It does not wait.
func (m *Memory) View(_ context.Context, room string) (*View, func(), error) {
	r := m.room(room)
	return &r.view, sync.OnceFunc(func() { m.release(room, r) }), nil
}
