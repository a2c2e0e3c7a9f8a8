package session

import (
	"fmt"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// newStreams makes a send stream for each producer of a message that is about to be
// sent, and returns the names by which the message refers to them, nil for a nil
// producer. isResult is true if the message is an answer.
func (q *sendQueue) newStreams(producers []Producer, scope *callScope, isResult bool) (streams []*SendStream, names [][]byte, err error) {
	s := q.session
	q.mu.Lock()
	for _, p := range producers {
		var name []byte
		if p != nil {
			q.lastHandle++
			ss := newSendStream(s, p, q.lastHandle, scope)
			ss.isResult = isResult
			streams = append(streams, ss)
			name = s.dialect.introduce(ss)
		}
		names = append(names, name)
	}
	err = q.admitStreams(len(streams), isResult)
	if err == nil && !q.closed {
		for _, ss := range streams {
			q.streams.put(ss.handle, ss)
		}
		if isResult {
			q.resultStreams += len(streams)
		}
	}
	q.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	s.addWork(len(streams))
	return streams, names, nil
}

// admitStreams returns an error if a message cannot introduce n more streams. The mutex
// must be held.
func (q *sendQueue) admitStreams(n int, isResult bool) error {
	limit := q.session.Limits.Streams
	switch {
	case n > wire.MaxStreams:
		return errMessageStreams
	case q.streams.len()+n > q.peerStreams:
		return overStreams(sideName(!isResult), q.peerStreams, isResult)
	case isResult && q.resultStreams+n > limit:
		return overStreams("callee", limit, true)
	}
	return nil
}

// discardStreams removes streams that no message has introduced.
func (q *sendQueue) discardStreams(streams []*SendStream) {
	if len(streams) == 0 {
		return
	}
	q.mu.Lock()
	for _, ss := range streams {
		if q.streams.remove(ss.handle) != nil && ss.isResult {
			q.resultStreams--
		}
	}
	q.mu.Unlock()
	q.session.addWork(-len(streams))
}

// stream returns the open stream with that handle, or nil.
func (q *sendQueue) stream(handle uint64) *SendStream {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.streams.get(handle)
}

// openStreams returns the open streams that f accepts.
func (q *sendQueue) openStreams(f func(*SendStream) bool) (streams []*SendStream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ss := range q.streams.all() {
		if f(ss) {
			streams = append(streams, ss)
		}
	}
	return streams
}

var errMessageStreams = fmt.Errorf("a message can introduce %d streams at most", wire.MaxStreams)

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

// drainRetry is the delay that a draining server asks for before a cursor continues.
const drainRetry = 500 * time.Millisecond

// endCursorStreams ends the send streams that cursors continue, with fault.ComeAgain.
// Errors that their producers return from then on are ignored.
func (q *sendQueue) endCursorStreams() {
	q.cursorsEnded.Store(true)
	for _, ss := range q.openStreams(func(ss *SendStream) bool { return ss.scope.cursor }) {
		ss.stop(&fault.Error{Code: fault.ComeAgain, Message: "come again", Retry: drainRetry})
	}
}
