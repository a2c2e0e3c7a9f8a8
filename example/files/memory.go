package files

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/wirecall/wirecall/rpc"
)

// chunkSize is how many bytes of a file are sent as one item.
const chunkSize = 32 << 10

// Memory is a Store without a disk. The zero Memory is empty. Its methods may be
// called by any number of goroutines at once.
type Memory struct {
	mu      sync.Mutex
	files   map[string][]byte
	changes []Change
	changed chan struct{} // closed at the next change; nil if nobody waits for it
}

// Stat returns the size of a file.
func (m *Memory) Stat(ctx context.Context, name string) (int64, error) {
	content, err := m.content(name)
	return int64(len(content)), err
}

// content returns what a file holds, which is not changed any more.
func (m *Memory) content(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.files[name]
	if !ok {
		return nil, &NotFound{Name: name}
	}
	return content, nil
}

// Put writes each item as it comes.
func (m *Memory) Put(ctx context.Context, name string, at int64, content iter.Seq2[[]byte, error]) (int64, error) {
	size, err := m.write(name, at, nil)
	if err != nil {
		return size, err
	}
	for data, err := range content {
		if err != nil {
			return size, err
		}
		if size, err = m.write(name, size, data); err != nil {
			return size, err
		}
	}
	m.change(name)
	return size, nil
}

// write puts data behind the first at bytes of a file, in place of what was there.
// Bytes that a reader may have are not overwritten.
func (m *Memory) write(name string, at int64, data []byte) (size int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.files[name]
	if at < 0 || at > int64(len(old)) {
		return int64(len(old)), rpc.Errorf(rpc.CodeInvalidParams, "%s has %d bytes, not %d", name, len(old), at)
	}
	if m.files == nil {
		m.files = make(map[string][]byte)
	}
	if at < int64(len(old)) {
		old = slices.Clone(old[:at])
	}
	m.files[name] = append(old, data...)
	return at + int64(len(data)), nil
}

func (m *Memory) change(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes = append(m.changes, Change{Number: int64(len(m.changes)) + 1, Name: name, Size: int64(len(m.files[name]))})
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// Get refuses at once, as an error, or streams.
func (m *Memory) Get(ctx context.Context, name string, after int64) (iter.Seq2[Chunk, error], error) {
	content, err := m.content(name)
	if err != nil {
		return nil, err
	}
	return func(yield func(Chunk, error) bool) {
		for at := min(max(after, 0), int64(len(content))); at < int64(len(content)); {
			end := min(at+chunkSize, int64(len(content)))
			if !yield(Chunk{End: end, Data: content[at:end]}, nil) {
				return
			}
			at = end
		}
	}, nil
}

// Changes goes by the numbers of the changes, so that a slow reader needs no queue
// of its own.
func (m *Memory) Changes(ctx context.Context, after int64) (iter.Seq2[Change, error], error) {
	return func(yield func(Change, error) bool) {
		for {
			changes, changed := m.changesAfter(after)
			for _, c := range changes {
				if !yield(c, nil) {
					return
				}
				after = c.Number
			}
			if len(changes) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

// changesAfter returns the changes behind a number, and what is closed at the next.
func (m *Memory) changesAfter(n int64) ([]Change, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.changes[min(max(n, 0), int64(len(m.changes))):], m.changed
}
