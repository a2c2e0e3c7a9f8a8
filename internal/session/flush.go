package session

import (
	"runtime"
	"time"
)

// A flusher writes what the send queue holds to the transport. The goroutine that has
// claimed the flush owns it.
type flusher struct {
	session   *Session
	frames    frameBatch // what is being written
	unflushed int        // frames given to the transport since its buffers were last empty
}

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
//
// If caller is true, it writes only what the socket accepts without blocking. For the
// rest, or if the kind of transport cannot tell, it starts a goroutine.
func (f *flusher) flush(caller bool) {
	s := f.session
	for round := 0; ; {
		done, err := s.transport.Flush(!caller)
		if done {
			f.unflushed = 0
		}
		if err == nil && done && (f.frames.ack || f.frames.written() < f.frames.count) {
			if err = f.write(); err == nil {
				continue
			}
		}
		switch {
		case err != nil:
			s.queue.recordUnsent(f.unwritten())
			s.writeFailed(err)
			s.queue.abortFlush()
			return
		case !done || caller && round == flushRounds:
			go f.flush(false)
			return
		}
		for _, ss := range f.frames.streams { // their requests have been written
			go ss.run()
		}
		clear(f.frames.streams)
		f.frames.streams = f.frames.streams[:0]
		runtime.Gosched()
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

// writeAck writes an ack alone in a frame. The flusher calls it.
func (r *resumption) writeAck() error {
	s := r.session
	received := r.received.Load()
	r.ackedFrames.Store(received)
	msg := s.Format.AppendControl(nil, methodAck, int64(received), int64(r.sent.Next()))
	frame := s.Format.AppendToFrame(nil, msg, true)
	r.sent.Keep(frame)
	return s.transport.WriteFrame(frame)
}
