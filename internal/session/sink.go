package session

import (
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
)

// A sink is a stream that the peer produces. The reader fills it, one goroutine
// of the user's empties it; credit bounds what is in between.
//
// Once cancelled it stays with the connection as a mark without a buffer, until
// the peer has said the stream's end: what was on its way must not look like
// items of a stream that never was.
type RecvStream struct {
	Session *Session
	Handle  uint64
	depth   int // how deep an item may nest
	acct    *account

	mu        sync.Mutex
	window    flow.Window // what take touches belongs to the goroutine that ranges
	buf       []byte      // items received and not yet in the reader's hands
	ends      []int       // where each ends in buf
	large     []largeItem
	over      error // how the peer ended it, io.EOF where all is well; nil while open
	cancelled error // how we ended it; what is buffered is dropped
	settled   bool
	moves     bool // it goes on by a cursor where its session is lost
	waiting   bool
	wake      chan struct{}

	// The rest belongs to the goroutine that ranges.
	cur       []byte
	curEnds   []int
	curLarge  []largeItem
	pos       int
	from      int
	nextLarge int
	lent      []byte      // the chunk with the item that was returned last, if that is large
	dropped   atomic.Bool // cancelled is set
}

// A largeItem is in a chunk of its own, and takes nothing of the buffer.
type largeItem struct {
	at         int // among the items
	raw, chunk []byte
}

func (c *Session) newSink(handle uint64, depth int) *RecvStream {
	return &RecvStream{Session: c, Handle: handle, depth: depth, wake: make(chan struct{}, 1),
		window: flow.NewWindow(c.Limits.WindowItems, c.Limits.WindowBytes)}
}

// next returns the next item, which is good until the following next, or what
// the stream has ended with: io.EOF where it is complete.
func (k *RecvStream) Next() ([]byte, error) {
	buffers.Put(k.lent)
	k.lent = nil
	for k.pos == len(k.curEnds) {
		if err := k.refill(); err != nil {
			return nil, err
		}
	}
	if k.dropped.Load() {
		k.mu.Lock()
		defer k.mu.Unlock()
		return nil, k.cancelled
	}
	raw := k.item()
	k.Session.buffered.Add(-int64(len(raw)))
	if k.window.Take(len(raw)) {
		k.grant()
	}
	return raw, nil
}

// ready reports whether next returns an item without waiting. It belongs to the
// goroutine that ranges.
func (k *RecvStream) Ready() bool { return k.pos < len(k.curEnds) }

// item takes the next of those that are in the reader's hands.
func (k *RecvStream) item() []byte {
	to := k.curEnds[k.pos]
	raw := k.cur[k.from:to:to]
	if k.nextLarge < len(k.curLarge) && k.curLarge[k.nextLarge].at == k.pos {
		raw, k.lent = k.curLarge[k.nextLarge].raw, k.curLarge[k.nextLarge].chunk
		k.nextLarge++
	}
	k.from = to
	k.pos++
	return raw
}

// refill takes what the reader has received, waiting for it.
func (k *RecvStream) refill() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		switch {
		case k.cancelled != nil:
			return k.cancelled
		case len(k.ends) > 0:
			k.cur, k.buf = k.buf, k.cur[:0]
			k.curEnds, k.ends = k.ends, k.curEnds[:0]
			k.curLarge, k.large = k.large, k.curLarge[:0]
			k.pos, k.from, k.nextLarge = 0, 0, 0
			k.window.Refill()
			return nil
		case k.over != nil:
			return k.over
		}
		k.window.Starve()
		k.waiting = true
		k.mu.Unlock()
		<-k.wake
		k.mu.Lock()
	}
}

// signal wakes the reader where it waits. The mutex is held.
func (k *RecvStream) signal() {
	if k.waiting {
		k.waiting = false
		k.wake <- struct{}{}
	}
}

// grant tells the producer that it may go on.
func (k *RecvStream) grant() {
	k.mu.Lock()
	if k.over != nil || k.cancelled != nil {
		k.mu.Unlock()
		return
	}
	taken, items, bytes := k.window.Grant()
	k.mu.Unlock()
	k.Session.control(methodCredit, int64(k.Handle), int64(taken), int64(items), int64(bytes))
}

// move notes that the stream goes on elsewhere where this one is lost, and where
// that is so already, as its session is left for another.
func (k *RecvStream) Move() {
	k.mu.Lock()
	k.moves = true
	k.mu.Unlock()
	k.Session.mu.Lock()
	moving := k.Session.state.moving
	k.Session.mu.Unlock()
	if moving {
		k.Cancel(errMovedOn)
	}
}

func (k *RecvStream) movable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.moves
}

// leave ends the range, however it came to that.
func (k *RecvStream) Leave() {
	k.Cancel(nil)
	buffers.Put(k.lent)
	k.Session.buffered.Add(-int64(len(k.cur) - k.from + freeItems(k.curLarge[k.nextLarge:])))
	k.cur, k.curEnds, k.curLarge, k.lent = nil, nil, nil, nil
	k.pos, k.from, k.nextLarge = 0, 0, 0
}

// freeItems frees the chunks of items that nobody wants, and says how many bytes
// the items had.
func freeItems(items []largeItem) (n int) {
	for _, it := range items {
		n += len(it.raw)
		buffers.Put(it.chunk)
	}
	return n
}

// receive takes in the items of one message. The reader calls it; it reports what
// is wrong with the producer, or with us, that ends the stream.
func (k *RecvStream) receive(items iter.Seq[[]byte]) *fault.Error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over != nil || k.cancelled != nil { // for this side it has ended: nothing of it may be taken in again
		return nil
	}
	defer k.signal()
	for raw := range items {
		if !k.window.Receive(len(raw)) {
			return errOverrun
		}
		if k.Session.incomingMessage.Deep && k.Session.Format.Check(raw, k.depth) != nil {
			return &fault.Error{Code: fault.InvalidParams, Message: fmt.Sprintf("a stream item is nested deeper than %d", k.depth)}
		}
		if !k.Session.reserve(len(raw)) {
			return errBufferedFull
		}
		if held, chunk := k.Session.hold(raw); chunk != nil {
			k.large = append(k.large, largeItem{len(k.ends), held, chunk})
		} else {
			k.buf = append(k.buf, raw...)
		}
		k.ends = append(k.ends, len(k.buf))
	}
	return nil
}

// end notes how the peer ended the stream: nil where it is complete. The call's
// context goes on to govern what is buffered until that is read or dropped.
func (k *RecvStream) end(err error) {
	if err == nil {
		err = io.EOF
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over == nil {
		k.over = err
	}
	k.signal()
}

// cancel ends the stream from this side: what is buffered is dropped, why is
// what the range yields if it still runs, and the peer hears of it, unless it
// has said the end already. A nil why is a range that has been left.
func (k *RecvStream) Cancel(why error) {
	if k.drop(why) {
		k.Session.cancelStream(k.Handle)
	}
	k.settle()
}

// drop is cancel without a word to the peer. It reports whether one is due.
func (k *RecvStream) drop(why error) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cancelled != nil {
		return false
	}
	if why == nil {
		why = fault.ErrStreamUsed
	}
	k.cancelled = why
	k.dropped.Store(true)
	unread := len(k.buf) + freeItems(k.large)
	k.buf, k.ends, k.large = nil, nil, nil
	k.Session.buffered.Add(-int64(unread))
	k.signal()
	return k.over == nil
}

// join puts the stream under a call, and reports whether it is not settled yet.
func (k *RecvStream) join(acct *account) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acct = acct
	return !k.settled
}

// settle tells the call that the stream has been read to its end or is no
// longer wanted.
func (k *RecvStream) settle() {
	k.mu.Lock()
	done := k.acct != nil && !k.settled
	k.settled = true
	k.mu.Unlock()
	if done {
		k.acct.done()
	}
}

// forgotten is the garbage collector's word that the user has lost the stream
// without ranging over it, or after. It runs on the collector's goroutine, which
// is in nobody's synctest bubble and must touch no channel: the connection's
// next housekeeping, or its next stream, cancels what is noted here.
func (k *RecvStream) Forgotten() {
	k.mu.Lock()
	settled := k.settled
	k.mu.Unlock()
	if settled {
		return
	}
	k.Session.mu.Lock()
	defer k.Session.mu.Unlock()
	if !k.Session.state.ended {
		k.Session.state.lost = append(k.Session.state.lost, k)
	}
}

var (
	errOverrun      = &fault.Error{Code: fault.FlowControl, Message: "more stream items than the credit allowed"}
	errBufferedFull = &fault.Error{Code: fault.LimitReached, Message: "the connection holds too many bytes that its application has not taken"}
)
