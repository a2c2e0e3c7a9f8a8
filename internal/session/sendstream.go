package session

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/wire"
)

// A sendStream is a stream that this side produces. Its producer runs on a goroutine
// of its own and hands encoded items to put; they wait in pend until the flusher gives
// the stream its turn.
type SendStream struct {
	Session   *Session
	handle    uint64
	producer  Producer
	scope     *callScope
	isResult  bool        // part of an answer
	leftScope atomic.Bool // acct has been told
	sub       *subscription

	// The producer's:
	scratch    []byte // room for a frame's head, then an item; no large one between items
	LikelySize int    // how large the next item probably is, as the last one was
	Failure    error  // why the stream cannot go on
	Timed      bool   // measures blocked, the time spent in wait
	Blocked    time.Duration

	// The rest belongs to the outbox and is guarded by its mutex.
	pending       []byte     // encoded items, to be one message; a pooled buffer
	pendingItems  int        // how many
	itemSizes     []int      // of each, where the stream is a plain subscription
	large         largeFrame // or one item, in a frame
	inReadyList   bool       // in the ring
	waitsForRoom  bool       // among those who wait for room
	producerWaits bool       // the producer is in wait
	wake          chan struct{}
	credit        flow.Credit
	stopped       bool // no item may follow
	stopCause     error
	finished      bool // the producer is done: only the end is left to say
	endObject     []byte
}

// A producer runs what yields a stream's items.
type Producer interface {
	// produce encodes items into what next returns and hands them to put, until put
	// does not want more. It calls finish at the end, in any case.
	Produce(ss *SendStream)
}

func (s *Session) newSendStream(p Producer, handle uint64, scope *callScope) *SendStream {
	ss := &SendStream{Session: s, handle: handle, producer: p, scope: scope, wake: make(chan struct{}, 1)}
	ss.credit = flow.NewCredit(s.Limits.WindowItems, s.Limits.WindowBytes)
	if s.Mode == ModeWirecall {
		ss.credit = flow.NewCredit(flow.InitialItems, flow.InitialBytes)
	}
	return ss
}

// run is the producer's goroutine.
func (ss *SendStream) run() {
	defer ss.leaveScope() // not before finish: it may end the call's context
	ss.producer.Produce(ss)
}

// next returns what the next item is to be appended to. It waits for credit if the
// item is probably large, and reports false if no item may follow.
func (ss *SendStream) Next() (buf []byte, ok bool) {
	if ss.sub == nil && ss.LikelySize >= largeMessage {
		if !ss.awaitCredit(ss.LikelySize) {
			return nil, false
		}
		if ss.scratch == nil {
			ss.scratch = buffers.Get(ss.LikelySize + 2*wire.ItemRoom)
		}
	}
	return slices.Grow(ss.scratch[:0], 2*wire.ItemRoom)[:wire.ItemRoom], true
}

// A putResult says what has become of an item.
type PutResult uint8

const (
	PutStopped PutResult = iota // the stream takes no more
	PutDone
	PutAgain // the item has to wait for credit, perhaps for ever: it is to be encoded again
)

// put sends the item that was appended to what next returned, waiting for room and,
// if it is small, for credit.
func (ss *SendStream) Put(b []byte) PutResult {
	ss.scratch = b
	b = b[wire.ItemRoom:]
	if ss.sub != nil {
		b = ss.sub.item(b)
	}
	if peer := ss.Session.peerMessage(); len(b)+messageOverhead > peer {
		ss.Failure = fault.Errorf(fault.TooLarge, "rpc: a stream item of %d bytes is over the peer's limit of %d for a message", len(b), peer)
		return PutStopped
	}
	ss.LikelySize = len(b)
	ok := false
	switch {
	case ss.sub != nil || len(b) < largeMessage:
		ok = ss.putSmall(b)
		ss.releaseScratch()
	case ss.hasCredit(len(b)):
		ok = ss.putLarge(len(b))
	default:
		ss.releaseScratch()
		return PutAgain
	}
	if !ok {
		return PutStopped
	}
	return PutDone
}

// trim gives back the room for an item where that is large: the next may be long in
// coming.
func (ss *SendStream) releaseScratch() {
	if cap(ss.scratch) > 2*largeMessage {
		buffers.Put(ss.scratch)
		ss.scratch = nil
	}
	if ss.sub != nil && cap(ss.sub.buf) > 2*largeMessage {
		ss.sub.buf = nil
	}
}

// hasCredit reports whether the consumer takes an item of n bytes, or nothing is to
// be waited for any more.
func (ss *SendStream) hasCredit(n int) bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.credit.Allows(n) || ss.stopped || ss.Session.queue.closed
}

// awaitCredit waits until the consumer takes an item of n bytes. It returns false
// if it takes none any more.
func (ss *SendStream) awaitCredit(n int) bool {
	q := &ss.Session.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for !ss.credit.Allows(n) && !ss.stopped && !q.closed {
		ss.producerWaits = true
		q.mu.Unlock()
		ss.timedWait()
		q.mu.Lock()
	}
	return !ss.stopped && !q.closed
}

// depth is how deep an item may nest.
func (ss *SendStream) Depth() int {
	if ss.isResult {
		return wire.CallerDepth
	}
	return wire.CalleeDepth
}

// putLarge puts the item of n bytes in scratch, which goes with it.
func (ss *SendStream) putLarge(n int) bool {
	buf, frame := ss.Session.Format.ItemFrame(ss.scratch, ss.handle)
	if ss.scratch = nil; !ss.awaitTurn(n) {
		return false
	}
	ss.large = largeFrame{frame: frame, buf: buf}
	ss.added(n, len(frame))
	return true
}

// putSmall puts an item among those that wait.
func (ss *SendStream) putSmall(b []byte) bool {
	if !ss.awaitTurn(len(b)) {
		return false
	}
	before := len(ss.pending)
	ss.pending = buffers.Grow(ss.pending, len(b)+1)
	if ss.pendingItems > 0 && ss.sub == nil {
		ss.pending = ss.Session.queue.form.AppendSeparator(ss.pending)
	}
	ss.pending = append(ss.pending, b...)
	ss.added(len(b), len(ss.pending)-before)
	return true
}

// await waits until an item of n bytes may go out. The outbox's mutex is held
// then, until placed is called, unless none may go out any more.
func (ss *SendStream) awaitTurn(n int) bool {
	q := &ss.Session.queue
	q.mu.Lock()
	for !ss.mayPut(n) {
		if ss.stopped || q.closed {
			q.mu.Unlock()
			return false
		}
		ss.producerWaits = true
		q.mu.Unlock()
		if err := ss.timedWait(); err != nil {
			ss.Failure = err
			return false
		}
		q.mu.Lock()
	}
	return true
}

// placed counts an item of n bytes, that takes so many, and lets the mutex go.
func (ss *SendStream) added(n, takes int) {
	q := &ss.Session.queue
	q.itemBytes += takes
	q.reportGrowth(takes)
	ss.pendingItems++
	if ss.sub != nil {
		ss.itemSizes = append(ss.itemSizes, n)
	} else {
		ss.credit.Spend(n)
	}
	flush := q.enqueue(ss)
	q.mu.Unlock()
	if flush {
		go ss.Session.flush(false) // not by the pump: it would send one item at a time
	}
}

// held is how many bytes wait.
func (ss *SendStream) pendingBytes() int { return len(ss.pending) + len(ss.large.frame) }

// mayPut says whether an item of n bytes may go out now.
func (ss *SendStream) mayPut(n int) bool {
	q := &ss.Session.queue
	switch {
	case ss.stopped || q.closed:
		return false
	case ss.sub == nil && !ss.credit.Allows(n):
		return false
	case ss.pendingBytes() > 0 && (ss.pendingBytes()+n > streamItemsSize || n >= largeMessage && ss.sub == nil || ss.large.frame != nil):
		return false // take signals
	case q.itemBytes >= ItemsSize:
		if !ss.waitsForRoom {
			ss.waitsForRoom = true
			q.itemWaiters = append(q.itemWaiters, ss)
		}
		return false
	}
	return true
}

// timedWait is wait, which it measures if that is wanted.
func (ss *SendStream) timedWait() error {
	if ss.Timed {
		begun := time.Now()
		defer func() { ss.Blocked += time.Since(begun) }()
	}
	return ss.wait()
}

var errSlowConsumer = &fault.Error{Code: fault.SlowConsumer, Message: "slow consumer: the subscription was not read"}

// wait returns when something has changed. A plain subscription has no credit
// to hold it back, so that a client which does not read loses it in the end. One
// that reads, however slowly, does not.
func (ss *SendStream) wait() error {
	if ss.sub == nil {
		<-ss.wake
		return nil
	}
	taken, _ := ss.Session.transport.Progress()
	t := time.NewTimer(subscribeWait)
	defer t.Stop()
	for {
		select {
		case <-ss.wake:
			return nil
		case <-t.C:
		}
		now, _ := ss.Session.transport.Progress()
		if now == taken {
			return errSlowConsumer
		}
		taken = now
		t.Reset(subscribeWait)
	}
}

// signal wakes the pump where it waits. The outbox's mutex is held.
func (ss *SendStream) signal() {
	if ss.producerWaits {
		ss.producerWaits = false
		ss.wake <- struct{}{}
	}
}

// stop lets no further item out. why is what the stream ends with, nil where
// the consumer asked for it.
func (ss *SendStream) stop(why error) {
	ss.Session.queue.mu.Lock()
	if !ss.stopped {
		ss.stopped, ss.stopCause = true, why
	}
	ss.signal()
	ss.Session.queue.mu.Unlock()
	ss.leaveScope()
}

// settle tells the call that this stream has ended or is no longer wanted.
func (ss *SendStream) leaveScope() {
	if ss.scope != nil && !ss.leftScope.Swap(true) {
		ss.scope.done()
	}
}

// finish ends the stream behind its items with an error, nil where it is complete.
func (ss *SendStream) Finish(err *fault.Error) {
	buffers.Put(ss.scratch)
	ss.scratch = nil
	end := ss.encodeEnd(err)
	q := &ss.Session.queue
	q.mu.Lock()
	ss.stopped, ss.finished, ss.endObject = true, true, end
	flush := false
	if !q.closed {
		flush = q.enqueue(ss)
	}
	q.mu.Unlock()
	if flush {
		go ss.Session.flush(false)
	}
}

// left reports whether the consumer wants no more.
func (ss *SendStream) Unwanted() bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.stopped && ss.stopCause == nil
}

// encodeEnd returns the error object of the end, nil where there is none.
func (ss *SendStream) encodeEnd(err *fault.Error) []byte {
	if err == nil {
		return nil
	}
	object := ss.Session.errorObject(err)
	if len(object)+messageOverhead > ss.Session.peerMessage() {
		return ss.Session.errorObject(ss.Session.shortened(err))
	}
	return object
}

// reason returns why the stream ends, nil where it is complete. err is what the
// iterator yielded. No item follows.
func (ss *SendStream) Reason(err error) error {
	if err == nil {
		err = ss.Failure
	}
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	stopped := ss.stopped
	ss.stopped = true
	switch {
	case err != nil && !(stopped && fault.Is(ss.stopCause, fault.ComeAgain)): // which is why the iterator was to return
		return err
	case stopped:
		return ss.stopCause
	}
	return ss.contextCause()
}

// cut returns why the user's iterator may have returned before its time: code
// that goes by a context returns in silence when that ends, often before the
// context's end has stopped the stream, and must not seem to be complete.
func (ss *SendStream) contextCause() error {
	if err := context.Cause(ss.scope.ctx); err != nil {
		return err
	}
	return ss.Session.Err()
}

// take puts what waits into b: the outbox's mutex is held, it is our turn.
func (ss *SendStream) appendTo(b *frameBatch) {
	q := &ss.Session.queue
	switch {
	case ss.sub != nil:
		from := 0
		for _, n := range ss.itemSizes {
			q.add(b, ss.pending[from:from+n])
			from += n
		}
		ss.itemSizes = ss.itemSizes[:0]
	case ss.large.frame != nil:
		b.addLarge(ss.large.frame, ss.large.buf)
		ss.large = largeFrame{}
	case ss.pendingItems > 0:
		q.scratch = q.form.AppendItems(buffers.Grow(q.scratch[:0], len(ss.pending)+messageOverhead), ss.handle, ss.pendingItems, ss.pending)
		q.add(b, q.scratch)
	}
	ss.pendingItems = 0
	buffers.Put(ss.pending) // a stream that waits holds none
	ss.pending = nil
	if ss.finished {
		ss.appendEnd(b)
		delete(q.streams, ss.handle)
		if ss.isResult {
			q.finishedResults++
		} else {
			q.finishedParams++
		}
	}
	ss.signal()
}

// takeEnd puts the end into b.
func (ss *SendStream) appendEnd(b *frameBatch) {
	q := &ss.Session.queue
	if ss.sub == nil {
		q.scratch = q.form.AppendEnd(q.scratch[:0], methodEnd, ss.handle, ss.endObject)
		q.add(b, q.scratch)
		return
	}
	for _, msg := range ss.sub.endMessages(ss.endObject) {
		q.add(b, msg)
	}
}

// received applies a credit of the consumer's.
func (ss *SendStream) applyCredit(taken uint64, items, bytes int) error {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	if err := ss.credit.Grant(taken, items, bytes); err != nil {
		return err
	}
	ss.signal()
	return nil
}
