package flow

import "time"

// maxGrowth is how many times its first size a window grows to at most.
const maxGrowth = 16

// A Window is what a consumer has granted and what has come. Receive belongs to the
// goroutine that reads from the transport, Take to the one that consumes; the other
// methods need both to be excluded.
type Window struct {
	items    int // its size
	bytes    int
	maxItems int // to which items grows

	received, receivedBytes uint64
	last                    uint64 // the size of the last item
	taken, takenBytes       uint64

	grant     grant    // the last one
	past      [4]grant // those before it, the newest first
	wait      wait     // for what may be the response to the last grant
	congested bool     // the window was too small for the round trip
}

// A grant is what a producer may send when it has received it.
type grant struct {
	limit uint64 // the ordinal of the last item
	from  uint64 // items that had been taken then
	at    uint64 // bytes of those
	room  uint64 // bytes that the items after them may have
}

// NewWindow returns a window of so many items, at most MaxItems, and bytes.
func NewWindow(items, bytes int) Window {
	items = min(items, MaxItems)
	return Window{items: items, bytes: bytes, maxItems: min(items*maxGrowth, MaxItems),
		grant: grant{limit: InitialItems, room: InitialBytes}}
}

// NewAnnouncedWindow returns a window whose producer knows its size from the start,
// instead of InitialItems and InitialBytes.
func NewAnnouncedWindow(items, bytes int) Window {
	w := NewWindow(items, bytes)
	w.grant = grant{limit: uint64(w.items), room: uint64(bytes)}
	return w
}

// Receive counts an item of n bytes and reports whether it was allowed.
func (w *Window) Receive(n int) bool {
	before := w.receivedBytes - w.grant.at
	w.received++
	w.receivedBytes += uint64(n)
	w.last = uint64(n)
	return w.received <= w.grant.limit && (before+uint64(n) <= w.grant.room || before < half(w.grant.room))
}

// Take counts an item of n bytes that the application has got, and reports whether
// a grant is due: when half of what the producer may know of is used up, never for
// each item. That may be less than the window, which begins with the protocol's.
func (w *Window) Take(n int) bool {
	w.taken++
	w.takenBytes += uint64(n)
	return w.taken-w.grant.from >= half(min(uint64(w.items), w.grant.limit-w.grant.from)) ||
		w.takenBytes-w.grant.at >= half(min(uint64(w.bytes), w.grant.room))
}

// Held returns how many bytes have been received and not taken.
func (w *Window) Held() int { return int(w.receivedBytes - w.takenBytes) }

// Starve notes that the consumer has nothing to take. If all has come that an
// earlier grant allowed, the producer may be waiting for the last grant, which is
// still in flight. If much then comes in less time than that took, it was: the
// window is smaller than what a round trip can carry, and the next grant is for
// twice as much. A producer that is merely slow sends a little now and then, and its
// window stays as it is.
func (w *Window) Starve() {
	if w.judge() {
		return
	}
	for i := range w.past {
		if w.exhausts(&w.past[i]) {
			w.wait = wait{since: time.Now(), items: w.received, bytes: w.receivedBytes}
			return
		}
	}
}

// exhausts reports whether what has come is all that g allows, if the next item is as
// large as the last. See Credit.Allows.
func (w *Window) exhausts(g *grant) bool {
	out := w.receivedBytes - g.at
	switch {
	case g.limit == 0 || w.received > g.limit:
		return false
	case w.received == g.limit:
		return true
	case out < half(g.room) || out+w.last <= g.room: // another is allowed
		return false
	}
	return out <= g.room || out-w.last < half(g.room) // the last was allowed
}

// Refill notes that the consumer has something to take again.
func (w *Window) Refill() {
	if !w.wait.since.IsZero() && w.wait.until.IsZero() {
		w.wait.until = time.Now()
	}
}

// A wait is one of the consumer's that may be a round trip. The zero wait is none.
type wait struct {
	since, until time.Time
	items, bytes uint64 // received before
}

// judge looks at what has come since a wait ended, and reports whether it is too
// early to tell.
func (w *Window) judge() (early bool) {
	t := &w.wait
	switch {
	case t.until.IsZero():
		return false
	case time.Since(t.until) > t.until.Sub(t.since):
		*t = wait{}
	case w.received-t.items > uint64(w.items/4) || w.receivedBytes-t.bytes >= uint64(w.bytes/4):
		*t = wait{}
		w.congested = true
	}
	return !t.until.IsZero()
}

// Grant makes a new grant and returns what Credit.Grant is to be given.
func (w *Window) Grant() (taken uint64, items, bytes int) {
	if w.congested && w.items < w.maxItems {
		w.items, w.bytes = min(2*w.items, w.maxItems), 2*w.bytes
	}
	w.congested = false
	copy(w.past[1:], w.past[:])
	w.past[0] = w.grant
	last := w.grant.at + w.grant.room // no grant takes back what this one allowed
	w.grant = grant{
		limit: max(w.grant.limit, w.taken+uint64(w.items)),
		from:  w.taken,
		at:    w.takenBytes,
		room:  max(uint64(w.bytes), last-min(last, w.takenBytes)),
	}
	return w.taken, w.items, int(w.grant.room)
}
