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
	Session  *Session
	handle   uint64
	producer Producer
	acct     *account
	served   bool        // part of an answer
	settled  atomic.Bool // acct has been told
	sub      *subscription

	// The producer's:
	scratch []byte // room for a frame's head, then an item; no large one between items
	Likely  int    // how large the next item probably is, as the last one was
	Failure error  // why the stream cannot go on
	Timed   bool   // measures blocked, the time spent in wait
	Blocked time.Duration

	// The rest belongs to the outbox and is guarded by its mutex.
	pend    []byte // encoded items, to be one message; a pooled buffer
	n       int    // how many
	lens    []int  // of each, where the stream is a plain subscription
	large   large  // or one item, in a frame
	queued  bool   // in the ring
	noted   bool   // among those who wait for room
	waiting bool   // the producer is in wait
	wake    chan struct{}
	credit  flow.Credit
	stopped bool // no item may follow
	why     error
	ended   bool // the producer is done: only the end is left to say
	end     []byte
}

// A producer runs what yields a stream's items.
type Producer interface {
	// produce encodes items into what next returns and hands them to put, until put
	// does not want more. It calls finish at the end, in any case.
	Produce(s *SendStream)
}

func (c *Session) newSendStream(p Producer, handle uint64, acct *account) *SendStream {
	s := &SendStream{Session: c, handle: handle, producer: p, acct: acct, wake: make(chan struct{}, 1)}
	s.credit = flow.NewCredit(c.Limits.WindowItems, c.Limits.WindowBytes)
	if c.Mode == ModeWirecall {
		s.credit = flow.NewCredit(flow.InitialItems, flow.InitialBytes)
	}
	return s
}

// run is the producer's goroutine.
func (s *SendStream) run() {
	defer s.settle() // not before finish: it may end the call's context
	s.producer.Produce(s)
}

// next returns what the next item is to be appended to. It waits for credit if the
// item is probably large, and reports false if no item may follow.
func (s *SendStream) Next() (buf []byte, ok bool) {
	if s.sub == nil && s.Likely >= largeMessage {
		if !s.awaitCredit(s.Likely) {
			return nil, false
		}
		if s.scratch == nil {
			s.scratch = buffers.Get(s.Likely + 2*wire.ItemRoom)
		}
	}
	return slices.Grow(s.scratch[:0], 2*wire.ItemRoom)[:wire.ItemRoom], true
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
func (s *SendStream) Put(b []byte) PutResult {
	s.scratch = b
	b = b[wire.ItemRoom:]
	if s.sub != nil {
		b = s.sub.item(b)
	}
	if peer := s.Session.peerMessage(); len(b)+messageOverhead > peer {
		s.Failure = fault.Errorf(fault.TooLarge, "rpc: a stream item of %d bytes is over the peer's limit of %d for a message", len(b), peer)
		return PutStopped
	}
	s.Likely = len(b)
	ok := false
	switch {
	case s.sub != nil || len(b) < largeMessage:
		ok = s.putSmall(b)
		s.trim()
	case s.hasCredit(len(b)):
		ok = s.putLarge(len(b))
	default:
		s.trim()
		return PutAgain
	}
	if !ok {
		return PutStopped
	}
	return PutDone
}

// trim gives back the room for an item where that is large: the next may be long in
// coming.
func (s *SendStream) trim() {
	if cap(s.scratch) > 2*largeMessage {
		buffers.Put(s.scratch)
		s.scratch = nil
	}
	if s.sub != nil && cap(s.sub.buf) > 2*largeMessage {
		s.sub.buf = nil
	}
}

// hasCredit reports whether the consumer takes an item of n bytes, or nothing is to
// be waited for any more.
func (s *SendStream) hasCredit(n int) bool {
	s.Session.out.mu.Lock()
	defer s.Session.out.mu.Unlock()
	return s.credit.Allows(n) || s.stopped || s.Session.out.closed
}

// awaitCredit waits until the consumer takes an item of n bytes. It returns false
// if it takes none any more.
func (s *SendStream) awaitCredit(n int) bool {
	o := &s.Session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for !s.credit.Allows(n) && !s.stopped && !o.closed {
		s.waiting = true
		o.mu.Unlock()
		s.timedWait()
		o.mu.Lock()
	}
	return !s.stopped && !o.closed
}

// depth is how deep an item may nest.
func (s *SendStream) Depth() int {
	if s.served {
		return wire.CallerDepth
	}
	return wire.CalleeDepth
}

// putLarge puts the item of n bytes in scratch, which goes with it.
func (s *SendStream) putLarge(n int) bool {
	buf, frame := s.Session.Format.ItemFrame(s.scratch, s.handle)
	if s.scratch = nil; !s.await(n) {
		return false
	}
	s.large = large{frame: frame, buf: buf}
	s.placed(n, len(frame))
	return true
}

// putSmall puts an item among those that wait.
func (s *SendStream) putSmall(b []byte) bool {
	if !s.await(len(b)) {
		return false
	}
	before := len(s.pend)
	s.pend = buffers.Grow(s.pend, len(b)+1)
	if s.n > 0 && s.sub == nil {
		s.pend = s.Session.out.form.AppendSeparator(s.pend)
	}
	s.pend = append(s.pend, b...)
	s.placed(len(b), len(s.pend)-before)
	return true
}

// await waits until an item of n bytes may go out. The outbox's mutex is held
// then, until placed is called, unless none may go out any more.
func (s *SendStream) await(n int) bool {
	o := &s.Session.out
	o.mu.Lock()
	for !s.mayPut(n) {
		if s.stopped || o.closed {
			o.mu.Unlock()
			return false
		}
		s.waiting = true
		o.mu.Unlock()
		if err := s.timedWait(); err != nil {
			s.Failure = err
			return false
		}
		o.mu.Lock()
	}
	return true
}

// placed counts an item of n bytes, that takes so many, and lets the mutex go.
func (s *SendStream) placed(n, takes int) {
	o := &s.Session.out
	o.items += takes
	o.grow(takes)
	s.n++
	if s.sub != nil {
		s.lens = append(s.lens, n)
	} else {
		s.credit.Spend(n)
	}
	flush := o.enqueue(s)
	o.mu.Unlock()
	if flush {
		go s.Session.flush(false) // not by the pump: it would send one item at a time
	}
}

// held is how many bytes wait.
func (s *SendStream) held() int { return len(s.pend) + len(s.large.frame) }

// mayPut says whether an item of n bytes may go out now.
func (s *SendStream) mayPut(n int) bool {
	o := &s.Session.out
	switch {
	case s.stopped || o.closed:
		return false
	case s.sub == nil && !s.credit.Allows(n):
		return false
	case s.held() > 0 && (s.held()+n > sourceSize || n >= largeMessage && s.sub == nil || s.large.frame != nil):
		return false // take signals
	case o.items >= ItemsSize:
		if !s.noted {
			s.noted = true
			o.itemRoom = append(o.itemRoom, s)
		}
		return false
	}
	return true
}

// timedWait is wait, which it measures if that is wanted.
func (s *SendStream) timedWait() error {
	if s.Timed {
		begun := time.Now()
		defer func() { s.Blocked += time.Since(begun) }()
	}
	return s.wait()
}

var errSlowConsumer = &fault.Error{Code: fault.SlowConsumer, Message: "slow consumer: the subscription was not read"}

// wait returns when something has changed. A plain subscription has no credit
// to hold it back, so that a client which does not read loses it in the end. One
// that reads, however slowly, does not.
func (s *SendStream) wait() error {
	if s.sub == nil {
		<-s.wake
		return nil
	}
	taken, _ := s.Session.transport.Progress()
	t := time.NewTimer(subscribeWait)
	defer t.Stop()
	for {
		select {
		case <-s.wake:
			return nil
		case <-t.C:
		}
		now, _ := s.Session.transport.Progress()
		if now == taken {
			return errSlowConsumer
		}
		taken = now
		t.Reset(subscribeWait)
	}
}

// signal wakes the pump where it waits. The outbox's mutex is held.
func (s *SendStream) signal() {
	if s.waiting {
		s.waiting = false
		s.wake <- struct{}{}
	}
}

// stop lets no further item out. why is what the stream ends with, nil where
// the consumer asked for it.
func (s *SendStream) stop(why error) {
	s.Session.out.mu.Lock()
	if !s.stopped {
		s.stopped, s.why = true, why
	}
	s.signal()
	s.Session.out.mu.Unlock()
	s.settle()
}

// settle tells the call that this stream has ended or is no longer wanted.
func (s *SendStream) settle() {
	if s.acct != nil && !s.settled.Swap(true) {
		s.acct.done()
	}
}

// finish ends the stream behind its items with an error, nil where it is complete.
func (s *SendStream) Finish(err *fault.Error) {
	buffers.Put(s.scratch)
	s.scratch = nil
	end := s.encodeEnd(err)
	o := &s.Session.out
	o.mu.Lock()
	s.stopped, s.ended, s.end = true, true, end
	flush := false
	if !o.closed {
		flush = o.enqueue(s)
	}
	o.mu.Unlock()
	if flush {
		go s.Session.flush(false)
	}
}

// left reports whether the consumer wants no more.
func (s *SendStream) Left() bool {
	s.Session.out.mu.Lock()
	defer s.Session.out.mu.Unlock()
	return s.stopped && s.why == nil
}

// encodeEnd returns the error object of the end, nil where there is none.
func (s *SendStream) encodeEnd(err *fault.Error) []byte {
	if err == nil {
		return nil
	}
	object := s.Session.errorObject(err)
	if len(object)+messageOverhead > s.Session.peerMessage() {
		return s.Session.errorObject(s.Session.shortened(err))
	}
	return object
}

// reason returns why the stream ends, nil where it is complete. err is what the
// iterator yielded. No item follows.
func (s *SendStream) Reason(err error) error {
	if err == nil {
		err = s.Failure
	}
	s.Session.out.mu.Lock()
	defer s.Session.out.mu.Unlock()
	stopped := s.stopped
	s.stopped = true
	switch {
	case err != nil && !(stopped && fault.Is(s.why, fault.ComeAgain)): // which is why the iterator was to return
		return err
	case stopped:
		return s.why
	}
	return s.cut()
}

// cut returns why the user's iterator may have returned before its time: code
// that goes by a context returns in silence when that ends, often before the
// context's end has stopped the stream, and must not seem to be complete.
func (s *SendStream) cut() error {
	if err := context.Cause(s.acct.ctx); err != nil {
		return err
	}
	return s.Session.Err()
}

// take puts what waits into b: the outbox's mutex is held, it is our turn.
func (s *SendStream) take(b *batch) {
	o := &s.Session.out
	switch {
	case s.sub != nil:
		from := 0
		for _, n := range s.lens {
			o.add(b, s.pend[from:from+n])
			from += n
		}
		s.lens = s.lens[:0]
	case s.large.frame != nil:
		b.own(s.large.frame, s.large.buf)
		s.large = large{}
	case s.n > 0:
		o.scratch = o.form.AppendItems(buffers.Grow(o.scratch[:0], len(s.pend)+messageOverhead), s.handle, s.n, s.pend)
		o.add(b, o.scratch)
	}
	s.n = 0
	buffers.Put(s.pend) // a stream that waits holds none
	s.pend = nil
	if s.ended {
		s.takeEnd(b)
		delete(o.sending, s.handle)
		if s.served {
			o.finishedServed++
		} else {
			o.finishedOwn++
		}
	}
	s.signal()
}

// takeEnd puts the end into b.
func (s *SendStream) takeEnd(b *batch) {
	o := &s.Session.out
	if s.sub == nil {
		o.scratch = o.form.AppendEnd(o.scratch[:0], methodEnd, s.handle, s.end)
		o.add(b, o.scratch)
		return
	}
	for _, msg := range s.sub.end(s.end) {
		o.add(b, msg)
	}
}

// received applies a credit of the consumer's.
func (s *SendStream) received(taken uint64, items, bytes int) error {
	s.Session.out.mu.Lock()
	defer s.Session.out.mu.Unlock()
	if err := s.credit.Grant(taken, items, bytes); err != nil {
		return err
	}
	s.signal()
	return nil
}
