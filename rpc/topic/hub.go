package topic

import (
	"context"
	"reflect"
	"sync"

	"github.com/wirecall/wirecall/internal/session"
)

// A hub pushes the events of a topic into the streams that have come to its end. Its
// goroutine follows the topic as long as there are subscriptions that have been parked
// once. Nothing but the bus makes it wait: a stream that cannot take an event runs on a
// goroutine of its own, and reads the bus from where it is.
type hub[T any] struct {
	key   hubKey
	topic *Topic[T]
	began chan struct{} // has a value when at has been set by the first stream
	stop  context.CancelFunc

	users int // subscriptions; guarded by hubs

	mu     sync.Mutex // held while events are pushed, and never while the bus is read
	at     Place      // what has been pushed; in no epoch while no stream has said where to begin
	parked map[*session.Session][]*subscription[T]
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
		h = &hub[T]{key: key, topic: t, began: make(chan struct{}, 1), stop: stop, parked: make(map[*session.Session][]*subscription[T])}
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
	if h.at.Epoch == "" {
		h.at = s.at
		select {
		case h.began <- struct{}{}:
		default: // it has not yet looked since the last time
		}
	}
	if h.at.Epoch != s.at.Epoch || h.at.Number > s.at.Number || !s.stream.Park() {
		return false
	}
	of := s.stream.Session
	s.index = len(h.parked[of])
	h.parked[of] = append(h.parked[of], s)
	return true
}

// unparked forgets a stream that runs.
func (h *hub[T]) unparked(s *subscription[T]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.index < 0 {
		return
	}
	of := s.stream.Session
	all := h.parked[of]
	end := len(all) - 1
	all[s.index] = all[end]
	all[s.index].index = s.index
	all[end], s.index = nil, -1
	if h.parked[of] = all[:end]; end == 0 {
		delete(h.parked, of)
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
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil { // each stream meets it by itself; whoever parks next says where to begin
		h.at = Place{}
		for _, all := range h.parked {
			h.unpark(all)
		}
		return false
	}
	if len(records) > 0 {
		h.push(records)
		h.at.Number = records[len(records)-1].Number
	}
	return len(records) > 0
}

// unpark has streams run. They leave the hub when the mutex is released.
func (h *hub[T]) unpark(all []*subscription[T]) {
	for _, s := range all {
		s.stream.Unpark()
	}
}

// push pushes records, each encoded once for a codec, into the streams that do not have them.
// The mutex must be held.
func (h *hub[T]) push(records []Record) {
	encoded := make(map[string][][]byte)
	var pushes []session.Push
	for of, all := range h.parked {
		items, ok := encoded[all[0].codec.Name()]
		if !ok {
			items = h.encode(records, all[0])
			encoded[all[0].codec.Name()] = items
		}
		if items == nil {
			h.unpark(all)
			continue
		}
		pushes = pushes[:0]
		for _, s := range all {
			pushes = append(pushes, session.Push{Stream: s.stream, Items: items[behind(records, s.at.Number):]})
		}
		of.PushItems(pushes)
		for i, s := range all {
			if p := &pushes[i]; p.Put > 0 {
				s.at.Number = records[len(items)-len(p.Items)+p.Put-1].Number
			}
		}
	}
}

// behind returns the index of the first record that is behind a number. Few streams are
// ahead of their hub.
func behind(records []Record, n uint64) (i int) {
	for i < len(records) && records[i].Number <= n {
		i++
	}
	return i
}

// encode returns the events of records as the codec of a subscription encodes them, or nil
// if one cannot be encoded: that is an error of each stream.
func (h *hub[T]) encode(records []Record, s *subscription[T]) [][]byte {
	items := make([][]byte, len(records))
	for i, r := range records {
		item, err := h.topic.encoded(h.at.Epoch, r, s.codec)
		if err != nil {
			return nil
		}
		items[i] = item
	}
	return items
}
