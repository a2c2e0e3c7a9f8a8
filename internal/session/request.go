package session

import (
	"context"
	"fmt"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A RequestHead is a request without its parameters.
type RequestHead struct {
	Method  string
	Meta    map[string]string
	Streams []Producer // those among the parameters, in order; nil for a nil iterator
	Notify  bool
	Body    bool // the request has parameters
}

// A Request is a call or a notification that is being sent. Session.Begin makes it, the
// caller appends the parameters to Message.Bytes, and Send sends it. Abort undoes Begin.
type Request struct {
	Session *Session
	Method  string
	id      uint64 // 0 for a notification
	Call    *OutgoingCall
	streams []*SendStream
	Names   [][]byte // of the streams, as the message refers to them
	Message *messageBuffer
	sent    bool
}

// Begin waits under ctx until the peer accepts another call, and returns a request whose
// message ends before the parameters.
func (s *Session) Begin(ctx context.Context, head *RequestHead) (r Request, err error) {
	r = Request{Session: s, Method: head.Method}
	if !head.Notify {
		if err := s.acquireCall(ctx); err != nil {
			return r, err
		}
		if err := r.open(ctx, head.Streams); err != nil {
			return r, err
		}
	}
	h := wire.Head{Method: head.Method, Body: head.Body}
	var raw [20]byte
	if r.id > 0 {
		h.ID = s.Format.AppendID(raw[:0], r.id)
	}
	if s.Mode == ModeWirecall { // strict JSON-RPC servers reject other members
		h.Meta = head.Meta
		if r.id > 0 {
			h.Timeout = timeLeft(ctx)
		}
	}
	for _, ss := range r.streams {
		h.Streams = append(h.Streams, ss.handle)
	}
	r.Message = messagePool.Get().(*messageBuffer)
	r.Message.Bytes = s.Format.AppendRequest(r.Message.begin(s.Format), &h)
	return r, nil
}

// open adds a call, for which acquireCall has succeeded, to the table of calls, and
// opens the streams among its parameters.
func (r *Request) open(ctx context.Context, producers []Producer) (err error) {
	s := r.Session
	var scope *callScope
	if len(producers) > 0 {
		scope = newCallScope()
	}
	r.streams, r.Names, err = s.openSendStreams(r.Method, producers, scope, false)
	if err != nil {
		s.releaseCall()
		return fault.NotSent(fault.LimitReached, err)
	}
	s.update(func(st *sessionState) {
		st.lastID++
		r.id = st.lastID
		if st.ended {
			err = fault.NotSent(fault.Unavailable, st.cause)
			return
		}
		r.Call = st.newCall()
		r.Call.frame = notQueued
		st.calls[r.id] = r.Call
	})
	if scope != nil {
		scope.add(ctx, len(r.streams), r.streams, nil)
		scope.done()
	}
	if err != nil {
		r.undoOpen()
	}
	return err
}

// Abort undoes Begin. It has no effect after a successful Send. It must be deferred,
// since encoding the parameters may panic.
func (r *Request) Abort() {
	if r.sent {
		return
	}
	if r.Message != nil {
		r.Message.release(0)
	}
	if r.id > 0 {
		r.undoOpen()
	}
}

// undoOpen undoes open.
func (r *Request) undoOpen() {
	r.Session.removeCall(r.id)
	r.Session.discardStreams(r.streams)
	for _, ss := range r.streams {
		ss.leaveScope()
	}
}

// Send puts the request into the send queue, for whose room it waits under ctx. The
// streams among its parameters start after it has been written.
func (r *Request) Send(ctx context.Context) error {
	s := r.Session
	r.Message.Bytes = s.Format.AppendTail(r.Message.Bytes)
	size := len(r.Message.Bytes) - s.Format.FrameRoom()
	if peer := s.peerMessage(); size > peer {
		return fault.NotSent(fault.TooLarge, fmt.Errorf("rpc: %s: a request of %d bytes is over the peer's limit of %d", r.Method, size, peer))
	}
	flush, err := r.put(ctx)
	switch err {
	case nil:
		r.sent = true
		r.Message.release(size)
	case errQueueClosed:
		<-s.Ctx.Done() // finish cancels it right after it has closed the queue
		err = fault.NotSent(fault.Unavailable, s.Err())
	case errQueueMoved:
		err = fault.NotSent(fault.Unavailable, ErrDrained)
	}
	if flush {
		s.flush(true)
	}
	return err
}

func (r *Request) put(ctx context.Context) (flush bool, err error) {
	s := r.Session
	if r.Call == nil {
		return s.putNotification(ctx, r.Message)
	}
	flush, err = s.queue.putRequest(ctx, s.Ctx.Done(), r.Message, false, r.Call, r.streams)
	if err == errQueueMoved && s.Serves(ctx) { // checked only now, since it is rarely needed
		flush, err = s.queue.putRequest(ctx, s.Ctx.Done(), r.Message, true, r.Call, r.streams)
	}
	return flush, err
}

// Wait waits for the answer to a request that was sent. If ctx ends first, it abandons
// the call and returns the cause of ctx.
func (r *Request) Wait(ctx context.Context) error {
	select {
	case <-r.Call.done:
		return nil
	case <-ctx.Done():
		r.Session.abandon(r.id, r.Call)
		return context.Cause(ctx)
	}
}

// timeLeft returns the timeout that is sent with a call: the time until the deadline of
// ctx in milliseconds, rounded up, or 0 if there is no deadline or it exceeds the
// protocol's maximum. The caller's own context bounds the call in any case.
func timeLeft(ctx context.Context) int64 {
	t, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	left := time.Until(t)
	ms := int64(left / time.Millisecond)
	if left%time.Millisecond > 0 {
		ms++
	}
	if ms > wire.MaxTimeout {
		return 0
	}
	return max(ms, 1)
}
