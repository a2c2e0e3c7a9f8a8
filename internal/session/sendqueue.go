package session

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/wire"
)

// An outbox holds what waits to be written, packed into frames as it comes.
//
// It has two lanes. The first holds whole messages in the order in which they
// were put: calls, answers, control. The second is a ring of the streams that
// have items or their end to send, which take turns; what they say is put into
// a message when its turn comes. A flush takes all of the first lane and then
// one frame of the second, so that a stream never stands before an answer for
// longer than one frame takes.
type sendQueue struct {
	form   wire.Format
	single bool // one message a frame: plain mode, and lines
	soft   int  // bytes at which those who can wait do; cut at twice of it

	mu           sync.Mutex
	messages     frameBatch
	postedBytes  int  // bytes of those in first that did not wait for room
	lastAlone    bool // the last message wants its frame for itself
	ready        []*SendStream
	itemBytes    int // encoded bytes that the ring's sources hold
	streams      map[uint64]*SendStream
	scratch      []byte         // to build a stream's message in
	roomWaiters  chan struct{}  // closed when there may be room in the first lane, or credit, where somebody waits for that
	limited      bool           // notifications need credit
	credit       flow.Credit    // for them
	itemWaiters  []*SendStream  // who waits for room in the second
	flushing     bool           // some goroutine is in session.flush
	detached     bool           // there is no socket: nobody flushes
	replay       *replay.Buffer // of frames, where the session can be resumed
	ackDue       bool
	onGrow       func(n int)   // told of what is put while there is no socket; may be nil
	closed       bool          // nothing is taken in any more
	cursorsEnded bool          // streams with a cursor are ended: see comeAgain
	moved        bool          // $/moved is put: only requests for calls of the peer's are taken in
	flushed      chan struct{} // closed when nothing is left to flush, where somebody waits for that

	taken  uint64 // how many frames a flusher has taken
	unsent uint64 // frames from this one on, counted from 0, have not reached the socket

	finishedResults, finishedParams int // sources whose end was taken and not yet reported
}

// add puts a message into the frame being filled, or into a new one.
func (q *sendQueue) add(b *frameBatch, msg []byte) {
	n := len(b.buf) - b.frameStart()
	if n > 0 && (q.single || n+q.form.FrameSize(len(msg)) > FrameSize) {
		b.endFrame()
		n = 0
	}
	b.buf = q.form.AppendToFrame(buffers.Grow(b.buf, q.form.FrameSize(len(msg))), msg, n == 0)
}

var (
	errQueueClosed = errors.New("rpc: connection ended")
	errQueueMoved  = errors.New("rpc: the peer is shutting down")
)

// send puts an answer into the first lane, having waited under ctx for room. It
// reports whether the caller must flush. It keeps the buffer of a large one. A
// waiting that is not nil is lowered by one before anybody can flush the message.
func (q *sendQueue) putAnswer(ctx context.Context, gone <-chan struct{}, b *messageBuffer, waiting *atomic.Int64) (flush bool, err error) {
	if err := q.awaitRoom(ctx, gone, true); err != nil {
		return false, err
	}
	defer q.mu.Unlock()
	if waiting != nil {
		waiting.Add(-1)
	}
	return q.putBuffer(b), nil
}

// request is send for the request of p. It fails with errOutboxMoved behind $/moved,
// unless the request is nested, which is one made for a call of the peer's. Its frame
// is noted in p before anybody can take it; the sources start when it has been
// written.
func (q *sendQueue) putRequest(ctx context.Context, gone <-chan struct{}, b *messageBuffer, nested bool, call *OutgoingCall, sendStreams []*SendStream) (flush bool, err error) {
	if err := q.awaitRoom(ctx, gone, nested); err != nil {
		return false, err
	}
	defer q.mu.Unlock()
	flush = q.putBuffer(b)
	call.frame = q.taken + uint64(q.messages.count()) - 1
	q.messages.streams = append(q.messages.streams, sendStreams...)
	return flush, nil
}

// enter waits under ctx for room in the first lane, and returns with the mutex
// held where it does not fail.
func (q *sendQueue) awaitRoom(ctx context.Context, gone <-chan struct{}, nested bool) error {
	q.mu.Lock()
	for q.messages.size() >= q.soft && !q.closed && (nested || !q.moved) {
		if err := q.awaitChange(ctx, gone, nil); err != nil {
			q.mu.Unlock()
			return err
		}
	}
	if err := q.closedError(nested); err != nil {
		q.mu.Unlock()
		return err
	}
	return nil
}

// refuses is why nothing is taken in any more, or nothing but answers and what is
// nested. The mutex is held.
func (q *sendQueue) closedError(nested bool) error {
	switch {
	case q.closed:
		return errQueueClosed
	case q.moved && !nested:
		return errQueueMoved
	}
	return nil
}

// await waits for wake, until late at most. The mutex is held before and after.
func (q *sendQueue) awaitChange(ctx context.Context, gone <-chan struct{}, late <-chan time.Time) error {
	if q.roomWaiters == nil {
		q.roomWaiters = make(chan struct{})
	}
	ch := q.roomWaiters
	q.mu.Unlock()
	defer q.mu.Lock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-gone:
		return errQueueClosed
	case <-late:
		return errNoCredit
	}
}

// wake has those look again who wait for room in the first lane or for credit.
func (q *sendQueue) wakeWaiters() {
	if q.roomWaiters != nil {
		close(q.roomWaiters)
		q.roomWaiters = nil
	}
}

// putBuffer puts the message in b, which it keeps where that is large.
func (q *sendQueue) putBuffer(b *messageBuffer) (flush bool) {
	room := q.form.FrameRoom()
	if len(b.Bytes) < room+largeMessage {
		return q.put(b.Bytes[room:], false)
	}
	q.messages.addLarge(q.form.Frame(b.Bytes, room), b.Bytes)
	q.reportGrowth(len(b.Bytes) - room)
	b.Bytes = nil
	return q.claimFlush()
}

// move puts msg, which is $/moved, behind everything in the first lane, once. It
// reports whether the caller must flush.
func (q *sendQueue) putMoved(msg []byte) (flush bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.moved {
		return false
	}
	q.moved = true
	q.wakeWaiters()
	return q.put(msg, false)
}

// post puts msg into the first lane without waiting: control messages and
// refusals, which the reader sends. alone keeps other messages out of its
// frame. It reports whether the caller must flush, and whether the lane has
// passed the hard cap, which counts only what did not wait: a large message that
// did is no sign of a peer that does not read.
func (q *sendQueue) post(msg []byte, alone bool) (flush, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false
	}
	flush = q.put(msg, alone)
	over = q.postedBytes > q.soft
	q.postedBytes += len(msg)
	return flush, over
}

func (q *sendQueue) put(msg []byte, alone bool) (flush bool) {
	if alone || q.lastAlone {
		q.messages.endFrame()
	}
	q.lastAlone = alone
	q.add(&q.messages, msg)
	q.reportGrowth(len(msg))
	return q.claimFlush()
}

func (q *sendQueue) reportGrowth(n int) {
	if q.detached && q.onGrow != nil {
		q.onGrow(n)
	}
}

// claim makes the caller the flusher where there is none.
func (q *sendQueue) claimFlush() bool {
	if q.flushing || q.detached {
		return false
	}
	q.flushing = true
	return true
}

// detach lets nobody flush any more; who does will find out.
func (q *sendQueue) detach() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.detached = true
}

// attach makes the caller the flusher, for there is a socket again.
func (q *sendQueue) attach() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.detached, q.flushing = false, true
	q.unsent = q.taken
}

// failed notes that of the frames that were taken the last n have not reached the
// socket, which is broken. The flusher calls it.
func (q *sendQueue) recordUnsent(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unsent = q.taken - uint64(n)
}

// resume has the frames kept that are written from now on.
func (q *sendQueue) keepFrames(r *replay.Buffer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.replay = r
}

// acknowledge has the next flush begin with an ack. It reports whether the caller
// must flush.
func (q *sendQueue) queueAck() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.ackDue = true
	return q.claimFlush()
}

// enqueue gives s a turn in the ring, if it has none.
func (q *sendQueue) enqueue(ss *SendStream) (flush bool) {
	if !ss.inReadyList {
		ss.inReadyList = true
		q.ready = append(q.ready, ss)
	}
	return q.claimFlush()
}

// take moves what is to be written next into b. It reports false, and ends the
// flush, where there is nothing and pending says that the socket has taken all.
func (q *sendQueue) take(b *frameBatch, pending func() bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.messages.size() == 0 && len(q.ready) == 0 && !q.ackDue && !pending() {
		q.flushing = false
		if q.flushed != nil {
			close(q.flushed)
			q.flushed = nil
		}
		b.reset()
		buffers.Put(b.buf)
		buffers.Put(q.messages.buf)
		buffers.Put(q.scratch)
		b.buf, q.messages.buf, q.scratch = nil, nil, nil
		return false
	}
	b.reset()
	q.messages, *b = *b, q.messages
	q.postedBytes = 0
	q.lastAlone = false
	b.ack, b.replay, q.ackDue = q.ackDue, q.replay, false
	q.takeItems(b)
	q.taken += uint64(b.count())
	q.unsent = q.taken
	q.wakeWaiters()
	return true
}

// takeItems lets the streams of the ring take turns until a frame is full.
func (q *sendQueue) takeItems(b *frameBatch) {
	if len(q.ready) == 0 {
		return
	}
	b.endFrame()
	from := b.size()
	n := 0
	for _, ss := range q.ready {
		if n > 0 && b.size()-from+ss.pendingBytes() > FrameSize {
			break
		}
		n++
		ss.inReadyList = false
		q.itemBytes -= ss.pendingBytes()
		ss.appendTo(b)
	}
	q.ready = append(q.ready[:0], q.ready[n:]...)
	if q.itemBytes < ItemsSize {
		for _, ss := range q.itemWaiters {
			ss.waitsForRoom = false
			ss.signal()
		}
		q.itemWaiters = q.itemWaiters[:0]
	}
}

// close takes nothing in any more; what was put before is still flushed, unless it
// is to be dropped. It returns the sources that were open, and from which frame on
// nothing has reached a socket or will.
func (q *sendQueue) close(drop bool) (open []*SendStream, unsent uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	open = slices.Collect(maps.Values(q.streams))
	q.streams, q.ready, q.roomWaiters, q.itemWaiters = nil, nil, nil, nil
	if !drop {
		return open, math.MaxUint64
	}
	q.messages = frameBatch{}
	return open, q.unsent
}

// quit ends a flush that failed.
func (q *sendQueue) abortFlush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flushing = false
	if q.closed {
		q.messages = frameBatch{}
	}
	if q.flushed != nil {
		close(q.flushed)
		q.flushed = nil
	}
}

// drained is closed when everything that was put has been written or given up.
func (q *sendQueue) awaitFlushed() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.flushed == nil {
		q.flushed = make(chan struct{})
	}
	ch := q.flushed
	if !q.flushing {
		close(ch)
		q.flushed = nil
	}
	return ch
}
