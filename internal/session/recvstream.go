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
	scope   *callScope

	mu            sync.Mutex
	window        flow.Window // what take touches belongs to the goroutine that ranges
	buf           []byte      // items received and not yet in the reader's hands
	itemEnds      []int       // where each ends in buf
	large         []largeItem
	peerEnd       error // how the peer ended it, io.EOF where all is well; nil while open
	cancelCause   error // how we ended it; what is buffered is dropped
	leftScope     bool
	canMove       bool // it goes on by a cursor where its session is lost
	consumerWaits bool
	wake          chan struct{}

	// The rest belongs to the goroutine that ranges.
	current      []byte
	currentEnds  []int
	currentLarge []largeItem
	nextItem     int
	offset       int
	nextLarge    int
	returned     []byte      // the chunk with the item that was returned last, if that is large
	isCancelled  atomic.Bool // cancelled is set
}

// A largeItem is in a chunk of its own, and takes nothing of the buffer.
type largeItem struct {
	at          int // among the items
	raw, buffer []byte
}

func (s *Session) newRecvStream(handle uint64, depth int) *RecvStream {
	return &RecvStream{Session: s, Handle: handle, depth: depth, wake: make(chan struct{}, 1),
		window: flow.NewWindow(s.Limits.WindowItems, s.Limits.WindowBytes)}
}

// next returns the next item, which is good until the following next, or what
// the stream has ended with: io.EOF where it is complete.
func (rs *RecvStream) Next() ([]byte, error) {
	buffers.Put(rs.returned)
	rs.returned = nil
	for rs.nextItem == len(rs.currentEnds) {
		if err := rs.refill(); err != nil {
			return nil, err
		}
	}
	if rs.isCancelled.Load() {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		return nil, rs.cancelCause
	}
	raw := rs.item()
	rs.Session.buffered.Add(-int64(len(raw)))
	if rs.window.Take(len(raw)) {
		rs.grant()
	}
	return raw, nil
}

// ready reports whether next returns an item without waiting. It belongs to the
// goroutine that ranges.
func (rs *RecvStream) Ready() bool { return rs.nextItem < len(rs.currentEnds) }

// item takes the next of those that are in the reader's hands.
func (rs *RecvStream) item() []byte {
	to := rs.currentEnds[rs.nextItem]
	raw := rs.current[rs.offset:to:to]
	if rs.nextLarge < len(rs.currentLarge) && rs.currentLarge[rs.nextLarge].at == rs.nextItem {
		raw, rs.returned = rs.currentLarge[rs.nextLarge].raw, rs.currentLarge[rs.nextLarge].buffer
		rs.nextLarge++
	}
	rs.offset = to
	rs.nextItem++
	return raw
}

// refill takes what the reader has received, waiting for it.
func (rs *RecvStream) refill() error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for {
		switch {
		case rs.cancelCause != nil:
			return rs.cancelCause
		case len(rs.itemEnds) > 0:
			rs.current, rs.buf = rs.buf, rs.current[:0]
			rs.currentEnds, rs.itemEnds = rs.itemEnds, rs.currentEnds[:0]
			rs.currentLarge, rs.large = rs.large, rs.currentLarge[:0]
			rs.nextItem, rs.offset, rs.nextLarge = 0, 0, 0
			rs.window.Refill()
			return nil
		case rs.peerEnd != nil:
			return rs.peerEnd
		}
		rs.window.Starve()
		rs.consumerWaits = true
		rs.mu.Unlock()
		<-rs.wake
		rs.mu.Lock()
	}
}

// signal wakes the reader where it waits. The mutex is held.
func (rs *RecvStream) signal() {
	if rs.consumerWaits {
		rs.consumerWaits = false
		rs.wake <- struct{}{}
	}
}

// grant tells the producer that it may go on.
func (rs *RecvStream) grant() {
	rs.mu.Lock()
	if rs.peerEnd != nil || rs.cancelCause != nil {
		rs.mu.Unlock()
		return
	}
	taken, items, bytes := rs.window.Grant()
	rs.mu.Unlock()
	rs.Session.control(methodCredit, int64(rs.Handle), int64(taken), int64(items), int64(bytes))
}

// move notes that the stream goes on elsewhere where this one is lost, and where
// that is so already, as its session is left for another.
func (rs *RecvStream) AllowMove() {
	rs.mu.Lock()
	rs.canMove = true
	rs.mu.Unlock()
	rs.Session.mu.Lock()
	moving := rs.Session.state.movesStreams
	rs.Session.mu.Unlock()
	if moving {
		rs.Cancel(errMovedOn)
	}
}

func (rs *RecvStream) isMovable() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.canMove
}

// leave ends the range, however it came to that.
func (rs *RecvStream) Close() {
	rs.Cancel(nil)
	buffers.Put(rs.returned)
	rs.Session.buffered.Add(-int64(len(rs.current) - rs.offset + releaseItems(rs.currentLarge[rs.nextLarge:])))
	rs.current, rs.currentEnds, rs.currentLarge, rs.returned = nil, nil, nil, nil
	rs.nextItem, rs.offset, rs.nextLarge = 0, 0, 0
}

// freeItems frees the chunks of items that nobody wants, and says how many bytes
// the items had.
func releaseItems(items []largeItem) (n int) {
	for _, it := range items {
		n += len(it.raw)
		buffers.Put(it.buffer)
	}
	return n
}

// receive takes in the items of one message. The reader calls it; it reports what
// is wrong with the producer, or with us, that ends the stream.
func (rs *RecvStream) receive(items iter.Seq[[]byte]) *fault.Error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.peerEnd != nil || rs.cancelCause != nil { // for this side it has ended: nothing of it may be taken in again
		return nil
	}
	defer rs.signal()
	for raw := range items {
		if !rs.window.Receive(len(raw)) {
			return errOverrun
		}
		if rs.Session.incomingMessage.Deep && rs.Session.Format.Check(raw, rs.depth) != nil {
			return &fault.Error{Code: fault.InvalidParams, Message: fmt.Sprintf("a stream item is nested deeper than %d", rs.depth)}
		}
		if !rs.Session.reserve(len(raw)) {
			return errBufferedFull
		}
		if held, chunk := rs.Session.retain(raw); chunk != nil {
			rs.large = append(rs.large, largeItem{len(rs.itemEnds), held, chunk})
		} else {
			rs.buf = append(rs.buf, raw...)
		}
		rs.itemEnds = append(rs.itemEnds, len(rs.buf))
	}
	return nil
}

// end notes how the peer ended the stream: nil where it is complete. The call's
// context goes on to govern what is buffered until that is read or dropped.
func (rs *RecvStream) receiveEnd(err error) {
	if err == nil {
		err = io.EOF
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.peerEnd == nil {
		rs.peerEnd = err
	}
	rs.signal()
}

// cancel ends the stream from this side: what is buffered is dropped, why is
// what the range yields if it still runs, and the peer hears of it, unless it
// has said the end already. A nil why is a range that has been left.
func (rs *RecvStream) Cancel(why error) {
	if rs.drop(why) {
		rs.Session.cancelStream(rs.Handle)
	}
	rs.leaveScope()
}

// drop is cancel without a word to the peer. It reports whether one is due.
func (rs *RecvStream) drop(why error) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.cancelCause != nil {
		return false
	}
	if why == nil {
		why = fault.ErrStreamUsed
	}
	rs.cancelCause = why
	rs.isCancelled.Store(true)
	unread := len(rs.buf) + releaseItems(rs.large)
	rs.buf, rs.itemEnds, rs.large = nil, nil, nil
	rs.Session.buffered.Add(-int64(unread))
	rs.signal()
	return rs.peerEnd == nil
}

// join puts the stream under a call, and reports whether it is not settled yet.
func (rs *RecvStream) joinScope(scope *callScope) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.scope = scope
	return !rs.leftScope
}

// settle tells the call that the stream has been read to its end or is no
// longer wanted.
func (rs *RecvStream) leaveScope() {
	rs.mu.Lock()
	done := rs.scope != nil && !rs.leftScope
	rs.leftScope = true
	rs.mu.Unlock()
	if done {
		rs.scope.done()
	}
}

// forgotten is the garbage collector's word that the user has lost the stream
// without ranging over it, or after. It runs on the collector's goroutine, which
// is in nobody's synctest bubble and must touch no channel: the connection's
// next housekeeping, or its next stream, cancels what is noted here.
func (rs *RecvStream) MarkUnreferenced() {
	rs.mu.Lock()
	settled := rs.leftScope
	rs.mu.Unlock()
	if settled {
		return
	}
	rs.Session.mu.Lock()
	defer rs.Session.mu.Unlock()
	if !rs.Session.state.ended {
		rs.Session.state.unreferenced = append(rs.Session.state.unreferenced, rs)
	}
}

var (
	errOverrun      = &fault.Error{Code: fault.FlowControl, Message: "more stream items than the credit allowed"}
	errBufferedFull = &fault.Error{Code: fault.LimitReached, Message: "the connection holds too many bytes that its application has not taken"}
)
