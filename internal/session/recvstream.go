package session

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
)

// A RecvStream is a stream whose items the peer produces. The reader fills it and one
// goroutine of the user ranges over it; the credit bounds what is buffered.
//
// A cancelled receive stream stays in the session's table, without a buffer, until the
// peer's end message, so that items already in flight are recognized and dropped.
type RecvStream struct {
	Session *Session
	Handle  uint64
	depth   int // how deep an item may be nested
	scope   *callScope

	mu            sync.Mutex
	window        flow.Window // what Take uses belongs to the ranging goroutine
	buf           []byte      // items received and not yet moved to current
	itemEnds      []int       // the end of each in buf
	large         []largeItem
	peerEnd       error // how the peer ended the stream, io.EOF if it is complete; nil while open
	cancelCause   error // why this side ended the stream; buffered items are dropped
	leftScope     bool
	canMove       bool // a cursor can continue it on another session
	consumerWaits bool
	wake          chan struct{}

	// The ranging goroutine owns the remaining fields.
	current      []byte
	currentEnds  []int
	currentLarge []largeItem
	nextItem     int
	offset       int
	nextLarge    int
	returned     []byte      // the buffer of the item that Next returned last, if it is a large one
	isCancelled  atomic.Bool // cancelCause is set; readable without mu
}

// A largeItem has a buffer of its own and uses nothing of buf.
type largeItem struct {
	at          int // its index among the items
	raw, buffer []byte
}

func newRecvStream(s *Session, handle uint64, depth int) *RecvStream {
	return &RecvStream{Session: s, Handle: handle, depth: depth, wake: make(chan struct{}, 1),
		window: flow.NewWindow(s.Limits.WindowItems, s.Limits.WindowBytes)}
}

// Next returns the next item, which is valid until the next call, or the error with
// which the stream has ended: io.EOF if it is complete.
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

// Ready reports whether Next would return an item without blocking. Only the ranging
// goroutine may call it.
func (rs *RecvStream) Ready() bool { return rs.nextItem < len(rs.currentEnds) }

// item returns the next item of current.
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

// refill moves the received items to current, waiting until there are some.
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

// signal wakes the ranging goroutine if it waits. The mutex must be held.
func (rs *RecvStream) signal() {
	if rs.consumerWaits {
		rs.consumerWaits = false
		rs.wake <- struct{}{}
	}
}

// grant sends the producer new credit, unless the stream has ended, or in plain mode,
// which has none.
func (rs *RecvStream) grant() {
	rs.mu.Lock()
	if rs.peerEnd != nil || rs.cancelCause != nil {
		rs.mu.Unlock()
		return
	}
	taken, items, bytes := rs.window.Grant()
	rs.mu.Unlock()
	if !rs.Session.extended {
		return
	}
	rs.Session.queue.control(methodCredit, int64(rs.Handle), int64(taken), int64(items), int64(bytes))
}

func (rs *RecvStream) isMovable() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.canMove
}

// Close ends the range over the stream and releases its buffers.
func (rs *RecvStream) Close() {
	rs.Cancel(nil)
	buffers.Put(rs.returned)
	rs.Session.buffered.Add(-int64(len(rs.current) - rs.offset + releaseItems(rs.currentLarge[rs.nextLarge:])))
	rs.current, rs.currentEnds, rs.currentLarge, rs.returned = nil, nil, nil, nil
	rs.nextItem, rs.offset, rs.nextLarge = 0, 0, 0
}

// releaseItems returns the buffers of dropped items to the pool, and the size of the
// items.
func releaseItems(items []largeItem) (n int) {
	for _, it := range items {
		n += len(it.raw)
		buffers.Put(it.buffer)
	}
	return n
}

// receive buffers the items of one message. The reader calls it. It returns the error
// that ends the stream: a violation by the producer, or a limit of this side. deep is
// wire.Message.Deep.
func (rs *RecvStream) receive(items [][]byte, deep bool) *fault.Error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.peerEnd != nil || rs.cancelCause != nil { // the stream has ended on this side: items in flight are dropped
		return nil
	}
	defer rs.signal()
	for _, raw := range items {
		if !rs.window.Receive(len(raw)) {
			return errOverrun
		}
		if deep && rs.Session.Format.Check(raw, rs.depth) != nil {
			return errTooDeep(rs.depth)
		}
		if !rs.Session.reserve(len(raw)) {
			return errBufferedFull
		}
		if held, buffer := rs.Session.reader.retain(raw); buffer != nil {
			rs.large = append(rs.large, largeItem{len(rs.itemEnds), held, buffer})
		} else {
			rs.buf = append(rs.buf, raw...)
		}
		rs.itemEnds = append(rs.itemEnds, len(rs.buf))
	}
	return nil
}

// receivePlain is receive for one item in plain mode. There is no credit: how many items
// may wait is bounded instead.
func (rs *RecvStream) receivePlain(raw []byte, deep bool) *fault.Error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	s := rs.Session
	switch {
	case rs.peerEnd != nil || rs.cancelCause != nil:
		return nil
	case len(rs.itemEnds) >= s.Limits.SubscriptionItems:
		return errOverrunPlain(s.Limits.SubscriptionItems)
	case deep && s.Format.Check(raw, rs.depth) != nil:
		return errTooDeep(rs.depth)
	case !s.reserve(len(raw)):
		return errFullPlain
	}
	rs.buf = append(rs.buf, raw...)
	rs.itemEnds = append(rs.itemEnds, len(rs.buf))
	rs.signal()
	return nil
}

// receiveEnd records how the peer ended the stream, nil if it is complete. The call's
// context still governs the buffered items until they are read or dropped.
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

// Cancel ends the stream from this side: it drops the buffered items, makes Next return
// why, and sends $/cancel, unless the peer has ended the stream. A nil why stands for a
// range that has ended.
func (rs *RecvStream) Cancel(why error) {
	if rs.drop(why) {
		rs.Session.dialect.leave(rs)
	}
	rs.leaveScope()
}

// drop is Cancel without the message. It reports whether the message must be sent.
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

// joinScope adds the stream to the scope of a call. It reports false if the stream has
// already left its scope.
func (rs *RecvStream) joinScope(scope *callScope) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.scope = scope
	return !rs.leftScope
}

// leaveScope removes the stream, which has been read to its end or is no longer wanted,
// from its call scope. Only the first call has an effect.
func (rs *RecvStream) leaveScope() {
	rs.mu.Lock()
	done := rs.scope != nil && !rs.leftScope
	rs.leftScope = true
	rs.mu.Unlock()
	if done {
		rs.scope.done()
	}
}

func errOverrunPlain(limit int) *fault.Error {
	return &fault.Error{Code: fault.SlowConsumer, Message: fmt.Sprintf("more than %d items of the subscription wait to be taken, which is Limits.SubscriptionItems", limit)}
}

func errTooDeep(depth int) *fault.Error {
	return &fault.Error{Code: fault.InvalidParams, Message: fmt.Sprintf("a stream item is nested deeper than %d", depth)}
}

var (
	errFullPlain    = &fault.Error{Code: fault.SlowConsumer, Message: "more bytes wait to be taken than Limits.BufferedBytes allows"}
	errOverrun      = &fault.Error{Code: fault.FlowControl, Message: "more stream items than the credit allowed"}
	errBufferedFull = &fault.Error{Code: fault.LimitReached, Message: "the connection holds too many bytes that its application has not taken"}
)
