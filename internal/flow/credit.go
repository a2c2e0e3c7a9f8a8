// Package flow holds the arithmetic of flow control: the Credit of a producer and
// the Window of its consumer. It has no locks and does no I/O; whoever owns a Credit
// or a Window guards it.
//
// Credit is absolute, as QUIC's is (RFC 9000, section 4.1): a grant that is received
// twice or late does no harm, and none is ever taken back. It bounds both the number
// of items in flight and their bytes.
package flow

import "fmt"

// Every stream begins with this much credit, so that its first items need no round
// trip. Both are constants of the protocol.
const (
	InitialItems = 64
	InitialBytes = 64 << 10
)

// MaxItems is how many items may be in flight at once, whatever is granted: the
// producer keeps the size of each, and a consumer could otherwise have it keep any
// number. It is a constant of the protocol: a consumer that granted more would wait
// for half of what never comes.
const MaxItems = 16 << 10

// A Credit is what a producer may still send. The zero Credit allows nothing.
type Credit struct {
	sent  uint64 // items
	limit uint64 // the ordinal of the last item allowed
	taken uint64 // items that the consumer's application has taken
	bytes int    // how many bytes the items after taken may have

	outstanding int   // bytes of the items after taken
	sizes       []int // of each of those, from head on
	head        int
}

// NewCredit returns the credit for so many items of so many bytes in all.
func NewCredit(items, bytes int) Credit { return Credit{limit: uint64(items), bytes: bytes} }

// Allows reports whether an item of n bytes may be sent. While less than half of
// the bytes are outstanding any item may be sent. Otherwise an item larger than the
// window could never be sent, and the consumer, which grants when half has been
// taken, and the producer of a large item after a small one would wait for each
// other.
func (c *Credit) Allows(n int) bool {
	return c.sent < c.limit && (c.outstanding+n <= c.bytes || c.outstanding < half(c.bytes))
}

// Spend counts an item of n bytes that is sent.
func (c *Credit) Spend(n int) {
	c.sent++
	c.outstanding += n
	if c.head > 64 && c.head*2 > len(c.sizes) {
		c.sizes = append(c.sizes[:0], c.sizes[c.head:]...)
		c.head = 0
	}
	c.sizes = append(c.sizes, n)
}

// Grant applies a grant: the application has taken the items up to taken, and so
// many items and bytes more may be in flight. An older grant changes nothing. It
// fails if taken is an item that has not been sent.
func (c *Credit) Grant(taken uint64, items, bytes int) error {
	if taken > c.sent {
		return fmt.Errorf("credit for item %d of a stream that has sent %d", taken, c.sent)
	}
	if taken >= c.taken {
		c.bytes = max(bytes, c.bytes-c.bytesUpTo(taken))
	}
	for ; c.taken < taken; c.taken++ {
		c.outstanding -= c.sizes[c.head]
		c.head++
	}
	c.limit = max(c.limit, taken+uint64(min(items, MaxItems)))
	return nil
}

// bytesUpTo returns how many bytes the outstanding items up to taken have.
func (c *Credit) bytesUpTo(taken uint64) int {
	n := 0
	for i := range int(taken - c.taken) {
		n += c.sizes[c.head+i]
	}
	return n
}

// half is n/2 rounded up: both peers must compute the same.
func half[N int | uint64](n N) N { return (n + 1) / 2 }
