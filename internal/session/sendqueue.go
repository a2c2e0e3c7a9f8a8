package session

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A sendQueue holds what waits to be written, packed into frames as it arrives.
//
// It has two lanes. The first holds whole messages in the order in which they were put:
// calls, answers and control messages. The second is the ready list: the streams that
// have items or their end to send, which take turns; a stream's items become a message
// in its turn. A flush takes all of the first lane and then one frame of the second, so
// that a stream delays an answer by at most one frame.
//
// What puts something starts a flush if none runs: on its own goroutine if it may block,
// on another one otherwise.
type sendQueue struct {
	session      *Session
	cursorsEnded atomic.Bool // endCursorStreams has been called
	form         wire.Format
	single       bool // one message a frame: in plain mode, and on byte streams
	soft         int  // senders that may block do so above this many bytes; above as many more that did not block the session ends

	mu            sync.Mutex
	messages      frameBatch          // the first lane
	postedBytes   int                 // bytes of the messages that were posted without waiting for room
	ready         []*SendStream       // the ready list
	itemBytes     int                 // encoded bytes that the streams of the ready list hold
	streams       idTable[SendStream] // the open ones, by handle
	lastHandle    uint64              // the last handle used
	resultStreams int                 // how many of streams belong to results
	peerStreams   int                 // how many streams the peer accepts
	finished      int                 // streams whose end the flusher has taken since the last take
	scratch       []byte              // buffer for the message of a stream
	roomWaiters   chan struct{}       // closed when the first lane may have room, or there may be credit; nil if nobody waits
	credit        flow.Credit         // for notifications
	itemWaiters   []*SendStream       // streams that wait for room in the second lane
	replay        *replay.Buffer      // keeps written frames, if the session can be resumed; may be nil
	onGrow        func(n int)         // called with the size of what is put while detached, under mu; may be nil
	flushed       chan struct{}       // closed when everything has been flushed; nil if nobody waits
	lastAlone     bool                // the last message must be alone in its frame
	limited       bool                // notifications need credit
	flushing      bool                // a goroutine has claimed the flush
	detached      bool                // there is no transport: no flush may start
	ackDue        bool                // the next flush begins with an ack
	closed        bool                // nothing more is accepted
	moved         bool                // $/moved is queued: only requests for calls from the peer are accepted

	taken  uint64 // frames that the flusher has taken
	unsent uint64 // frames from this number on, counted from 0, have not reached a transport
}

var (
	errQueueClosed = errors.New("rpc: connection ended")
	errQueueMoved  = errors.New("rpc: the peer is shutting down")
)

// putAnswer puts an answer into the first lane once there is room, for which it waits
// until the session ends. It takes over the buffer of a large message. If waiting is not
// nil, it is decremented before the message can be flushed.
func (q *sendQueue) putAnswer(b *messageBuffer, waiting *atomic.Int64) {
	if q.awaitRoom(context.Background(), true) != nil {
		return
	}
	if waiting != nil {
		waiting.Add(-1)
	}
	q.putBuffer(b)
	q.flushUnlock()
}

// putRequest is putAnswer for the request of call, and waits under ctx. After $/moved it
// fails with errQueueMoved, unless the request is nested: made for a call from the peer.
// It sets call.frame before the frame can be taken, and has sendStreams started after
// the frame has been written.
func (q *sendQueue) putRequest(ctx context.Context, b *messageBuffer, nested bool, call *OutgoingCall, sendStreams []*SendStream) error {
	if err := q.awaitRoom(ctx, nested); err != nil {
		return err
	}
	q.putBuffer(b)
	call.frame = q.taken + uint64(q.messages.count) - 1
	q.messages.streams = append(q.messages.streams, sendStreams...)
	q.flushUnlock()
	return nil
}

// awaitRoom waits under ctx for room in the first lane. It fails after the end of the
// session, and after $/moved unless nested is true. If it succeeds it returns with the
// mutex held.
func (q *sendQueue) awaitRoom(ctx context.Context, nested bool) (err error) {
	q.mu.Lock()
	for err == nil {
		switch {
		case q.closed:
			err = errQueueClosed
		case q.moved && !nested:
			err = errQueueMoved
		case q.messages.size() < q.soft:
			return nil
		default:
			err = q.awaitChange(ctx, nil)
		}
	}
	q.mu.Unlock()
	return err
}

// awaitChange waits for wakeWaiters, or fails when ctx or the session ends or late
// fires. The mutex is released meanwhile.
func (q *sendQueue) awaitChange(ctx context.Context, late <-chan time.Time) error {
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
	case <-q.session.Ctx.Done():
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

// putBuffer puts the message in b, and takes over the buffer if the message is large. The
// mutex must be held.
func (q *sendQueue) putBuffer(b *messageBuffer) {
	room := q.form.FrameRoom()
	if len(b.Bytes) < room+largeMessage {
		q.put(b.Bytes[room:], false)
		return
	}
	q.messages.addLarge(q.form.Frame(b.Bytes, room), b.Bytes)
	q.grown(len(b.Bytes) - room)
	b.Bytes = nil
}

// put puts msg into the first lane. If alone is true, no other message shares its frame.
// The mutex must be held.
func (q *sendQueue) put(msg []byte, alone bool) {
	if alone || q.lastAlone {
		q.messages.endFrame()
	}
	q.lastAlone = alone
	q.messages.add(q.form, msg, q.single)
	if q.detached {
		q.grown(len(msg))
	}
}

// grown reports that n bytes have been put. The mutex must be held.
func (q *sendQueue) grown(n int) {
	if q.detached && q.onGrow != nil {
		q.onGrow(n)
	}
}

// putMoved puts $/moved behind everything in the first lane, once.
func (q *sendQueue) putMoved() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.moved {
		return
	}
	q.moved = true
	q.wakeWaiters()
	q.put(q.form.AppendControl(nil, methodMoved), false)
	q.startFlush()
}

// putFirst puts the answer to hello, alone in its frame, before anything else, and makes
// the caller the flusher.
func (q *sendQueue) putFirst(msg []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.put(msg, true)
	q.flushing = true
}

// post sends msg, a control message or a refusal, without waiting for room, since the
// reader must not block. If the messages that were posted exceed the hard limit, the
// peer has stopped reading, and the session ends. Messages that have waited for room do
// not count: a large one does not show that.
func (q *sendQueue) post(msg []byte) {
	q.mu.Lock()
	over := q.putPosted(msg)
	if !q.closed {
		q.startFlush()
	}
	q.mu.Unlock()
	if over {
		q.session.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}

// control sends a control message from a goroutine that may block.
func (q *sendQueue) control(method string, args ...int64) {
	buf := messagePool.Get().(*messageBuffer)
	buf.Bytes = q.form.AppendControl(buf.begin(q.form)[:0], method, args...)
	q.mu.Lock()
	over := q.putPosted(buf.Bytes)
	if q.closed { // whoever ends the session flushes what was put before
		q.mu.Unlock()
	} else {
		q.flushUnlock()
	}
	buf.release(len(buf.Bytes))
	if over {
		q.session.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}

// putPosted puts a message that has not waited for room, and reports whether there are
// too many bytes of such messages. The mutex must be held.
func (q *sendQueue) putPosted(msg []byte) (over bool) {
	if q.closed {
		return false
	}
	q.put(msg, false)
	over = q.postedBytes > q.soft
	q.postedBytes += len(msg)
	return over
}

// keepFrames makes r keep the frames that are written from now on.
func (q *sendQueue) keepFrames(r *replay.Buffer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.replay = r
}

// enqueue appends ss to the ready list, unless it is there, and starts a flush on another
// goroutine, so that the producer can fill the frame. The mutex must be held.
func (q *sendQueue) enqueue(ss *SendStream) {
	if !ss.inReadyList {
		ss.inReadyList = true
		q.ready = append(q.ready, ss)
	}
	q.startFlush()
}

// end makes the queue refuse everything. What has been put is still flushed, unless
// drop is true. It returns the open streams and the number of the first frame that has
// not reached a transport and will not.
func (q *sendQueue) end(drop bool) (open []*SendStream, unsent uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	open = slices.Collect(q.streams.all())
	q.streams, q.ready, q.roomWaiters, q.itemWaiters = idTable[SendStream]{}, nil, nil, nil
	if !drop {
		return open, math.MaxUint64
	}
	q.messages = frameBatch{}
	return open, q.unsent
}

// A messageBuffer holds a message until the send queue has copied it or, if it is large,
// has taken over its bytes. It begins with room for the head of a frame.
type messageBuffer struct{ Bytes []byte }

var messagePool = sync.Pool{New: func() any { return new(messageBuffer) }}

// begin returns the empty buffer, to which the message is appended.
func (b *messageBuffer) begin(form wire.Format) []byte {
	return slices.Grow(b.Bytes[:0], smallBuffer)[:form.FrameRoom()]
}

const smallBuffer = 256

// release returns b, which has held a message of n bytes, to the pool. If its bytes were
// taken over, it gets as many again.
func (b *messageBuffer) release(n int) {
	switch {
	case b.Bytes == nil && n <= 2*FrameSize:
		b.Bytes = buffers.Get(n)
	case cap(b.Bytes) > 2*FrameSize:
		buffers.Put(b.Bytes)
		b.Bytes = nil
	}
	messagePool.Put(b)
}
