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

// A SendStream is a stream whose items this side produces. Its producer runs on a
// goroutine of its own and passes encoded items to Put. They wait in pending until the
// flusher takes them in the stream's turn.
type SendStream struct {
	Session   *Session
	handle    uint64
	producer  Producer
	scope     *callScope
	isResult  bool        // it belongs to a result, not to parameters
	leftScope atomic.Bool // scope.done has been called
	sub       *subscription

	// The producer's goroutine owns these fields.
	scratch    []byte // room for a frame's head, then an item; no large buffer is kept between items
	LikelySize int    // expected size of the next item: that of the last one
	Failure    error  // why Put has refused an item
	Timed      bool   // Blocked is measured
	Blocked    time.Duration

	// The mutex of the send queue guards the remaining fields.
	pending       []byte     // encoded items for the next message; a pooled buffer
	pendingItems  int        // how many items pending or large has
	itemSizes     []int      // size of each pending item; only for plain subscriptions
	large         largeFrame // one large item in a frame of its own, instead of pending
	inReadyList   bool       // the stream is in the queue's ready list
	waitsForRoom  bool       // the stream is in the queue's itemWaiters
	producerWaits bool       // the producer is blocked in wait
	wake          chan struct{}
	credit        flow.Credit
	stopped       bool // no further item is accepted
	stopCause     error
	finished      bool // the producer has returned; only endObject is left to send
	endObject     []byte
}

// A Producer produces the items of one stream.
type Producer interface {
	// Produce encodes each item into what ss.Next returns and passes it to ss.Put, until
	// that returns PutStopped. It must call ss.Finish before it returns.
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

// run is the body of the producer's goroutine.
func (ss *SendStream) run() {
	defer ss.leaveScope() // after Finish, since it may end the call's context
	ss.producer.Produce(ss)
}

// Next returns the buffer to which the next item is appended. If the item is expected to
// be large, Next first waits for credit. It returns false if no further item is
// accepted.
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

// A PutResult is the outcome of Put.
type PutResult uint8

const (
	PutStopped PutResult = iota // no further item is accepted
	PutDone
	PutAgain // the item was dropped for lack of credit: encode it again after Next
)

// Put sends the item that was appended to the result of Next. It waits for room and, if
// the item is small, for credit.
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

// releaseScratch returns large buffers to the pool, since the next item may be far away.
func (ss *SendStream) releaseScratch() {
	if cap(ss.scratch) > 2*largeMessage {
		buffers.Put(ss.scratch)
		ss.scratch = nil
	}
	if ss.sub != nil && cap(ss.sub.buf) > 2*largeMessage {
		ss.sub.buf = nil
	}
}

// hasCredit reports whether the consumer accepts an item of n bytes, or the stream has
// stopped, so that no credit will come.
func (ss *SendStream) hasCredit(n int) bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.credit.Allows(n) || ss.stopped || ss.Session.queue.closed
}

// awaitCredit waits until the consumer accepts an item of n bytes. It returns false if
// the stream has stopped.
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

// Depth returns how deep an item may be nested.
func (ss *SendStream) Depth() int {
	if ss.isResult {
		return wire.CallerDepth
	}
	return wire.CalleeDepth
}

// putLarge puts the item of n bytes in scratch into a frame of its own, which takes over
// the buffer.
func (ss *SendStream) putLarge(n int) bool {
	buf, frame := ss.Session.Format.ItemFrame(ss.scratch, ss.handle)
	if ss.scratch = nil; !ss.awaitTurn(n) {
		return false
	}
	ss.large = largeFrame{frame: frame, buf: buf}
	ss.added(n, len(frame))
	return true
}

// putSmall appends an item to pending.
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

// awaitTurn waits until an item of n bytes may be put. If it returns true, the queue's
// mutex is held; added unlocks it.
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

// added counts an item of n bytes that takes up so many in the queue, schedules the
// stream, and unlocks the queue's mutex.
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
		go ss.Session.flush(false) // on another goroutine, so that the producer can fill the frame
	}
}

// pendingBytes returns how many bytes wait to be sent.
func (ss *SendStream) pendingBytes() int { return len(ss.pending) + len(ss.large.frame) }

// mayPut reports whether an item of n bytes may be put now. If the queue has no room it
// registers the stream for a signal.
func (ss *SendStream) mayPut(n int) bool {
	q := &ss.Session.queue
	switch {
	case ss.stopped || q.closed:
		return false
	case ss.sub == nil && !ss.credit.Allows(n):
		return false
	case ss.pendingBytes() > 0 && (ss.pendingBytes()+n > streamItemsSize || n >= largeMessage && ss.sub == nil || ss.large.frame != nil):
		return false // appendTo signals
	case q.itemBytes >= ItemsSize:
		if !ss.waitsForRoom {
			ss.waitsForRoom = true
			q.itemWaiters = append(q.itemWaiters, ss)
		}
		return false
	}
	return true
}

// timedWait calls wait and adds the time to Blocked if Timed is set.
func (ss *SendStream) timedWait() error {
	if ss.Timed {
		begun := time.Now()
		defer func() { ss.Blocked += time.Since(begun) }()
	}
	return ss.wait()
}

var errSlowConsumer = &fault.Error{Code: fault.SlowConsumer, Message: "slow consumer: the subscription was not read"}

// wait blocks until signal. A plain subscription, which has no credit, fails with
// errSlowConsumer if the transport makes no progress for subscribeWait.
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

// signal wakes the producer if it is blocked in wait. The queue's mutex must be held.
func (ss *SendStream) signal() {
	if ss.producerWaits {
		ss.producerWaits = false
		ss.wake <- struct{}{}
	}
}

// stop refuses further items. why is the error with which the stream ends, nil if the
// consumer cancelled it.
func (ss *SendStream) stop(why error) {
	ss.Session.queue.mu.Lock()
	if !ss.stopped {
		ss.stopped, ss.stopCause = true, why
	}
	ss.signal()
	ss.Session.queue.mu.Unlock()
	ss.leaveScope()
}

// leaveScope removes the stream, which has ended or is no longer wanted, from its call
// scope. Only the first call has an effect.
func (ss *SendStream) leaveScope() {
	if ss.scope != nil && !ss.leftScope.Swap(true) {
		ss.scope.done()
	}
}

// Finish ends the stream behind its pending items, with an error or, if err is nil, as
// complete.
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

// Unwanted reports whether the consumer has cancelled the stream.
func (ss *SendStream) Unwanted() bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.stopped && ss.stopCause == nil
}

// encodeEnd returns err as an error object within the peer's limit, or nil if err is
// nil.
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

// Reason stops the stream and returns the error with which it ends, nil if it is
// complete. err is the error that the user's iterator yielded.
func (ss *SendStream) Reason(err error) error {
	if err == nil {
		err = ss.Failure
	}
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	stopped := ss.stopped
	ss.stopped = true
	switch {
	case err != nil && !(stopped && fault.Is(ss.stopCause, fault.ComeAgain)): // errors that the stop has caused do not count
		return err
	case stopped:
		return ss.stopCause
	}
	return ss.contextCause()
}

// contextCause returns why the call's context has ended, nil if it has not. An iterator
// that returns because of its context often does so before the context's end has stopped
// the stream, and must not appear to be complete.
func (ss *SendStream) contextCause() error {
	if err := context.Cause(ss.scope.ctx); err != nil {
		return err
	}
	return ss.Session.Err()
}

// appendTo moves the pending items, and the end if the producer has finished, into b.
// The queue's mutex must be held.
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
	buffers.Put(ss.pending) // a stream without pending items holds no buffer
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

// appendEnd appends the message that ends the stream to b.
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

// applyCredit applies a credit message of the consumer.
func (ss *SendStream) applyCredit(taken uint64, items, bytes int) error {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	if err := ss.credit.Grant(taken, items, bytes); err != nil {
		return err
	}
	ss.signal()
	return nil
}
