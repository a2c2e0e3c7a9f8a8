package topic

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/wirecall/wirecall/internal/session"
)

// A hub pushes the events of a topic into the streams that have come to its end. Its
// goroutine follows the topic as long as there are subscriptions that have been parked
// once. Nothing but the bus makes it wait: a stream that cannot take an event runs on a
// goroutine of its own, and reads the bus from where it is; and the goroutine that pushes
// into a connection also writes to its socket what that accepts without blocking, while
// the connection is in the processor's caches.
type hub[T any] struct {
	key   hubKey
	topic *Topic[T]
	began chan struct{} // has a value when at has been set by a stream
	stop  context.CancelFunc

	users int // subscriptions; guarded by hubs

	mu     sync.Mutex
	at     Place // what is pushed; in no epoch while no stream has said where to begin
	groups map[*session.Session]*group[T]

	lacking []*group[T] // the result of advance; for the hub's goroutine
}

// A hubKey is what a hub is for. Topics of one name with different types, which there
// should not be, have different hubs.
type hubKey struct {
	bus   Bus
	name  string
	event reflect.Type
}

// hubs are the hubs of all topics with subscriptions that have been parked.
var hubs = struct {
	sync.Mutex
	byKey map[hubKey]any
}{byKey: make(map[hubKey]any)}

// hubOf returns the hub of a topic for one subscription, which must release it.
func hubOf[T any](t *Topic[T]) *hub[T] {
	hubs.Lock()
	defer hubs.Unlock()
	key := hubKey{t.bus, t.name, reflect.TypeFor[T]()}
	h, ok := hubs.byKey[key].(*hub[T])
	if !ok {
		ctx, stop := context.WithCancel(context.Background())
		h = &hub[T]{key: key, topic: t, began: make(chan struct{}, 1), stop: stop, groups: make(map[*session.Session]*group[T])}
		hubs.byKey[key] = h
		go h.run(ctx)
	}
	h.users++
	return h
}

// release ends what hubOf began.
func (h *hub[T]) release() {
	hubs.Lock()
	defer hubs.Unlock()
	if h.users--; h.users == 0 {
		delete(hubs.byKey, h.key)
		h.stop()
	}
}

// park parks a stream, unless something has been pushed that it does not have.
func (h *hub[T]) park(s *subscription[T]) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.Epoch != s.at.Epoch {
		h.begin(s.at)
	}
	if h.at.Number > s.at.Number || !s.stream.Park() {
		return false
	}
	of := s.stream.Session
	g := h.groups[of]
	if g == nil {
		g = &group[T]{session: of, codec: s.codec}
		h.groups[of] = g
	}
	s.group = g
	g.add(s)
	return true
}

// begin sets what is pushed to the place of a stream in another epoch. The stream has just
// read the bus, and those that are parked have not: they run, and read for themselves. The
// mutex must be held.
func (h *hub[T]) begin(at Place) {
	h.at = at
	for _, g := range h.groups {
		g.unpark()
	}
	h.groups = make(map[*session.Session]*group[T]) // events of the past epoch may be on their way to the others
	select {
	case h.began <- struct{}{}:
	default: // it has not yet looked since the last time
	}
}

// unparked forgets a stream that runs.
func (h *hub[T]) unparked(s *subscription[T]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.index < 0 {
		return
	}
	if empty := s.group.remove(s); empty && h.groups[s.group.session] == s.group {
		delete(h.groups, s.group.session)
	}
}

// run is the hub's goroutine.
func (h *hub[T]) run(ctx context.Context) {
	next, stop := h.key.bus.Follow(h.key.name)
	defer stop()
	for {
		changed := next()
		if h.pushNew(ctx) {
			continue
		}
		select {
		case <-changed:
		case <-h.began:
		case <-ctx.Done():
			return
		}
	}
}

// pushNew pushes the events that are stored behind those that have been pushed, some of
// them at least. It returns false if there are none.
func (h *hub[T]) pushNew(ctx context.Context) bool {
	h.mu.Lock()
	at := h.at
	h.mu.Unlock()
	if at.Epoch == "" {
		return false
	}
	records, err := h.topic.read(ctx, &at)
	if err != nil { // each stream meets it by itself; whoever parks next says where to begin
		for _, g := range h.advance(at, Place{}) {
			g.unpark()
		}
		clear(h.lacking)
		return false
	}
	if len(records) == 0 {
		return false
	}
	h.push(at.Epoch, records, h.advance(at, Place{at.Epoch, records[len(records)-1].Number}))
	clear(h.lacking) // sessions may end before the next event
	return true
}

// advance moves what is pushed from one place to another, and returns the groups that lack
// some of it. Streams that park from now on have it. There are no groups if a stream of
// another epoch has set the place meanwhile.
func (h *hub[T]) advance(from, to Place) []*group[T] {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at != from {
		return nil
	}
	h.at = to
	h.lacking = slices.AppendSeq(h.lacking[:0], maps.Values(h.groups))
	return h.lacking
}

// push pushes records, each encoded once for a codec, into the streams that do not have them.
func (h *hub[T]) push(epoch string, records []Record, groups []*group[T]) {
	encoded := make(map[string]*session.Items)
	for _, g := range groups {
		if _, ok := encoded[g.codec.Name()]; !ok {
			encoded[g.codec.Name()] = h.encode(epoch, records, g)
		}
	}
	spread(len(groups), func(i int) {
		g := groups[i]
		if items := encoded[g.codec.Name()]; items != nil {
			g.push(items)
		} else {
			g.unpark()
		}
	})
}

// encode returns the events of records as the codec of a group encodes them, or nil if one
// cannot be encoded, by an error or a panic of the type's own encoding: each stream meets
// that by itself.
func (h *hub[T]) encode(epoch string, records []Record, g *group[T]) (joined *session.Items) {
	defer func() {
		if recover() != nil {
			joined = nil
		}
	}()
	items, numbers := make([][]byte, len(records)), make([]uint64, len(records))
	for i, r := range records {
		item, err := h.topic.encoded(epoch, r, g.codec)
		if err != nil {
			return nil
		}
		items[i], numbers[i] = item, r.Number
	}
	return session.JoinItems(g.session.Format, numbers, items)
}
