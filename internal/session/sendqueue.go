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

// A sendQueue holds what waits to be written, packed into frames as it arrives.
//
// It has two lanes. The first holds whole messages in the order in which they were put:
// calls, answers and control messages. The second is the ready list: the streams that
// have items or their end to send, which take turns; a stream's items become a message
// in its turn. A flush takes all of the first lane and then one frame of the second, so
// that a stream delays an answer by at most one frame.
type sendQueue struct {
	form   wire.Format
	single bool // one message a frame: in plain mode, and on lines
	soft   int  // senders that may block do so above this many bytes; above as many more that did not block the session ends

	mu           sync.Mutex
	messages     frameBatch             // the first lane
	postedBytes  int                    // bytes of the messages that were posted without waiting for room
	lastAlone    bool                   // the last message must be alone in its frame
	ready        []*SendStream          // the ready list
	itemBytes    int                    // encoded bytes that the streams of the ready list hold
	streams      map[uint64]*SendStream // the open ones, by handle
	scratch      []byte                 // buffer for the message of a stream
	roomWaiters  chan struct{}          // closed when the first lane may have room, or there may be credit; nil if nobody waits
	limited      bool                   // notifications need credit
	credit       flow.Credit            // for notifications
	itemWaiters  []*SendStream          // streams that wait for room in the second lane
	flushing     bool                   // a goroutine runs Session.flush
	detached     bool                   // there is no transport: no flush may start
	replay       *replay.Buffer         // keeps written frames, if the session can be resumed; may be nil
	ackDue       bool                   // the next flush begins with an ack
	onGrow       func(n int)            // called with the size of what is put while detached, under mu; may be nil
	closed       bool                   // nothing more is accepted
	cursorsEnded bool                   // endCursorStreams has been called
	moved        bool                   // $/moved is queued: only requests for calls from the peer are accepted
	flushed      chan struct{}          // closed when everything has been flushed; nil if nobody waits

	taken  uint64 // frames that the flusher has taken
	unsent uint64 // frames from this number on, counted from 0, have not reached a transport

	finishedResults, finishedParams int // streams whose end the flusher has taken, until takeFinished
}

// add appends a message to the last frame of b, or to a new one.
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

// putAnswer puts an answer into the first lane once there is room, which it waits for
// under ctx. It reports whether the caller must flush. It takes over the buffer of a
// large message. If waiting is not nil, it is decremented before the message can be
// flushed.
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

// putRequest is putAnswer for the request of call. After $/moved it fails with
// errQueueMoved, unless the request is nested: made for a call from the peer. It sets
// call.frame before the frame can be taken, and has sendStreams started after the frame
// has been written.
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

// awaitRoom waits under ctx for room in the first lane. It returns with the mutex held
// if it succeeds.
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

// closedError returns why no message is accepted, or, if nested is false, why no request
// is; nil if it is accepted. The mutex must be held.
func (q *sendQueue) closedError(nested bool) error {
	switch {
	case q.closed:
		return errQueueClosed
	case q.moved && !nested:
		return errQueueMoved
	}
	return nil
}

// awaitChange waits for wakeWaiters, or fails when ctx ends, gone is closed or late
// fires. The mutex is released meanwhile.
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

// wakeWaiters wakes all that wait for room in the first lane or for credit. The mutex
// must be held.
func (q *sendQueue) wakeWaiters() {
	if q.roomWaiters != nil {
		close(q.roomWaiters)
		q.roomWaiters = nil
	}
}

// putBuffer puts the message in b, and takes over the buffer if the message is large.
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

// putMoved puts msg, which is $/moved, behind everything in the first lane, once. It
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

// post puts msg, a control message or a refusal, into the first lane without waiting for
// room, since the reader must not block. If alone is true, no other message shares its
// frame. It reports whether the caller must flush, and whether the messages that were
// posted exceed the hard limit. Messages that have waited for room do not count: a large
// one does not show that the peer has stopped reading.
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

// claimFlush makes the caller the flusher if there is none. The mutex must be held.
func (q *sendQueue) claimFlush() bool {
	if q.flushing || q.detached {
		return false
	}
	q.flushing = true
	return true
}

// detach prevents flushes until attach. A running flush fails at its transport.
func (q *sendQueue) detach() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.detached = true
}

// attach ends a detach and makes the caller the flusher.
func (q *sendQueue) attach() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.detached, q.flushing = false, true
	q.unsent = q.taken
}

// recordUnsent records that the last n frames taken have not reached the transport,
// which has failed. The flusher calls it.
func (q *sendQueue) recordUnsent(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unsent = q.taken - uint64(n)
}

// keepFrames makes r keep the frames that are written from now on.
func (q *sendQueue) keepFrames(r *replay.Buffer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.replay = r
}

// queueAck makes the next flush begin with an ack. It reports whether the caller must
// flush.
func (q *sendQueue) queueAck() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.ackDue = true
	return q.claimFlush()
}

// enqueue appends ss to the ready list, unless it is there. The mutex must be held.
func (q *sendQueue) enqueue(ss *SendStream) (flush bool) {
	if !ss.inReadyList {
		ss.inReadyList = true
		q.ready = append(q.ready, ss)
	}
	return q.claimFlush()
}

// take moves what is to be written next into b. If there is nothing and pending reports
// that the transport has written everything, it ends the flush and returns false.
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

// takeItems moves items of the streams of the ready list into b until a frame is full.
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

// close makes the queue refuse everything. What has been put is still flushed, unless
// drop is true. It returns the open streams and the number of the first frame that has
// not reached a transport and will not.
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

// abortFlush ends a flush that has failed.
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

// awaitFlushed returns a channel that is closed when everything that was put has been
// written, or the flush has failed.
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
