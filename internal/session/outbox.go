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
type outbox struct {
	form   wire.Format
	single bool // one message a frame: plain mode, and lines
	soft   int  // bytes at which those who can wait do; cut at twice of it

	mu       sync.Mutex
	first    batch
	posted   int  // bytes of those in first that did not wait for room
	alone    bool // the last message wants its frame for itself
	ring     []*SendStream
	items    int // encoded bytes that the ring's sources hold
	sending  map[uint64]*SendStream
	scratch  []byte         // to build a stream's message in
	room     chan struct{}  // closed when there may be room in the first lane, or credit, where somebody waits for that
	limited  bool           // notifications need credit
	credit   flow.Credit    // for them
	itemRoom []*SendStream  // who waits for room in the second
	flushing bool           // some goroutine is in session.flush
	detached bool           // there is no socket: nobody flushes
	replay   *replay.Buffer // of frames, where the session can be resumed
	ackDue   bool
	grown    func(n int)   // told of what is put while there is no socket; may be nil
	closed   bool          // nothing is taken in any more
	late     bool          // streams with a cursor are ended: see comeAgain
	moved    bool          // $/moved is put: only requests for calls of the peer's are taken in
	idle     chan struct{} // closed when nothing is left to flush, where somebody waits for that

	taken  uint64 // how many frames a flusher has taken
	unsent uint64 // frames from this one on, counted from 0, have not reached the socket

	finishedServed, finishedOwn int // sources whose end was taken and not yet reported
}

// add puts a message into the frame being filled, or into a new one.
func (o *outbox) add(b *batch, msg []byte) {
	n := len(b.buf) - b.start()
	if n > 0 && (o.single || n+o.form.FrameSize(len(msg)) > FrameSize) {
		b.cut()
		n = 0
	}
	b.buf = o.form.AppendToFrame(buffers.Grow(b.buf, o.form.FrameSize(len(msg))), msg, n == 0)
}

var (
	errOutboxClosed = errors.New("rpc: connection ended")
	errOutboxMoved  = errors.New("rpc: the peer is shutting down")
)

// send puts an answer into the first lane, having waited under ctx for room. It
// reports whether the caller must flush. It keeps the buffer of a large one. A
// waiting that is not nil is lowered by one before anybody can flush the message.
func (o *outbox) send(ctx context.Context, gone <-chan struct{}, b *buffer, waiting *atomic.Int64) (flush bool, err error) {
	if err := o.enter(ctx, gone, true); err != nil {
		return false, err
	}
	defer o.mu.Unlock()
	if waiting != nil {
		waiting.Add(-1)
	}
	return o.putBuffer(b), nil
}

// request is send for the request of p. It fails with errOutboxMoved behind $/moved,
// unless the request is nested, which is one made for a call of the peer's. Its frame
// is noted in p before anybody can take it; the sources start when it has been
// written.
func (o *outbox) request(ctx context.Context, gone <-chan struct{}, b *buffer, nested bool, p *OutgoingCall, sources []*SendStream) (flush bool, err error) {
	if err := o.enter(ctx, gone, nested); err != nil {
		return false, err
	}
	defer o.mu.Unlock()
	flush = o.putBuffer(b)
	p.frame = o.taken + uint64(o.first.count()) - 1
	o.first.starts = append(o.first.starts, sources...)
	return flush, nil
}

// enter waits under ctx for room in the first lane, and returns with the mutex
// held where it does not fail.
func (o *outbox) enter(ctx context.Context, gone <-chan struct{}, nested bool) error {
	o.mu.Lock()
	for o.first.size() >= o.soft && !o.closed && (nested || !o.moved) {
		if err := o.await(ctx, gone, nil); err != nil {
			o.mu.Unlock()
			return err
		}
	}
	if err := o.refuses(nested); err != nil {
		o.mu.Unlock()
		return err
	}
	return nil
}

// refuses is why nothing is taken in any more, or nothing but answers and what is
// nested. The mutex is held.
func (o *outbox) refuses(nested bool) error {
	switch {
	case o.closed:
		return errOutboxClosed
	case o.moved && !nested:
		return errOutboxMoved
	}
	return nil
}

// await waits for wake, until late at most. The mutex is held before and after.
func (o *outbox) await(ctx context.Context, gone <-chan struct{}, late <-chan time.Time) error {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	ch := o.room
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-gone:
		return errOutboxClosed
	case <-late:
		return errNoCredit
	}
}

// wake has those look again who wait for room in the first lane or for credit.
func (o *outbox) wake() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// putBuffer puts the message in b, which it keeps where that is large.
func (o *outbox) putBuffer(b *buffer) (flush bool) {
	room := o.form.FrameRoom()
	if len(b.Bytes) < room+largeMessage {
		return o.put(b.Bytes[room:], false)
	}
	o.first.own(o.form.Frame(b.Bytes, room), b.Bytes)
	o.grow(len(b.Bytes) - room)
	b.Bytes = nil
	return o.claim()
}

// move puts msg, which is $/moved, behind everything in the first lane, once. It
// reports whether the caller must flush.
func (o *outbox) move(msg []byte) (flush bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.moved {
		return false
	}
	o.moved = true
	o.wake()
	return o.put(msg, false)
}

// post puts msg into the first lane without waiting: control messages and
// refusals, which the reader sends. alone keeps other messages out of its
// frame. It reports whether the caller must flush, and whether the lane has
// passed the hard cap, which counts only what did not wait: a large message that
// did is no sign of a peer that does not read.
func (o *outbox) post(msg []byte, alone bool) (flush, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, false
	}
	flush = o.put(msg, alone)
	over = o.posted > o.soft
	o.posted += len(msg)
	return flush, over
}

func (o *outbox) put(msg []byte, alone bool) (flush bool) {
	if alone || o.alone {
		o.first.cut()
	}
	o.alone = alone
	o.add(&o.first, msg)
	o.grow(len(msg))
	return o.claim()
}

func (o *outbox) grow(n int) {
	if o.detached && o.grown != nil {
		o.grown(n)
	}
}

// claim makes the caller the flusher where there is none.
func (o *outbox) claim() bool {
	if o.flushing || o.detached {
		return false
	}
	o.flushing = true
	return true
}

// detach lets nobody flush any more; who does will find out.
func (o *outbox) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detached = true
}

// attach makes the caller the flusher, for there is a socket again.
func (o *outbox) attach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detached, o.flushing = false, true
	o.unsent = o.taken
}

// failed notes that of the frames that were taken the last n have not reached the
// socket, which is broken. The flusher calls it.
func (o *outbox) failed(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unsent = o.taken - uint64(n)
}

// resume has the frames kept that are written from now on.
func (o *outbox) resume(r *replay.Buffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replay = r
}

// acknowledge has the next flush begin with an ack. It reports whether the caller
// must flush.
func (o *outbox) acknowledge() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.ackDue = true
	return o.claim()
}

// enqueue gives s a turn in the ring, if it has none.
func (o *outbox) enqueue(s *SendStream) (flush bool) {
	if !s.queued {
		s.queued = true
		o.ring = append(o.ring, s)
	}
	return o.claim()
}

// take moves what is to be written next into b. It reports false, and ends the
// flush, where there is nothing and pending says that the socket has taken all.
func (o *outbox) take(b *batch, pending func() bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first.size() == 0 && len(o.ring) == 0 && !o.ackDue && !pending() {
		o.flushing = false
		if o.idle != nil {
			close(o.idle)
			o.idle = nil
		}
		b.reset()
		buffers.Put(b.buf)
		buffers.Put(o.first.buf)
		buffers.Put(o.scratch)
		b.buf, o.first.buf, o.scratch = nil, nil, nil
		return false
	}
	b.reset()
	o.first, *b = *b, o.first
	o.posted = 0
	o.alone = false
	b.ack, b.replay, o.ackDue = o.ackDue, o.replay, false
	o.takeItems(b)
	o.taken += uint64(b.count())
	o.unsent = o.taken
	o.wake()
	return true
}

// takeItems lets the streams of the ring take turns until a frame is full.
func (o *outbox) takeItems(b *batch) {
	if len(o.ring) == 0 {
		return
	}
	b.cut()
	from := b.size()
	n := 0
	for _, s := range o.ring {
		if n > 0 && b.size()-from+s.held() > FrameSize {
			break
		}
		n++
		s.queued = false
		o.items -= s.held()
		s.take(b)
	}
	o.ring = append(o.ring[:0], o.ring[n:]...)
	if o.items < ItemsSize {
		for _, s := range o.itemRoom {
			s.noted = false
			s.signal()
		}
		o.itemRoom = o.itemRoom[:0]
	}
}

// close takes nothing in any more; what was put before is still flushed, unless it
// is to be dropped. It returns the sources that were open, and from which frame on
// nothing has reached a socket or will.
func (o *outbox) close(drop bool) (open []*SendStream, unsent uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	open = slices.Collect(maps.Values(o.sending))
	o.sending, o.ring, o.room, o.itemRoom = nil, nil, nil, nil
	if !drop {
		return open, math.MaxUint64
	}
	o.first = batch{}
	return open, o.unsent
}

// quit ends a flush that failed.
func (o *outbox) quit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushing = false
	if o.closed {
		o.first = batch{}
	}
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// drained is closed when everything that was put has been written or given up.
func (o *outbox) drained() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.idle == nil {
		o.idle = make(chan struct{})
	}
	ch := o.idle
	if !o.flushing {
		close(ch)
		o.idle = nil
	}
	return ch
}
