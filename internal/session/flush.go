package session

import (
	"runtime"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// flushRounds is how often a caller writes what others have put meanwhile
// before a goroutine takes over, so that no caller works for all.
const flushRounds = 4

// enough is how much is made ready for the socket at a time.
const writeSize = 2 * FrameSize

// flush writes what waits in the outbox until nothing does. Who was told to
// flush by the outbox calls it, so it runs once at a time.
//
// It yields before it takes what is there, because those who are about to put
// something then share its system call: that doubles what a busy connection
// carries, and costs nothing where nobody else is ready to run.
//
// A caller writes only what the socket takes at once; where that is not
// everything, or not known of this kind of socket, a goroutine goes on.
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
		if isResult, own := s.queue.takeFinished(); isResult+own > 0 {
			s.update(func(st *sessionState) { st.countSendStreams(true, -isResult); st.countSendStreams(false, -own) })
		}
	}
}

// write makes what comes next of the batch ready for the socket.
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
		s.queue.post(s.Format.AppendControl(nil, methodPing, time.Now().UnixMilli()), false) // this flush goes on to it
	}
	s.unflushed += s.frames.written() - before
	return err
}

// unwritten is how many frames, the last that were taken, no transport has written anything
// of when one has failed. Those that were given to it in vain the next one gets first.
func (s *Session) unwritten() int {
	if s.transport.Wrote() {
		s.unflushed = 0
	}
	return s.frames.count() - s.frames.written() + s.unflushed
}

// produceNow starts the streams whose requests have been written.
func (s *Session) startStreams() {
	for _, ss := range s.frames.streams {
		go ss.run()
	}
	clear(s.frames.streams)
	s.frames.streams = s.frames.streams[:0]
}

// Kick starts a flush on a goroutine of its own where none is under way. The
// reader, and whoever else must not write, calls it.
func (s *Session) Kick() {
	s.queue.mu.Lock()
	start := s.queue.claimFlush()
	s.queue.mu.Unlock()
	if start {
		go s.flush(false)
	}
}

// post sends a message that must not wait. It may be called by the reader.
func (s *Session) post(msg []byte) {
	flush, over := s.queue.post(msg, false)
	if flush {
		go s.flush(false)
	}
	if over {
		s.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}
