package session

import (
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
// flusher takes them in the stream's turn. A producer that has nothing to produce may park
// the stream; see park.go.
type SendStream struct {
	Session *Session
	handle  uint64

	// The mutex of the send queue guards these fields. Those that Push uses come first:
	// it goes through many streams.
	parked        bool        // the producer has returned until run is called again
	inReadyList   bool        // the stream is in the queue's ready list
	waitsForRoom  bool        // the stream is in the queue's itemWaiters
	producerWaits bool        // the producer is blocked in wait
	stopped       bool        // no further item is accepted
	finished      bool        // the producer has returned; only endObject is left to send
	pendingItems  int         // how many items pending or large has
	credit        flow.Credit // granted by the consumer
	pending       []byte      // encoded items for the next message; a pooled buffer
	itemSizes     []int       // size of each pending item; only for plain subscriptions
	large         largeFrame  // one large item in a frame of its own, instead of pending
	stopCause     error
	endObject     []byte

	wake      chan struct{}
	producer  Producer
	scope     *callScope
	isResult  bool        // it belongs to a result, not to parameters
	leftScope atomic.Bool // scope.done has been called
	sub       *subscription

	// The producer's goroutine owns the remaining fields.
	scratch    []byte // room for a frame's head, then an item; no large buffer is kept between items
	LikelySize int    // expected size of the next item: that of the last one
	Failure    error  // why Put has refused an item
	Timed      bool   // Blocked is measured
	Blocked    time.Duration
}

// A Producer produces the items of one stream.
type Producer interface {
	// Produce encodes each item into what ss.Next returns and passes it to ss.Put, until
	// that returns PutStopped. It must call ss.Finish before it returns, unless the
	// stream has been parked: then it returns true, and is called again.
	Produce(ss *SendStream) (parked bool)
}

func newSendStream(s *Session, p Producer, handle uint64, scope *callScope) *SendStream {
	ss := &SendStream{Session: s, handle: handle, producer: p, scope: scope, credit: s.initialCredit(), wake: make(chan struct{}, 1)}
	return ss
}

// initialCredit returns the first credit of a stream to the peer, which in plain mode
// grants none.
func (s *Session) initialCredit() flow.Credit {
	if s.extended {
		return flow.NewCredit(flow.InitialItems, flow.InitialBytes)
	}
	return flow.NewCredit(s.Limits.WindowItems, s.Limits.WindowBytes)
}

// run is the body of the producer's goroutine.
func (ss *SendStream) run() {
	parked := false
	defer func() { // also after runtime.Goexit
		if !parked {
			ss.leaveScope() // after Finish, since it may end the call's context
		}
	}()
	parked = ss.producer.Produce(ss)
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
	ss.Session.queue.enqueue(ss)
	ss.Session.queue.mu.Unlock()
	return true
}

// putSmall appends an item to pending.
func (ss *SendStream) putSmall(b []byte) bool {
	if !ss.awaitTurn(len(b)) {
		return false
	}
	ss.appendSmall(b)
	ss.Session.queue.enqueue(ss)
	ss.Session.queue.mu.Unlock()
	return true
}

// appendSmall appends an item to pending. The queue's mutex must be held.
func (ss *SendStream) appendSmall(b []byte) {
	before := len(ss.pending)
	ss.pending = buffers.Grow(ss.pending, len(b)+1)
	if ss.pendingItems > 0 && ss.sub == nil {
		ss.pending = ss.Session.queue.form.AppendSeparator(ss.pending)
	}
	ss.pending = append(ss.pending, b...)
	ss.added(len(b), len(ss.pending)-before)
}

// added counts an item of n bytes that occupies takes bytes in the queue. The queue's
// mutex must be held.
func (ss *SendStream) added(n, takes int) {
	q := &ss.Session.queue
	q.itemBytes += takes
	q.grown(takes)
	ss.pendingItems++
	if ss.sub != nil {
		ss.itemSizes = append(ss.itemSizes, n)
	} else {
		ss.credit.Spend(n)
	}
}

// pendingBytes returns how many bytes wait to be sent.
func (ss *SendStream) pendingBytes() int { return len(ss.pending) + len(ss.large.frame) }

// appendTo moves the pending items, and the end if the producer has finished, into b.
// The queue's mutex must be held.
func (ss *SendStream) appendTo(b *frameBatch) {
	q := &ss.Session.queue
	switch {
	case ss.sub != nil:
		from := 0
		for _, n := range ss.itemSizes {
			b.add(q.form, ss.pending[from:from+n], q.single)
			from += n
		}
		ss.itemSizes = ss.itemSizes[:0]
	case ss.large.frame != nil:
		b.addLarge(ss.large.frame, ss.large.buf)
		ss.large = largeFrame{}
	case ss.pendingItems > 0:
		q.scratch = q.form.AppendItems(buffers.Grow(q.scratch[:0], len(ss.pending)+messageOverhead), ss.handle, ss.pendingItems, ss.pending)
		b.add(q.form, q.scratch, q.single)
	}
	ss.pendingItems = 0
	buffers.Put(ss.pending) // a stream without pending items holds no buffer
	ss.pending = nil
	if ss.finished {
		ss.appendEnd(b)
		q.streams.remove(ss.handle)
		q.finished++
		if ss.isResult {
			q.resultStreams--
		}
	}
	ss.signal()
}
