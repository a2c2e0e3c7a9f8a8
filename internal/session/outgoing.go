package session

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// An OutgoingCall is a call to the peer that has not been answered. A caller whose
// context ends abandons it: its id stays in use until the answer arrives, so that both
// sides count the same calls.
type OutgoingCall struct {
	done chan struct{} // receives one value when the fields of the answer are set

	frame     uint64 // the number of the request's frame, notQueued before it has one; guarded by the queue's mutex
	abandoned bool   // guarded by the session's mutex
	Result    []byte
	buffer    []byte // holds Result if it is large; nil otherwise
	Deep      bool   // see wire.Message
	Streams   []*RecvStream
	Meta      map[string]string
	Err       error // the error answered, or that of the session's end
}

// notQueued is greater than every frame number.
const notQueued = math.MaxUint64

func (call *OutgoingCall) finishWith(err error) {
	call.Err = err
	call.done <- struct{}{}
}

// maxRecycled is how many OutgoingCalls a session keeps for reuse. A sync.Pool shared by
// all sessions would not work in tests, since a channel belongs to the synctest bubble
// that made it.
const maxRecycled = 64

// newCall returns a recycled OutgoingCall, or a new one.
func (st *sessionState) newCall() *OutgoingCall {
	n := len(st.recycled)
	if n == 0 {
		return &OutgoingCall{done: make(chan struct{}, 1)}
	}
	call := st.recycled[n-1]
	st.recycled = st.recycled[:n-1]
	return call
}

// Recycle keeps call for reuse. The caller must hold the only reference.
func (s *Session) Recycle(call *OutgoingCall) {
	if call.buffer != nil {
		buffers.Put(call.buffer)
		call.Result = nil
	}
	*call = OutgoingCall{done: call.done, Result: call.Result[:0]}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.state.recycled) < maxRecycled {
		s.state.recycled = append(s.state.recycled, call)
	}
}

// A messageBuffer holds a message until the send queue has copied it or, if it is large,
// has taken over its bytes. It begins with room for the head of a frame.
type messageBuffer struct{ Bytes []byte }

var messagePool = sync.Pool{New: func() any { return new(messageBuffer) }}

// begin returns the empty buffer, to which the message is appended.
func (b *messageBuffer) begin(form wire.Format) []byte {
	return slices.Grow(b.Bytes[:0], smallBuffer)[:form.FrameRoom()]
}

const smallBuffer = 256

// release returns b, which has held a message of n bytes, to the pool. If its bytes were
// taken over, it gets as many again.
func (b *messageBuffer) release(n int) {
	switch {
	case b.Bytes == nil && n <= 2*FrameSize:
		b.Bytes = buffers.Get(n)
	case cap(b.Bytes) > 2*FrameSize:
		buffers.Put(b.Bytes)
		b.Bytes = nil
	}
	messagePool.Put(b)
}

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
		st.nextID++
		r.id = st.nextID
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

// BindToContext makes the end of ctx cancel the streams of a result, which may have
// received items already.
func BindToContext(ctx context.Context, recvStreams []*RecvStream) {
	scope := newCallScope()
	scope.add(ctx, len(recvStreams), nil, recvStreams)
	for _, rs := range recvStreams {
		if !rs.joinScope(scope) {
			scope.done()
		}
	}
	scope.done()
}

// abandon cancels a call whose caller no longer waits for the answer.
func (s *Session) abandon(id uint64, call *OutgoingCall) {
	var open bool
	s.update(func(st *sessionState) {
		if _, open = st.calls[id]; open {
			call.abandoned = true
		}
	})
	if open {
		var raw [20]byte
		s.post(s.Format.AppendCancelRequest(nil, s.Format.AppendID(raw[:0], id)))
		return
	}
	<-call.done // the answer arrived at the same moment
	for _, rs := range call.Streams {
		rs.Cancel(context.Canceled)
	}
	s.Recycle(call)
}

// removeCall removes a call that was not sent.
func (s *Session) removeCall(id uint64) {
	s.update(func(st *sessionState) {
		delete(st.calls, id)
		st.callLimit.release()
	})
}

// answer receives the answer to a call. The reader calls it.
func (s *Session) answer(m *wire.Message) error {
	id, ok := s.callID(m.ID)
	if !ok {
		return fmt.Errorf("an answer to nobody: id %s", Brief(m.ID))
	}
	var call *OutgoingCall
	var err error
	abandoned, ended := false, false
	s.update(func(st *sessionState) {
		if ended = st.ended; ended {
			return
		}
		if call = st.calls[id]; call == nil {
			return
		}
		delete(st.calls, id)
		st.callLimit.release()
		abandoned = call.abandoned
		call.Streams, err = s.openRecvStreams(st, m.Streams, wire.CallerDepth)
	})
	switch {
	case ended:
		return nil
	case call == nil:
		return fmt.Errorf("an answer to a call that is not open: id %d", id)
	case err != nil && !isLimit(err):
		call.finishWith(s.LostCallError(err)) // finish no longer finds the call
		return err
	case abandoned:
		s.cancelRefused(call.Streams)
		s.Recycle(call)
		return nil
	}
	call.Meta = decodeMeta(s.Format, m.Meta)
	call.Deep = m.Deep
	if held, buffer := s.retain(m.Result); buffer != nil {
		call.Result, call.buffer = held, buffer
	} else {
		call.Result = append(call.Result[:0], m.Result...)
	}
	switch {
	case m.Error != nil:
		call.Err = s.receivedError(m.Error)
	case err != nil:
		call.Err = &fault.Error{Code: fault.LimitReached, Message: overStreams("caller", s.Limits.Streams, true).Error(), Ran: fault.Maybe}
	}
	call.done <- struct{}{}
	return nil
}

// receivedError decodes an error object. Members with values of the wrong type, and
// unknown values of ran, are ignored.
func (s *Session) receivedError(raw []byte) *fault.Error {
	e := &fault.Error{Received: true}
	for name, member := range s.Format.Object(raw) {
		switch name {
		case "code":
			e.Code = fault.Unknown // also if the code overflows int
			if code, _ := s.Format.Int(member); int64(int(code)) == code {
				e.Code = int(code)
			}
		case "message":
			e.Message, _ = s.Format.String(member)
		case "data":
			e.Data = append([]byte(nil), member...)
		}
		if s.Mode != ModePlain {
			s.receivedMember(e, name, member)
		}
	}
	return e
}

// receivedMember decodes a member that only wirecall mode has in an error object.
func (s *Session) receivedMember(e *fault.Error, name string, raw []byte) {
	switch name {
	case "type":
		if t, _ := s.Format.String(raw); len(t) <= fault.MaxType {
			e.Type = t
		}
	case "ran":
		word, _ := s.Format.String(raw)
		e.Ran = fault.ParseRan(word)
	case "retry":
		if ms, ok := s.Format.Int(raw); ok && ms > 0 {
			e.Retry = time.Duration(min(ms, fault.MaxRetry.Milliseconds())) * time.Millisecond
		}
	}
}

func decodeMeta(form wire.Format, raw []byte) map[string]string {
	if raw == nil {
		return nil
	}
	md := make(map[string]string)
	for k, v := range form.Object(raw) {
		md[k], _ = form.String(v)
	}
	return md
}
