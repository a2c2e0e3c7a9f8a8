package rpc

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	ring     []*source
	items    int // encoded bytes that the ring's sources hold
	sources  map[uint64]*source
	scratch  []byte        // to build a stream's message in
	room     chan struct{} // closed when there may be room in the first lane, or credit, where somebody waits for that
	limited  bool          // notifications need credit
	credit   credit        // for them
	itemRoom []*source     // who waits for room in the second
	flushing bool          // some goroutine is in session.flush
	detached bool          // there is no socket: nobody flushes
	replay   *replay       // of frames, where the session can be resumed
	ackDue   bool
	grown    func(n int)   // told of what is put while there is no socket; may be nil
	closed   bool          // nothing is taken in any more
	idle     chan struct{} // closed when nothing is left to flush, where somebody waits for that

	finishedServed, finishedOwn int // sources whose end was taken and not yet reported
}

// A batch is a run of frames. Small messages share a buffer; a large one is in a
// frame of its own, in the buffer that it was encoded in.
type batch struct {
	buf   []byte
	cuts  []int // where each frame but the last ends
	large []large
	bytes int // that large has

	from, next, nextLarge int // what has been written: bytes, and frames

	ack    bool    // is to be written first
	replay *replay // keeps what is written
}

// A large is a frame with a buffer of its own, a chunk.
type large struct {
	at         int // in the batch's buffer: it comes before what is there
	frame, buf []byte
}

// largeMessage is from where on a message gets a frame of its own, as copying it
// costs more than a frame.
const largeMessage = 8 << 10

// size is how many bytes there are.
func (b *batch) size() int { return len(b.buf) + b.bytes }

// own takes over buf with the frame in it.
func (b *batch) own(frame, buf []byte) {
	b.cut()
	b.large = append(b.large, large{len(b.buf), frame, buf})
	b.bytes += len(frame)
}

func (b *batch) start() int {
	if len(b.cuts) == 0 {
		return 0
	}
	return b.cuts[len(b.cuts)-1]
}

func (b *batch) cut() {
	if len(b.buf) > b.start() {
		b.cuts = append(b.cuts, len(b.buf))
	}
}

// left reports whether there are frames to write.
func (b *batch) left() bool { return b.ack || b.frames() }

func (b *batch) frames() bool { return b.from < len(b.buf) || b.nextLarge < len(b.large) }

// frame is the next one to write.
func (b *batch) frame() []byte {
	if b.nextLarge < len(b.large) && b.large[b.nextLarge].at == b.from {
		b.nextLarge++
		return b.large[b.nextLarge-1].frame
	}
	from, to := b.from, len(b.buf)
	if b.next < len(b.cuts) {
		to = b.cuts[b.next]
	}
	b.from = to
	b.next++
	return b.buf[from:to]
}

// write calls f with one frame after the other, until it fails or enough has
// been written: what is between here and the socket should fit a cache.
func (b *batch) write(enough int, f func([]byte) error) error {
	for n := 0; n < enough && b.frames(); {
		frame := b.frame()
		n += len(frame)
		if b.replay != nil {
			b.replay.keep(frame)
		}
		if err := f(frame); err != nil {
			return err
		}
	}
	return nil
}

// reset empties b, whose buffer is for the next one.
func (b *batch) reset() {
	for i := range b.large {
		freeChunk(b.large[i].buf)
		b.large[i] = large{}
	}
	*b = batch{buf: b.buf[:0], cuts: b.cuts[:0], large: b.large[:0]}
}

// add puts a message into the frame being filled, or into a new one.
func (o *outbox) add(b *batch, msg []byte) {
	n := len(b.buf) - b.start()
	if n > 0 && (o.single || n+o.form.FrameSize(len(msg)) > frameSize) {
		b.cut()
		n = 0
	}
	b.buf = o.form.AppendToFrame(roomFor(b.buf, o.form.FrameSize(len(msg))), msg, n == 0)
}

var errOutboxClosed = errors.New("rpc: connection ended")

// send puts a message into the first lane, having waited under ctx for room. It
// reports whether the caller must flush. It keeps the buffer of a large one. A
// waiting that is not nil is lowered by one before anybody can flush the message.
func (o *outbox) send(ctx context.Context, gone <-chan struct{}, b *buffer, waiting *atomic.Int64) (flush bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.first.size() >= o.soft && !o.closed {
		if err := o.await(ctx, gone, nil); err != nil {
			return false, err
		}
	}
	if o.closed {
		return false, errOutboxClosed
	}
	if waiting != nil {
		waiting.Add(-1)
	}
	return o.putBuffer(b), nil
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
	if len(b.bytes) < room+largeMessage {
		return o.put(b.bytes[room:], false)
	}
	o.first.own(o.form.Frame(b.bytes, room), b.bytes)
	o.grow(len(b.bytes) - room)
	b.bytes = nil
	return o.claim()
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
}

// resume has the frames kept that are written from now on.
func (o *outbox) resume(r *replay) {
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
func (o *outbox) enqueue(s *source) (flush bool) {
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
		freeChunk(b.buf)
		freeChunk(o.first.buf)
		freeChunk(o.scratch)
		b.buf, o.first.buf, o.scratch = nil, nil, nil
		return false
	}
	b.reset()
	o.first, *b = *b, o.first
	o.posted = 0
	o.alone = false
	b.ack, b.replay, o.ackDue = o.ackDue, o.replay, false
	o.takeItems(b)
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
		if n > 0 && b.size()-from+s.held() > frameSize {
			break
		}
		n++
		s.queued = false
		o.items -= s.held()
		s.take(b)
	}
	o.ring = append(o.ring[:0], o.ring[n:]...)
	if o.items < itemsSize {
		for _, s := range o.itemRoom {
			s.noted = false
			s.signal()
		}
		o.itemRoom = o.itemRoom[:0]
	}
}

// close takes nothing in any more; what was put before is still flushed. It
// returns the sources that were open.
func (o *outbox) close() []*source {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	open := slices.Collect(maps.Values(o.sources))
	o.sources, o.ring, o.room, o.itemRoom = nil, nil, nil, nil
	return open
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
