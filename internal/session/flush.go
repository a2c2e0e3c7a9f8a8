package session

import (
	"runtime"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
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
//
// If caller is true, it writes only what the socket accepts without blocking. For the
// rest, or if the kind of transport cannot tell, it starts a goroutine.
func (s *Session) flush(caller bool) {
	for round := 0; ; {
		done, err := s.transport.Flush(!caller)
		if done {
			s.unflushed = 0
		}
		if err == nil && done && s.frames.hasMore() {
			if err = s.write(); err == nil {
				continue
			}
		}
		switch {
		case err != nil:
			s.queue.recordUnsent(s.unwritten())
			s.writeFailed(err)
			s.queue.abortFlush()
			return
		case !done || caller && round == flushRounds:
			go s.flush(false)
			return
		}
		s.startStreams()
		runtime.Gosched()
		if !s.queue.take(&s.frames, s.transport.Pending) {
			return
		}
		round++
		if results, params := s.queue.takeFinished(); results+params > 0 {
			s.update(func(st *sessionState) { st.countSendStreams(true, -results); st.countSendStreams(false, -params) })
		}
	}
}

// write gives the next frames to the transport.
func (s *Session) write() error {
	if s.frames.ack {
		s.frames.ack = false
		if err := s.writeAck(); err != nil {
			return err
		}
	}
	before := s.frames.written()
	err := s.frames.write(writeSize, s.transport.WriteFrame)
	if r := s.resumption.Load(); r != nil && r.sent.NeedsAck() {
		s.queue.post(s.Format.AppendControl(nil, methodPing, time.Now().UnixMilli()), false) // this flush will write it
	}
	s.unflushed += s.frames.written() - before
	return err
}

// unwritten returns how many frames, the last ones that were taken, had nothing written
// by any transport when one failed. The next transport gets those that were given to
// this one in vain.
func (s *Session) unwritten() int {
	if s.transport.Wrote() {
		s.unflushed = 0
	}
	return s.frames.count() - s.frames.written() + s.unflushed
}

// startStreams starts the producers whose requests have been written.
func (s *Session) startStreams() {
	for _, ss := range s.frames.streams {
		go ss.run()
	}
	clear(s.frames.streams)
	s.frames.streams = s.frames.streams[:0]
}

// Kick starts a flush on another goroutine if none runs. The reader, and other
// goroutines that must not block, call it.
func (s *Session) Kick() {
	s.queue.mu.Lock()
	start := s.queue.claimFlush()
	s.queue.mu.Unlock()
	if start {
		go s.flush(false)
	}
}

// post sends a message without blocking, so that the reader may call it. If the peer has
// stopped reading, it ends the session.
func (s *Session) post(msg []byte) {
	flush, over := s.queue.post(msg, false)
	if flush {
		go s.flush(false)
	}
	if over {
		s.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}
