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

// A pendingCall is a call of ours that has no answer yet. A caller whose
// context has ended leaves it behind: its id stays taken until the answer
// comes, so that both sides count the same calls.
type OutgoingCall struct {
	done chan struct{} // receives one value when the rest is set

	frame     uint64 // of the outbox that the request is in, notPut before it is in one; guarded by the outbox's mutex
	abandoned bool   // guarded by the connection's mutex
	Result    []byte
	buffer    []byte // that a large result is in
	Deep      bool   // see wire.Message
	Streams   []*RecvStream
	Meta      map[string]string
	Err       error // an answered error, or the end of the connection
}

// notPut is no frame: those come before it.
const notQueued = math.MaxUint64

func (call *OutgoingCall) finishWith(err error) {
	call.Err = err
	call.done <- struct{}{}
}

// spareCalls is how many pendingCalls a connection keeps for reuse. They cannot
// be shared by all in a sync.Pool: a channel belongs to the synctest bubble that
// it was made in.
const maxRecycled = 64

// spare returns a pendingCall for reuse, or a new one.
func (st *sessionState) newCall() *OutgoingCall {
	n := len(st.recycled)
	if n == 0 {
		return &OutgoingCall{done: make(chan struct{}, 1)}
	}
	call := st.recycled[n-1]
	st.recycled = st.recycled[:n-1]
	return call
}

// free takes p back. Nobody else may know it any more.
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

// A buffer is for a message on its way to the outbox, which copies a small one and
// keeps the bytes of a large one. Before the message it has room for a frame's head.
type messageBuffer struct{ Bytes []byte }

var messagePool = sync.Pool{New: func() any { return new(messageBuffer) }}

// begin returns what the message is to be appended to.
func (b *messageBuffer) begin(form wire.Format) []byte {
	return slices.Grow(b.Bytes[:0], smallBuffer)[:form.FrameRoom()]
}

const smallBuffer = 256

// free takes b back, which was used for a message of n bytes. Where they are gone
// the next will find as many.
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

// A requestHead is what a request says beside its parameters.
type RequestHead struct {
	Method  string
	Meta    map[string]string
	Streams []Producer // among the parameters, in their order; nil for a nil iterator
	Notify  bool
	Body    bool // there are parameters
}

// A request is a call or a notification that is being sent: begin makes it, its
// parameters are appended to msg.bytes, and send sends it. abort undoes begin.
type Request struct {
	Session *Session
	Method  string
	id      uint64 // 0 for a notification
	Call    *OutgoingCall
	streams []*SendStream
	Names   [][]byte // of streams, in the message
	Message *messageBuffer
	sent    bool
}

// begin waits under ctx until the peer takes another call, and makes a request whose
// message has everything before the parameters.
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
	if s.Mode == ModeWirecall { // strict JSON-RPC servers refuse other members
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

// open takes an id and the place in the table of calls, for which a slot has been
// acquired, and opens the streams among the parameters.
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

// abort takes back a request that was not sent. It has no effect on one that was, and
// is to be deferred, as the parameters' own code may panic.
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

// close undoes open.
func (r *Request) undoOpen() {
	r.Session.removeCall(r.id)
	r.Session.discardStreams(r.streams)
	for _, ss := range r.streams {
		ss.leaveScope()
	}
}

// send puts the request into the send queue, waiting under ctx for room. The streams
// among its parameters start when it has been written.
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
		<-s.Ctx.Done() // at once: see end
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
	if err == errQueueMoved && s.Serves(ctx) { // which is not worth a look before
		flush, err = s.queue.putRequest(ctx, s.Ctx.Done(), r.Message, true, r.Call, r.streams)
	}
	return flush, err
}

// wait waits for the answer to a request that was sent. If ctx ends first it leaves
// the call, and returns ctx's cause.
func (r *Request) Wait(ctx context.Context) error {
	select {
	case <-r.Call.done:
		return nil
	case <-ctx.Done():
		r.Session.abandon(r.id, r.Call)
		return context.Cause(ctx)
	}
}

// timeLeft is the timeout that travels: whole milliseconds, rounded up. A deadline
// that is further away than the wire can say is none, which is 0: the caller looks
// after it.
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

// adopt puts result streams, whose items may have come already, under ctx.
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

// abandon leaves a call that nobody waits for any more.
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
	<-call.done // the answer came at this very moment
	for _, rs := range call.Streams {
		rs.Cancel(context.Canceled)
	}
	s.Recycle(call)
}

// forget takes back a call that was not sent.
func (s *Session) removeCall(id uint64) {
	s.update(func(st *sessionState) {
		delete(st.calls, id)
		st.callLimit.release()
	})
}

// answer takes in the answer to a call of ours. The reader calls it.
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
		call.finishWith(s.LostCallError(err)) // the end of the connection no longer finds it
		return err
	case abandoned:
		s.cancelRefused(call.Streams)
		s.Recycle(call)
		return nil
	}
	call.Meta = decodeMeta(s.Format, m.Meta)
	call.Deep = m.Deep
	if held, chunk := s.retain(m.Result); chunk != nil {
		call.Result, call.buffer = held, chunk
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

// receivedError makes an error of an error object. A number that is no number, and
// a word for ran that is not known, say nothing.
func (s *Session) receivedError(raw []byte) *fault.Error {
	e := &fault.Error{Received: true}
	for name, member := range s.Format.Object(raw) {
		switch name {
		case "code":
			e.Code = fault.Unknown // also where an int has no room for it
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

// receivedMember takes in what only wirecall mode has in an error object.
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
