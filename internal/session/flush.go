package session

import (
	"runtime"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/wire"
)

// A flusher writes what the send queue holds to the transport. The goroutine that has
// claimed the flush owns it.
type flusher struct {
	session   *Session
	frames    frameBatch // what is being written
	unflushed int        // frames given to the transport since its buffers were last empty
}

// A flushMode is how a goroutine flushes.
type flushMode uint8

const (
	// flushAside is on a goroutine of its own, which may wait for the socket.
	flushAside flushMode = iota

	// flushByCaller writes only what the socket accepts without blocking. For the rest, or
	// if the kind of transport cannot tell, it starts a goroutine.
	flushByCaller

	// flushByPusher is flushByCaller without yielding: a pusher has put all that there is
	// for now, and goes on to other connections.
	flushByPusher
)

// flushRounds bounds how often a caller writes what others have put meanwhile, before a
// goroutine takes over.
const flushRounds = 4

// writeSize is how many bytes are given to the transport between two flushes of it.
const writeSize = 2 * FrameSize

// flush writes what the send queue holds until it is empty. Only a caller that has
// claimed the flush may call it.
//
// It yields before it takes from the queue, so that goroutines about to put something
// share its system call: that doubles the throughput of a busy connection, and is free
// if no other goroutine can run.
func (f *flusher) flush(mode flushMode) {
	s := f.session
	for round := 0; ; {
		done, err := s.transport.Flush(mode == flushAside)
		if done {
			f.unflushed = 0
		}
		if err == nil && done && (f.frames.ack || f.frames.written() < f.frames.count) {
			if err = f.write(); err == nil {
				continue
			}
		}
		switch {
		case err != nil && mode == flushByPusher:
			go f.fail(err) // observers may be slow
			return
		case err != nil:
			f.fail(err)
			return
		case !done || mode != flushAside && round == flushRounds:
			go f.flush(flushAside)
			return
		}
		for _, ss := range f.frames.streams { // their requests have been written
			go ss.run()
		}
		clear(f.frames.streams)
		f.frames.streams = f.frames.streams[:0]
		if mode != flushByPusher {
			runtime.Gosched()
		}
		more, finished := s.queue.take(&f.frames, s.transport.Pending)
		if finished > 0 {
			s.addWork(-finished)
		}
		if !more {
			return
		}
		round++
	}
}

// fail ends a flush whose transport has failed.
func (f *flusher) fail(err error) {
	f.session.queue.recordUnsent(f.unwritten())
	f.session.writeFailed(err)
	f.session.queue.abortFlush()
}

// write gives the next frames to the transport.
func (f *flusher) write() error {
	s := f.session
	r := s.resumption.Load()
	if f.frames.ack {
		f.frames.ack = false
		if err := r.writeAck(); err != nil {
			return err
		}
	}
	before := f.frames.written()
	err := f.frames.write(writeSize, s.transport.WriteFrame)
	if r != nil && r.sent.NeedsAck() {
		s.queue.post(s.Format.AppendControl(nil, methodPing, time.Now().UnixMilli())) // this flush will write it
	}
	f.unflushed += f.frames.written() - before
	return err
}

// unwritten returns how many frames, the last ones that were taken, had nothing written
// by any transport when one failed. The next transport gets those that were given to
// this one in vain.
func (f *flusher) unwritten() int {
	if f.session.transport.Wrote() {
		f.unflushed = 0
	}
	return f.frames.count - f.frames.written() + f.unflushed
}

// flushUnlock releases the mutex and flushes, unless another goroutine does. The caller
// may block.
func (q *sendQueue) flushUnlock() {
	claimed := q.claimFlush()
	q.mu.Unlock()
	if claimed {
		q.session.flusher.flush(flushByCaller)
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

// startFlush starts a flush on another goroutine, unless one runs. The mutex must be
// held.
func (q *sendQueue) startFlush() {
	if q.claimFlush() {
		go q.session.flusher.flush(flushAside)
	}
}

// kick is startFlush for callers without the mutex: the transport has something to
// write.
func (q *sendQueue) kick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.startFlush()
}

// queueAck makes the next flush begin with an ack.
func (q *sendQueue) queueAck() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.ackDue = true
		q.startFlush()
	}
}

// take moves what is to be written next into b, and returns how many streams have ended
// by what was taken before. If there is nothing and pending reports that the transport
// has written everything, it ends the flush and more is false.
func (q *sendQueue) take(b *frameBatch, pending func() bool) (more bool, finished int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	finished, q.finished = q.finished, 0
	b.reset()
	if q.messages.size() == 0 && len(q.ready) == 0 && !q.ackDue && !pending() {
		q.endFlush()
		buffers.Put(b.buf)
		buffers.Put(q.messages.buf)
		buffers.Put(q.scratch)
		b.buf, q.messages.buf, q.scratch = nil, nil, nil
		return false, finished
	}
	q.messages, *b = *b, q.messages
	q.postedBytes, q.lastAlone = 0, false
	b.ack, b.replay, q.ackDue = q.ackDue, q.replay, false
	if len(q.ready) > 0 {
		q.takeItems(b)
	}
	q.taken += uint64(b.count)
	q.unsent = q.taken
	q.wakeWaiters()
	return true, finished
}

// takeItems moves items of the streams of the ready list into b until a frame is full.
func (q *sendQueue) takeItems(b *frameBatch) {
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

// abortFlush ends a flush that has failed.
func (q *sendQueue) abortFlush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.endFlush()
	if q.closed {
		q.messages = frameBatch{}
	}
}

// endFlush ends the flush. The mutex must be held.
func (q *sendQueue) endFlush() {
	q.flushing = false
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

// A frameBatch is a sequence of frames to be written. Small messages share a buffer;
// each large one has a frame of its own, in the buffer that it was encoded in.
type frameBatch struct {
	buf         []byte
	start       int   // where the last frame in buf begins
	frameEnds   []int // the end in buf of each frame but the last
	largeFrames []largeFrame
	largeBytes  int // bytes in largeFrames
	count       int // frames, written or not

	offset, next, nextLarge int // written so far: bytes of buf, frames of buf, large frames

	ack     bool           // an ack is to be written first
	replay  *replay.Buffer // keeps the frames that are written; may be nil
	streams []*SendStream  // started once all frames have been written
}

// A largeFrame is a frame with a buffer of its own.
type largeFrame struct {
	at         int // its position: before this offset of the shared buffer
	frame, buf []byte
}

// largeMessage is the size from which a message gets a frame of its own, since copying
// it would cost more than a frame.
const largeMessage = 8 << 10

// size returns how many bytes the frames have.
func (b *frameBatch) size() int { return len(b.buf) + b.largeBytes }

// add appends a message to the last frame, or to a new one if single is true or the
// frame is full.
func (b *frameBatch) add(form wire.Format, msg []byte, single bool) {
	n, size := len(b.buf)-b.start, form.FrameSize(len(msg))
	if n > 0 && (single || n+size > FrameSize) {
		b.endFrame()
		n = 0
	}
	if n == 0 {
		b.count++
	}
	b.buf = form.AppendToFrame(buffers.Grow(b.buf, size), msg, n == 0)
}

// addLarge appends a frame and takes over its buffer.
func (b *frameBatch) addLarge(frame, buf []byte) {
	b.endFrame()
	b.largeFrames = append(b.largeFrames, largeFrame{len(b.buf), frame, buf})
	b.largeBytes += len(frame)
	b.count++
}

// endFrame makes the next message begin a frame.
func (b *frameBatch) endFrame() {
	if len(b.buf) > b.start {
		b.frameEnds = append(b.frameEnds, len(b.buf))
		b.start = len(b.buf)
	}
}

// written returns how many frames have been given to the transport.
func (b *frameBatch) written() int { return b.next + b.nextLarge }

// write calls f with frame after frame until f fails or enough bytes have been written.
// The bound keeps the data between here and the socket within a CPU cache.
func (b *frameBatch) write(enough int, f func([]byte) error) error {
	for n := 0; n < enough && b.written() < b.count; {
		var frame []byte
		if b.nextLarge < len(b.largeFrames) && b.largeFrames[b.nextLarge].at == b.offset {
			frame = b.largeFrames[b.nextLarge].frame
			b.nextLarge++
		} else {
			to := len(b.buf)
			if b.next < len(b.frameEnds) {
				to = b.frameEnds[b.next]
			}
			frame = b.buf[b.offset:to]
			b.offset = to
			b.next++
		}
		n += len(frame)
		if b.replay != nil {
			b.replay.Keep(frame)
		}
		if err := f(frame); err != nil {
			return err
		}
	}
	return nil
}

// reset empties b and keeps its buffers for reuse.
func (b *frameBatch) reset() {
	for i := range b.largeFrames {
		buffers.Put(b.largeFrames[i].buf)
		b.largeFrames[i] = largeFrame{}
	}
	clear(b.streams)
	*b = frameBatch{buf: b.buf[:0], frameEnds: b.frameEnds[:0], largeFrames: b.largeFrames[:0], streams: b.streams[:0]}
}
