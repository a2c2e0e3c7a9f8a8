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

	uncounted bool // the peer's limit of calls does not apply
}

// A Request is a call or a notification that is being sent. Session.Begin makes it, the
// caller appends the parameters to Message.Bytes, and Send sends it. Abort undoes Begin.
type Request struct {
	Session *Session
	Method  string
	Call    *OutgoingCall // nil for a notification
	streams []*SendStream
	Names   [][]byte // of the streams, as the message refers to them
	Message *messageBuffer
	sent    bool

	subscribes *subscriptions // where Subscribe has entered the call; nil unless it has
}

// Begin waits under ctx until the peer accepts another call, and returns a request whose
// message ends before the parameters.
func (s *Session) Begin(ctx context.Context, head *RequestHead) (r Request, err error) {
	r = Request{Session: s, Method: head.Method}
	h := wire.Head{Method: head.Method, Meta: head.Meta, Body: head.Body}
	var raw [20]byte
	if !head.Notify {
		if r.Call, err = s.outgoing.begin(ctx, head.uncounted); err != nil {
			return r, err
		}
		if len(head.Streams) > 0 {
			if err = r.open(ctx, head.Streams); err != nil {
				return r, err
			}
		}
		h.ID, h.Timeout = s.Format.AppendID(raw[:0], r.Call.id), timeLeft(ctx)
	}
	for _, ss := range r.streams {
		h.Streams = append(h.Streams, ss.handle)
	}
	r.Message = messagePool.Get().(*messageBuffer)
	r.Message.Bytes = s.appendRequest(r.Message.begin(s.Format), &h)
	return r, nil
}

// open opens the streams among the parameters.
func (r *Request) open(ctx context.Context, producers []Producer) (err error) {
	scope := newCallScope()
	r.streams, r.Names, err = r.Session.queue.newStreams(producers, scope, false)
	if err != nil {
		r.undoOpen()
		return fault.NotSent(fault.LimitReached, err)
	}
	scope.add(ctx, len(r.streams), r.streams, nil)
	scope.done()
	return nil
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
	if r.Call != nil {
		r.undoOpen()
	}
}

// undoOpen removes the call and its streams.
func (r *Request) undoOpen() {
	if r.subscribes != nil {
		r.subscribes.undo(r.Call.id)
	}
	if call, _ := r.Session.outgoing.take(r.Call.id); call != nil {
		r.Session.addWork(-1)
	}
	r.Session.queue.discardStreams(r.streams)
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
	var err error
	if r.Call == nil {
		err = r.putNotification(ctx)
	} else if err = s.queue.putRequest(ctx, r.Message, false, r.Call, r.streams); err == errQueueMoved && s.Serves(ctx) { // checked only now, since it is rarely needed
		err = s.queue.putRequest(ctx, r.Message, true, r.Call, r.streams)
	}
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
	return err
}

// Wait waits for the answer to a request that was sent. If ctx ends first, it abandons
// the call and returns the cause of ctx.
func (r *Request) Wait(ctx context.Context) error {
	end := ctx.Done()
	if end == nil { // a receive costs less than a select
		<-r.Call.done
		return nil
	}
	select {
	case <-r.Call.done:
		return nil
	case <-end:
		if r.subscribes != nil {
			r.subscribes.abandon(r.Call.id)
		}
		r.Session.outgoing.abandon(r.Call)
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
