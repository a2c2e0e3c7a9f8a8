package topic

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// A Memory is a Bus in this process. Its topics last as long as it does: what
// subscribers of a Memory of an earlier process have come to is a gap. The zero Memory
// keeps the last 1,000 events of each topic.
type Memory struct {
	// Retention is what is kept of topics whose class is not in Classes.
	Retention Retention

	// Classes is what is kept of topics by the class of their names, the part before the first dot.
	Classes map[string]Retention

	mu     sync.Mutex
	epoch  string
	topics map[string]*memoryTopic
}

var _ Bus = (*Memory)(nil)

// A Retention is what a bus keeps of a topic: the last events, as many as all limits
// allow. A limit of 0 is none; without any limit the last 1,000 events are kept.
type Retention struct {
	Events int           // how many
	Bytes  int           // of their JSON, in all; the last event is kept whatever its size
	Age    time.Duration // since they were stored
}

const defaultEvents = 1000

// retention returns what is kept of a topic.
func (m *Memory) retention(topic string) Retention {
	r, ok := m.Classes[classOf(topic)]
	if !ok {
		r = m.Retention
	}
	if r == (Retention{}) {
		r.Events = defaultEvents
	}
	return r
}

// followed returns a topic for one that follows it. It is made if there is none.
func (m *Memory) followed(name string) *memoryTopic {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.made(name)
	t.followers++
	return t
}

// unfollowed ends what followed began. Names that clients make up cost nothing for long:
// a topic that has had no event goes with the last that follows it.
func (m *Memory) unfollowed(name string, t *memoryTopic) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.followers--; t.followers == 0 && !t.published {
		delete(m.topics, name)
	}
}

// published returns a topic for one that publishes to it. From then on it stays, since
// others may have come to its last event.
func (m *Memory) published(name string) *memoryTopic {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.made(name)
	t.published = true
	return t
}

// made returns a topic, which is made if there is none. The mutex must be held.
func (m *Memory) made(name string) *memoryTopic {
	m.begin()
	t := m.topics[name]
	if t == nil {
		t = &memoryTopic{epoch: m.epoch, retention: m.retention(name)}
		m.topics[name] = t
	}
	return t
}

// begin begins the epoch with the first use. The mutex must be held.
func (m *Memory) begin() {
	if m.topics == nil {
		m.epoch, m.topics = rand.Text(), make(map[string]*memoryTopic)
	}
}

// read returns a topic to read from, an empty one if there is none.
func (m *Memory) read(name string) *memoryTopic {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begin()
	if t := m.topics[name]; t != nil {
		return t
	}
	return &memoryTopic{epoch: m.epoch}
}

// Append implements Bus. It does not wait.
func (m *Memory) Append(_ context.Context, topic string, e Entry) (Place, error) {
	return m.published(topic).append(e)
}

// Read implements Bus. It does not wait.
func (m *Memory) Read(_ context.Context, topic string, after uint64, max int) (Page, error) {
	return m.read(topic).page(after, max), nil
}

// Back implements Bus. It does not wait.
func (m *Memory) Back(_ context.Context, topic string, n int) (Place, error) {
	return m.read(topic).back(n), nil
}

// Since implements Bus. It does not wait.
func (m *Memory) Since(_ context.Context, topic string, at time.Time) (Place, error) {
	return m.read(topic).since(at), nil
}

// Follow implements Bus.
func (m *Memory) Follow(topic string) (next func() <-chan struct{}, stop func()) {
	t := m.followed(topic)
	return t.next, sync.OnceFunc(func() { m.unfollowed(topic, t) })
}
