package session

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// openSendStreams makes a send stream for each producer of a message that is about to be
// sent, and returns the names by which the message refers to them, nil for a nil
// producer. In plain mode the streams are subscriptions to method. isResult is true if
// the message is an answer.
func (s *Session) openSendStreams(method string, producers []Producer, scope *callScope, isResult bool) (streams []*SendStream, names [][]byte, err error) {
	if len(producers) == 0 {
		return nil, nil, nil
	}
	handles := make([]uint64, len(producers)) // 0 for a nil producer
	s.update(func(st *sessionState) {
		before := st.lastHandle
		for i, p := range producers {
			if p != nil {
				st.lastHandle++
				st.countSendStreams(isResult, 1)
				handles[i] = st.lastHandle
			}
		}
		switch {
		case st.lastHandle-before > wire.MaxStreams && s.Mode == ModeWirecall:
			err = errMessageStreams
		case st.sendStreams > st.peerStreams:
			err = overStreams(sideName(!isResult), st.peerStreams, isResult)
		case isResult && st.resultStreams > s.Limits.Streams:
			err = overStreams("callee", s.Limits.Streams, true)
		}
	})
	for i, h := range handles {
		var name []byte
		if h != 0 {
			ss := s.newSendStream(producers[i], h, scope)
			ss.isResult = isResult
			streams = append(streams, ss)
			name = s.streamName(nil, h)
			if s.Mode == ModePlain {
				ss.sub = newSubscription(s.Format, method, name)
			}
		}
		names = append(names, name)
	}
	if err != nil {
		s.update(func(st *sessionState) { st.countSendStreams(isResult, -len(streams)) })
		return nil, nil, err
	}
	s.queue.addStreams(streams)
	return streams, names, nil
}

// countSendStreams adds n to the number of send streams.
func (st *sessionState) countSendStreams(isResult bool, n int) {
	st.sendStreams += n
	if isResult {
		st.resultStreams += n
	}
}

// streamName appends the name of a stream in params and results: its handle or, in plain
// mode, the id of a subscription.
func (s *Session) streamName(dst []byte, handle uint64) []byte {
	if s.Mode == ModePlain {
		return fmt.Appendf(dst, `"0x%x"`, handle)
	}
	return s.Format.AppendID(dst, handle)
}

var errMessageStreams = fmt.Errorf("a message can introduce %d streams at most", wire.MaxStreams)

// discardStreams removes streams that no message has introduced.
func (s *Session) discardStreams(sendStreams []*SendStream) {
	if len(sendStreams) == 0 {
		return
	}
	s.queue.removeStreams(sendStreams)
	s.update(func(st *sessionState) { st.countSendStreams(sendStreams[0].isResult, -len(sendStreams)) })
}

func (q *sendQueue) addStreams(sendStreams []*SendStream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if q.streams == nil {
		q.streams = make(map[uint64]*SendStream)
	}
	for _, ss := range sendStreams {
		q.streams[ss.handle] = ss
	}
}

// openStreams returns the open streams.
func (q *sendQueue) openStreams() []*SendStream {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Collect(maps.Values(q.streams))
}

func (q *sendQueue) removeStreams(sendStreams []*SendStream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ss := range sendStreams {
		delete(q.streams, ss.handle)
	}
}

func (q *sendQueue) sendStream(handle uint64) *SendStream {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.streams[handle]
}

// takeFinished returns how many streams of results and of parameters have finished since
// the last call.
func (q *sendQueue) takeFinished() (results, params int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	results, params = q.finishedResults, q.finishedParams
	q.finishedResults, q.finishedParams = 0, 0
	return results, params
}

var errStreamLimit = &fault.Error{Code: fault.LimitReached, Message: "too many streams at once"}

// overStreams returns the error for a call that exceeds the stream limit of one side,
// which depends on whether the handler has run.
func overStreams(whose string, limit int, ran bool) error {
	fate := "has not run"
	if ran {
		fate = "has run"
	}
	return fmt.Errorf("too many streams at once: over Limits.Streams of the %s, which is %d; the handler %s", whose, limit, fate)
}

func sideName(callee bool) string {
	if callee {
		return "callee"
	}
	return "caller"
}

func isLimit(err error) bool { return err == error(errStreamLimit) }

// openRecvStreams makes receive streams for the handles that a message lists, before the
// next message is read. Above the limit the message is refused, but its streams are
// opened nevertheless, since the peer sends items until it receives the refusal; far
// above the limit it is a violation of the protocol. depth is how deep an item may be
// nested.
func (s *Session) openRecvStreams(st *sessionState, handles []uint64, depth int) (recvStreams []*RecvStream, err error) {
	for _, h := range handles {
		if _, open := st.recvStreams[h]; open {
			return nil, fmt.Errorf("stream %d is open already", h)
		}
		rs := s.newRecvStream(h, depth)
		st.recvStreams[h] = rs
		recvStreams = append(recvStreams, rs)
	}
	switch n := len(st.recvStreams); {
	case len(handles) == 0 || n <= s.Limits.Streams:
		return recvStreams, nil
	case int64(n) > 4*int64(s.Limits.Streams)+4:
		return nil, errors.New("far more streams than the limit allows")
	}
	return recvStreams, errStreamLimit
}

func (s *Session) cancelRefused(recvStreams []*RecvStream) {
	for _, rs := range recvStreams {
		if rs.drop(errStreamLimit) {
			s.post(s.Format.AppendEnd(nil, methodCancel, rs.Handle, nil))
		}
		rs.leaveScope()
	}
}

// cancelStream sends $/cancel for a stream of the peer.
func (s *Session) cancelStream(handle uint64) {
	s.post(s.Format.AppendEnd(nil, methodCancel, handle, nil))
}

// recvStream returns the open stream with that handle, or nil.
func (s *Session) recvStream(handle int64) *RecvStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.recvStreams[uint64(handle)]
}

// drainRetry is the delay that a draining server asks for before a cursor continues.
const drainRetry = 500 * time.Millisecond

// endCursorStreams ends the send streams that cursors continue, with fault.ComeAgain.
// Errors that their producers return from then on are ignored.
func (q *sendQueue) endCursorStreams() {
	var open []*SendStream
	q.mu.Lock()
	q.cursorsEnded = true
	for _, ss := range q.streams {
		if ss.scope.cursor {
			open = append(open, ss)
		}
	}
	q.mu.Unlock()
	for _, ss := range open {
		ss.stop(&fault.Error{Code: fault.ComeAgain, Message: "come again", Retry: drainRetry})
	}
}

// hasEndedCursors reports whether endCursorStreams has been called.
func (q *sendQueue) hasEndedCursors() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cursorsEnded
}

// CleanUp runs f on another goroutine. The session is not idle until f returns.
func (s *Session) CleanUp(f func()) {
	s.update(func(st *sessionState) { st.cleanups++ })
	go func() {
		defer s.update(func(st *sessionState) { st.cleanups-- })
		f()
	}()
}
