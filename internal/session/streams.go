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

// openSendStreams makes a send stream for each producer of a message that is about to
// be sent, and the names that it has them under, nil for a nil producer. In plain mode
// they are subscriptions to method. served says that the message is an answer.
func (s *Session) openSendStreams(method string, producers []Producer, scope *callScope, isResult bool) (streams []*SendStream, names [][]byte, err error) {
	if len(producers) == 0 {
		return nil, nil, nil
	}
	handles := make([]uint64, len(producers)) // 0 for none
	s.update(func(st *sessionState) {
		before := st.nextHandle
		for i, p := range producers {
			if p != nil {
				st.nextHandle++
				st.countSendStreams(isResult, 1)
				handles[i] = st.nextHandle
			}
		}
		switch {
		case st.nextHandle-before > wire.MaxStreams && s.Mode == ModeWirecall:
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

// countSource counts n sources, of answers or of calls of ours.
func (st *sessionState) countSendStreams(isResult bool, n int) {
	st.sendStreams += n
	if isResult {
		st.resultStreams += n
	}
}

// streamName appends what stands for a stream in params and results: its
// handle, in plain mode the id of a subscription.
func (s *Session) streamName(dst []byte, handle uint64) []byte {
	if s.Mode == ModePlain {
		return fmt.Appendf(dst, `"0x%x"`, handle)
	}
	return s.Format.AppendID(dst, handle)
}

var errMessageStreams = fmt.Errorf("a message can introduce %d streams at most", wire.MaxStreams)

// discard takes sources back that no message has introduced.
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

// produced returns the sources that are open.
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

// takeFinished reports the sources whose end has been said since it was last
// asked: of answers, and of calls of ours.
func (q *sendQueue) takeFinished() (isResult, own int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	isResult, own = q.finishedResults, q.finishedParams
	q.finishedResults, q.finishedParams = 0, 0
	return isResult, own
}

var errStreamLimit = &fault.Error{Code: fault.LimitReached, Message: "too many streams at once"}

// overStreams says whose limit of streams a call is over, and what became of it.
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

// register makes sinks for the handles that a message lists, before anything
// behind it is read. Over the limit the message is refused, but its streams
// are known all the same: the peer does not know of the refusal yet. One that
// goes on is a protocol error. depth is how deep their items may nest.
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

// cancelStream tells the peer that one of its streams is not wanted any more.
func (s *Session) cancelStream(handle uint64) {
	s.post(s.Format.AppendEnd(nil, methodCancel, handle, nil))
}

// sink finds a stream of the peer's that is open.
func (s *Session) recvStream(handle int64) *RecvStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.recvStreams[uint64(handle)]
}

// drainRetry is what a server that shuts down says.
const drainRetry = 500 * time.Millisecond

// comeAgain ends the streams that have a cursor: the context of their calls ends, and
// what their producers do then does not change what they end with.
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

// isLate reports whether comeAgain has been called.
func (q *sendQueue) hasEndedCursors() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cursorsEnded
}

// cleanUp runs f on a goroutine of its own. The session is not idle until it returns.
func (s *Session) CleanUp(f func()) {
	s.update(func(st *sessionState) { st.cleanups++ })
	go func() {
		defer s.update(func(st *sessionState) { st.cleanups-- })
		f()
	}()
}
