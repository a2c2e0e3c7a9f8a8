package rpc

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/wire"
)

// A source is a stream that this side produces. Its pump, a goroutine, runs the
// user's iterator; what it yields is encoded there and waits in pend until the
// flusher gives the source its turn.
type source struct {
	c       *session
	handle  uint64
	produce contract.Producer
	acct    *account
	served  bool        // part of an answer
	settled atomic.Bool // acct has been told
	sub     *subscription

	scratch []byte // the pump's: room for a frame's head, then an item; no large one between items
	likely  int    // the pump's: how large the next item probably is, as the last one was
	failure error  // the pump's: why it stopped by itself

	// The rest belongs to the outbox and is guarded by its mutex.
	pend    []byte // encoded items, to be one message; a chunk
	n       int    // how many
	lens    []int  // of each, where the source is a plain subscription
	large   large  // or one item, in a frame
	queued  bool   // in the ring
	noted   bool   // among those who wait for room
	waiting bool   // the pump is in wait
	wake    chan struct{}
	credit  flow.Credit
	stopped bool // no item may follow
	why     error
	ended   bool // the pump is done: only the end is left to say
	end     []byte
}

func (c *session) newSource(p contract.Producer, handle uint64, acct *account) *source {
	s := &source{c: c, handle: handle, produce: p, acct: acct, wake: make(chan struct{}, 1)}
	s.credit = flow.NewCredit(c.limits.WindowItems, c.limits.WindowBytes)
	if c.mode == modeWirecall {
		s.credit = flow.NewCredit(flow.InitialItems, flow.InitialBytes)
	}
	return s
}

// run is the pump. It always enters the user's iterator once, so that what that
// holds is released; where the stream is not wanted any more the first yield
// returns false.
func (s *source) run() {
	err := errExited
	defer func() { // also where the iterator ends the goroutine
		s.finish(err)
		s.settle() // not before: it may end the call's context, which must find us finished
	}()
	err = s.guard()
}

// guard turns a panic of the user's iterator into the stream's error.
func (s *source) guard() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.c.panicked("stream", r)
		}
	}()
	return s.produce(s.emit)
}

// emit encodes and sends one item, waiting for credit and for room. It is the
// loop body of the user's iterator.
func (s *source) emit(item any) bool {
	for {
		if s.sub == nil && s.likely >= largeMessage && !s.awaitCredit(s.likely) {
			return false
		}
		b, ok := s.encode(item)
		switch {
		case !ok:
			return false
		case s.sub != nil || len(b) < largeMessage:
			ok = s.put(b)
			s.trim()
			return ok
		case s.hasCredit(len(b)):
			return s.putLarge(len(b))
		}
		s.trim() // the peer may let it wait for ever: it is encoded again when it may go out
	}
}

// encode encodes an item into scratch.
func (s *source) encode(item any) (b []byte, ok bool) {
	if s.scratch == nil && s.likely >= largeMessage {
		s.scratch = buffers.Get(s.likely + 2*wire.ItemRoom)
	}
	b, err := encodeTo(slices.Grow(s.scratch[:0], 2*wire.ItemRoom)[:wire.ItemRoom], s.c.codec, item, s.depth())
	if err != nil {
		s.failure = Errorf(CodeInternal, "rpc: a stream item cannot be encoded: %w", err)
		return nil, false
	}
	s.scratch = b
	b = b[wire.ItemRoom:]
	if s.sub != nil {
		b = s.sub.item(b)
	}
	if peer := s.c.peerMessage(); len(b)+messageOverhead > peer {
		s.failure = Errorf(CodeTooLarge, "rpc: a stream item of %d bytes is over the peer's limit of %d for a message", len(b), peer)
		return nil, false
	}
	s.likely = len(b)
	return b, true
}

// trim gives back the room for an item where that is large: the next may be long in
// coming.
func (s *source) trim() {
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
func (s *source) hasCredit(n int) bool {
	s.c.out.mu.Lock()
	defer s.c.out.mu.Unlock()
	return s.credit.Allows(n) || s.stopped || s.c.out.closed
}

// awaitCredit waits until the consumer takes an item of n bytes. It returns false
// if it takes none any more.
func (s *source) awaitCredit(n int) bool {
	o := &s.c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for !s.credit.Allows(n) && !s.stopped && !o.closed {
		s.waiting = true
		o.mu.Unlock()
		<-s.wake
		o.mu.Lock()
	}
	return !s.stopped && !o.closed
}

// depth is how deep an item may nest.
func (s *source) depth() int {
	if s.served {
		return wire.CallerDepth
	}
	return wire.CalleeDepth
}

// putLarge puts the item of n bytes in scratch, which goes with it.
func (s *source) putLarge(n int) bool {
	buf, frame := s.c.form.ItemFrame(s.scratch, s.handle)
	if s.scratch = nil; !s.await(n) {
		return false
	}
	s.large = large{frame: frame, buf: buf}
	s.placed(n, len(frame))
	return true
}

func (s *source) put(b []byte) bool {
	if !s.await(len(b)) {
		return false
	}
	before := len(s.pend)
	s.pend = buffers.Grow(s.pend, len(b)+1)
	if s.n > 0 && s.sub == nil {
		s.pend = s.c.out.form.AppendSeparator(s.pend)
	}
	s.pend = append(s.pend, b...)
	s.placed(len(b), len(s.pend)-before)
	return true
}

// await waits until an item of n bytes may go out. The outbox's mutex is held
// then, until placed is called, unless none may go out any more.
func (s *source) await(n int) bool {
	o := &s.c.out
	o.mu.Lock()
	for !s.mayPut(n) {
		if s.stopped || o.closed {
			o.mu.Unlock()
			return false
		}
		s.waiting = true
		o.mu.Unlock()
		if err := s.wait(); err != nil {
			s.failure = err
			return false
		}
		o.mu.Lock()
	}
	return true
}

// placed counts an item of n bytes, that takes so many, and lets the mutex go.
func (s *source) placed(n, takes int) {
	o := &s.c.out
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
		go s.c.flush(false) // not by the pump: it would send one item at a time
	}
}

// held is how many bytes wait.
func (s *source) held() int { return len(s.pend) + len(s.large.frame) }

// mayPut says whether an item of n bytes may go out now.
func (s *source) mayPut(n int) bool {
	o := &s.c.out
	switch {
	case s.stopped || o.closed:
		return false
	case s.sub == nil && !s.credit.Allows(n):
		return false
	case s.held() > 0 && (s.held()+n > sourceSize || n >= largeMessage && s.sub == nil || s.large.frame != nil):
		return false // take signals
	case o.items >= itemsSize:
		if !s.noted {
			s.noted = true
			o.itemRoom = append(o.itemRoom, s)
		}
		return false
	}
	return true
}

var errSlowConsumer = &Error{Code: CodeSlowConsumer, Message: "slow consumer: the subscription was not read"}

// wait returns when something has changed. A plain subscription has no credit
// to hold it back, so that a client which does not read loses it in the end. One
// that reads, however slowly, does not.
func (s *source) wait() error {
	if s.sub == nil {
		<-s.wake
		return nil
	}
	taken, _ := s.c.link.progress()
	t := time.NewTimer(subscribeWait)
	defer t.Stop()
	for {
		select {
		case <-s.wake:
			return nil
		case <-t.C:
		}
		now, _ := s.c.link.progress()
		if now == taken {
			return errSlowConsumer
		}
		taken = now
		t.Reset(subscribeWait)
	}
}

// signal wakes the pump where it waits. The outbox's mutex is held.
func (s *source) signal() {
	if s.waiting {
		s.waiting = false
		s.wake <- struct{}{}
	}
}

// stop lets no further item out. why is what the stream ends with, nil where
// the consumer asked for it.
func (s *source) stop(why error) {
	s.c.out.mu.Lock()
	if !s.stopped {
		s.stopped, s.why = true, why
	}
	s.signal()
	s.c.out.mu.Unlock()
	s.settle()
}

// settle tells the call that this stream has ended or is no longer wanted.
func (s *source) settle() {
	if s.acct != nil && !s.settled.Swap(true) {
		s.acct.done()
	}
}

// finish says the stream's end, once, behind its items.
func (s *source) finish(err error) {
	buffers.Put(s.scratch)
	s.scratch = nil
	end := s.encodeEnd(s.reason(err))
	o := &s.c.out
	o.mu.Lock()
	s.stopped, s.ended, s.end = true, true, end
	flush := false
	if !o.closed {
		flush = o.enqueue(s)
	}
	o.mu.Unlock()
	if flush {
		go s.c.flush(false)
	}
}

// reason returns why the stream ends, nil where it is complete. err is what the
// iterator yielded. No item follows.
func (s *source) reason(err error) error {
	if err == nil {
		err = s.failure
	}
	s.c.out.mu.Lock()
	defer s.c.out.mu.Unlock()
	stopped := s.stopped
	s.stopped = true
	switch {
	case err != nil && !(stopped && isComeAgain(s.why)): // which is why the iterator was to return
		return err
	case stopped:
		return s.why
	}
	return s.cut()
}

// encodeEnd is the error object of the end, nil where all is well. It runs the
// error's code, so it must not hold the outbox's mutex.
func (s *source) encodeEnd(err error) []byte {
	if err == nil {
		return nil
	}
	e := s.c.errorObject(hasRun(err))
	if len(e)+messageOverhead > s.c.peerMessage() {
		return s.c.errorObject(errErrorTooLarge)
	}
	return e
}

// cut returns why the user's iterator may have returned before its time: code
// that goes by a context returns in silence when that ends, often before the
// context's end has stopped the source, and must not seem to be complete.
func (s *source) cut() error {
	if err := context.Cause(s.acct.ctx); err != nil {
		return err
	}
	return s.c.err()
}

// take puts what waits into b: the outbox's mutex is held, it is our turn.
func (s *source) take(b *batch) {
	o := &s.c.out
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
		delete(o.sources, s.handle)
		if s.served {
			o.finishedServed++
		} else {
			o.finishedOwn++
		}
	}
	s.signal()
}

// takeEnd puts the end into b.
func (s *source) takeEnd(b *batch) {
	o := &s.c.out
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
func (s *source) received(taken uint64, items, bytes int) error {
	s.c.out.mu.Lock()
	defer s.c.out.mu.Unlock()
	if err := s.credit.Grant(taken, items, bytes); err != nil {
		return err
	}
	s.signal()
	return nil
}
