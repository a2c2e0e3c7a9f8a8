package presence

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// A View has the entries of one room, makes members of them and tells watchers what has
// changed. It is what a [Registry] is made of. The zero View is empty. Its methods may be
// called by many goroutines at once and do not wait.
type View struct {
	mu       sync.Mutex
	devices  map[string]*held
	members  map[string]*member // by who
	watchers map[*watcher]struct{}
	err      error // of Fail
}

// A held is an entry of a view. It is not changed.
type held struct {
	Entry
	decoded atomic.Pointer[any] // the value, once a watcher has decoded it
}

// A member is somebody with at least one device.
type member struct {
	devices []*held // in no order
	shown   *held   // the last of them
}

// Put adds the entry of a device, or replaces it.
func (v *View) Put(e Entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if before := v.devices[e.Device]; before != nil && before.Who != e.Who {
		v.remove(before)
	}
	if v.devices == nil {
		v.devices, v.members = make(map[string]*held), make(map[string]*member)
	}
	h := &held{Entry: e}
	v.devices[e.Device] = h
	m := v.members[e.Who]
	if m == nil {
		v.members[e.Who] = &member{devices: []*held{h}, shown: h}
		v.tell(e.Who, false, true)
		return
	}
	m.drop(e.Device)
	m.devices = append(m.devices, h)
	v.show(m)
}

// Remove removes the entry of a device, if there is one.
func (v *View) Remove(device string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if h := v.devices[device]; h != nil {
		v.remove(h)
	}
}

// remove removes an entry. The mutex must be held.
func (v *View) remove(h *held) {
	delete(v.devices, h.Device)
	m := v.members[h.Who]
	if m.drop(h.Device); len(m.devices) > 0 {
		v.show(m)
		return
	}
	delete(v.members, h.Who)
	v.tell(h.Who, true, false)
}

// drop removes a device from those of the member.
func (m *member) drop(device string) {
	for i, h := range m.devices {
		if h.Device == device {
			end := len(m.devices) - 1
			m.devices[i], m.devices[end] = m.devices[end], nil
			m.devices = m.devices[:end]
			return
		}
	}
}

// show shows the last entry of a member, and tells if that is another value. The mutex
// must be held.
func (v *View) show(m *member) {
	last := m.devices[0]
	for _, h := range m.devices[1:] {
		if h.after(last.Entry) {
			last = h
		}
	}
	before := m.shown
	m.shown = last
	if !bytes.Equal(before.Value, last.Value) {
		v.tell(last.Who, true, true)
	}
}

// tell tells the watchers that somebody is another than before: was here, and is here.
// The mutex must be held.
func (v *View) tell(who string, was, is bool) {
	for w := range v.watchers {
		w.changed(who, was, is)
	}
}

// Fail ends the view: watchers get the error when they have been told what has changed
// until then.
func (v *View) Fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil {
		v.err = err
		for w := range v.watchers {
			w.wake()
		}
	}
}

// empty reports whether nobody is here.
func (v *View) empty() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.devices) == 0
}

// entries returns a copy of the entries.
func (v *View) entries() []Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]Entry, 0, len(v.devices))
	for _, h := range v.devices {
		all = append(all, h.Entry)
	}
	return all
}
