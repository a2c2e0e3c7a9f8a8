package session

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/wirecall/wirecall/internal/fault"
)

// recvStreams owns the table of the streams from the peer.
type recvStreams struct {
	session *Session

	mu           sync.Mutex
	table        idTable[RecvStream] // by handle, tombstones included
	unreferenced []*RecvStream       // streams that the garbage collector has found unreachable
	moving       bool                // move has been called
	ended        bool                // the session has ended
}

var (
	errStreamLimit = &fault.Error{Code: fault.LimitReached, Message: "too many streams at once"}
	errEnded       = errors.New("the session has ended")
)

func isLimit(err error) bool { return err == error(errStreamLimit) }

// open makes receive streams for the handles that a message lists, before the next
// message is read. Above the limit the message is refused, but its streams are opened
// nevertheless, since the peer sends items until it receives the refusal; far above the
// limit it is a violation of the protocol. depth is how deep an item may be nested. If
// the session has ended, open returns errEnded.
func (t *recvStreams) open(handles []uint64, depth int) (streams []*RecvStream, err error) {
	limit := t.session.Limits.Streams
	t.session.addWork(len(handles))
	defer func() { t.session.addWork(len(streams) - len(handles)) }()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil, errEnded
	}
	for _, h := range handles {
		if t.table.get(h) != nil {
			return streams, fmt.Errorf("stream %d is open already", h)
		}
		rs := newRecvStream(t.session, h, depth)
		t.table.put(h, rs)
		streams = append(streams, rs)
	}
	switch n := t.table.len(); {
	case int64(n) > 4*int64(limit)+4:
		return streams, errors.New("far more streams than the limit allows")
	case n > limit:
		return streams, errStreamLimit
	}
	return streams, nil
}

// get returns the open stream with that handle, or nil.
func (t *recvStreams) get(handle int64) *RecvStream {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table.get(uint64(handle))
}

// remove removes the stream with that handle, which the peer has ended, and returns it,
// or nil if there is none.
func (t *recvStreams) remove(handle int64) *RecvStream {
	t.mu.Lock()
	rs := t.table.remove(uint64(handle))
	t.mu.Unlock()
	if rs != nil {
		t.session.addWork(-1)
	}
	return rs
}

// count returns how many streams are open.
func (t *recvStreams) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table.len()
}

// refuse cancels streams of a message that is refused.
func (t *recvStreams) refuse(streams []*RecvStream) {
	for _, rs := range streams {
		rs.Cancel(errStreamLimit)
	}
}

// end empties the table and returns the streams.
func (t *recvStreams) end() idTable[RecvStream] {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := t.table
	t.table, t.unreferenced, t.ended = idTable[RecvStream]{}, nil, true
	return open
}

var errMovedOn = &fault.Error{Code: fault.Unavailable, Message: "the stream goes on with another session", Ran: fault.Maybe, Lost: true}

// MoveStreams ends the receive streams that cursors continue on another session, now and
// from now on.
func (s *Session) MoveStreams() {
	t := &s.recv
	var movable []*RecvStream
	t.mu.Lock()
	t.moving = true
	for rs := range t.table.all() {
		if rs.isMovable() {
			movable = append(movable, rs)
		}
	}
	t.mu.Unlock()
	for _, rs := range movable {
		rs.Cancel(errMovedOn)
	}
}

// AllowMove permits MoveStreams to end the stream, since a cursor continues it on
// another session. If the session's streams have been moved already, the stream ends at
// once.
func (rs *RecvStream) AllowMove() {
	rs.mu.Lock()
	rs.canMove = true
	rs.mu.Unlock()
	t := &rs.Session.recv
	t.mu.Lock()
	moving := t.moving
	t.mu.Unlock()
	if moving {
		rs.Cancel(errMovedOn)
	}
}

// MarkUnreferenced queues the stream, which the garbage collector has found unreachable,
// for cancellation by the next keep-alive check or the next call of CancelUnreferenced.
// It runs on the collector's goroutine, which belongs to no synctest bubble, so that it
// must not touch a channel.
func (rs *RecvStream) MarkUnreferenced() {
	rs.mu.Lock()
	settled := rs.leftScope
	rs.mu.Unlock()
	t := &rs.Session.recv
	t.mu.Lock()
	defer t.mu.Unlock()
	if !settled && !t.ended {
		t.unreferenced = append(t.unreferenced, rs)
	}
}

// CancelUnreferenced cancels the streams that the garbage collector has found
// unreachable.
func (s *Session) CancelUnreferenced() { s.recv.cancelUnreferenced() }

func (t *recvStreams) cancelUnreferenced() {
	t.mu.Lock()
	lost := t.unreferenced
	t.unreferenced = nil
	t.mu.Unlock()
	for _, rs := range lost {
		rs.Cancel(context.Canceled)
	}
}
