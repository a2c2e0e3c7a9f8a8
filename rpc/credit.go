package rpc

import (
	"fmt"
	"time"
)

// Every stream begins with this much credit, without being asked, so that its
// first items need no round trip. It is a constant of the protocol.
const (
	initialItems = 64
	initialBytes = 64 << 10
)

// maxItems is how many items may be on their way at once, whatever is granted.
// The producer notes the size of each, so that a consumer could otherwise make it
// note them without end. It is a constant of the protocol: a consumer that meant
// to wait for half of more would wait for ever.
const maxItems = 16 << 10

// A credit is what a producer may still send. It is absolute, as QUIC's is (RFC
// 9000, section 4.1): hearing of the same grant twice does no harm, and none is
// ever taken back.
type credit struct {
	sent  uint64 // items
	limit uint64 // the ordinal of the last item allowed
	taken uint64 // items that the consumer's application has
	bytes int    // that the items after taken may have

	out   int   // bytes of the items after taken
	sizes []int // of each of those, from head on
	head  int
}

// allows says whether an item of n bytes may be sent. While less than half of
// the bytes are outstanding any item is, or one larger than the window never
// could be; and the consumer, which makes a grant when half has been taken,
// and the producer of a large item behind a small one would wait for each
// other.
func (c *credit) allows(n int) bool {
	return c.sent < c.limit && (c.out+n <= c.bytes || c.out < half(c.bytes))
}

func (c *credit) spend(n int) {
	c.sent++
	c.out += n
	if c.head > 64 && c.head*2 > len(c.sizes) {
		c.sizes = append(c.sizes[:0], c.sizes[c.head:]...)
		c.head = 0
	}
	c.sizes = append(c.sizes, n)
}

// grant hears that the application has taken items up to taken, and that items
// and bytes more may be on their way. An older grant changes nothing.
func (c *credit) grant(taken uint64, items, bytes int) error {
	if taken > c.sent {
		return fmt.Errorf("credit for item %d of a stream that has sent %d", taken, c.sent)
	}
	if taken >= c.taken {
		c.bytes = max(bytes, c.bytes-c.behind(taken))
	}
	for ; c.taken < taken; c.taken++ {
		c.out -= c.sizes[c.head]
		c.head++
	}
	c.limit = max(c.limit, taken+uint64(min(items, maxItems)))
	return nil
}

// behind is how many bytes the items up to taken have that were outstanding.
func (c *credit) behind(taken uint64) int {
	n := 0
	for i := range int(taken - c.taken) {
		n += c.sizes[c.head+i]
	}
	return n
}

// A window is the consumer's side: how much it has granted and what has come.
type window struct {
	items int // its size
	bytes int
	max   int // to which items grows

	received, receivedBytes uint64
	last                    uint64 // the size of the last item
	taken, takenBytes       uint64

	granted            // the last grant
	past    [4]granted // those before it, the newest first
	waits   wait       // for what may be the last grant's answer
	starved bool       // it was: the window was too small
}

// granted is what a producer may send when it knows of a grant.
type granted struct {
	limit uint64 // the last item
	from  uint64 // items that had been taken then
	at    uint64 // bytes of those
	room  uint64 // bytes that the items after them may have
}

func newWindow(items, bytes int) window {
	items = min(items, maxItems)
	return window{items: items, bytes: bytes, max: min(items*windowGrowth, maxItems),
		granted: granted{limit: initialItems, room: initialBytes}}
}

// receive counts an item of n bytes and reports whether it was allowed.
func (w *window) receive(n int) bool {
	before := w.receivedBytes - w.at
	w.received++
	w.receivedBytes += uint64(n)
	w.last = uint64(n)
	return w.received <= w.limit && (before+uint64(n) <= w.room || before < half(w.room))
}

// take counts an item that the application has got and reports whether a grant
// is due: when half of what the producer knows of is used up, never for each
// item. That may be less than the window, which begins with the protocol's.
func (w *window) take(n int) bool {
	w.taken++
	w.takenBytes += uint64(n)
	return w.taken-w.from >= half(min(uint64(w.items), w.limit-w.from)) ||
		w.takenBytes-w.at >= half(min(uint64(w.bytes), w.room))
}

// half is n/2 rounded up: both sides must mean the same by it.
func half[N int | uint64](n N) N { return (n + 1) / 2 }

// starve notes that the reader has nothing to take. Where what has come is all
// that an earlier grant allowed, the producer may be waiting for the last, which
// is still on its way. Where much then comes in less time than that took, it was:
// the window is smaller than what a round trip can carry, and the next grant is
// for twice as much. A producer that is merely slow sends a little now and then,
// and its window stays.
func (w *window) starve() {
	if w.waits.judge(w) {
		return
	}
	for _, g := range w.past {
		out := w.receivedBytes - g.at
		all := out >= half(g.room) && (out <= g.room || out-w.last < half(g.room)) // as allows has it
		if g.limit > 0 && (w.received == g.limit || w.received < g.limit && all) {
			w.waits = wait{since: time.Now(), items: w.received, bytes: w.receivedBytes}
			return
		}
	}
}

// refill notes that the reader has something to take again.
func (w *window) refill() {
	if !w.waits.since.IsZero() && w.waits.until.IsZero() {
		w.waits.until = time.Now()
	}
}

// A wait is one of the reader's for what may be a round trip. The zero wait is
// none.
type wait struct {
	since, until time.Time
	items, bytes uint64 // received before
}

// judge looks at what has come since a wait ended, and reports whether it is too
// early to tell.
func (t *wait) judge(w *window) (early bool) {
	switch {
	case t.until.IsZero():
		return false
	case time.Since(t.until) > t.until.Sub(t.since):
		*t = wait{}
	case w.received-t.items > uint64(w.items/4) || w.receivedBytes-t.bytes >= uint64(w.bytes/4):
		*t = wait{}
		w.starved = true
	}
	return !t.until.IsZero()
}

// grant makes a new grant.
func (w *window) grant() (taken uint64, items, bytes int) {
	if w.starved && w.items < w.max {
		w.items, w.bytes = min(2*w.items, w.max), 2*w.bytes
	}
	w.starved = false
	copy(w.past[1:], w.past[:])
	w.past[0] = w.granted
	last := w.at + w.room // no grant goes back behind it
	w.granted = granted{
		limit: max(w.limit, w.taken+uint64(w.items)),
		from:  w.taken,
		at:    w.takenBytes,
		room:  max(uint64(w.bytes), last-min(last, w.takenBytes)),
	}
	return w.taken, w.items, int(w.room)
}
