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
	chunk     []byte // that a large result is in
	Deep      bool   // see wire.Message
	Streams   []*RecvStream
	Meta      map[string]string
	Err       error // an answered error, or the end of the connection
}

// notPut is no frame: those come before it.
const notPut = math.MaxUint64

func (p *OutgoingCall) fail(err error) {
	p.Err = err
	p.done <- struct{}{}
}

// spareCalls is how many pendingCalls a connection keeps for reuse. They cannot
// be shared by all in a sync.Pool: a channel belongs to the synctest bubble that
// it was made in.
const spareCalls = 64

// spare returns a pendingCall for reuse, or a new one.
func (s *connState) spareCall() *OutgoingCall {
	n := len(s.spare)
	if n == 0 {
		return &OutgoingCall{done: make(chan struct{}, 1)}
	}
	p := s.spare[n-1]
	s.spare = s.spare[:n-1]
	return p
}

// free takes p back. Nobody else may know it any more.
func (c *Session) Free(p *OutgoingCall) {
	if p.chunk != nil {
		buffers.Put(p.chunk)
		p.Result = nil
	}
	*p = OutgoingCall{done: p.done, Result: p.Result[:0]}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.state.spare) < spareCalls {
		c.state.spare = append(c.state.spare, p)
	}
}

// A buffer is for a message on its way to the outbox, which copies a small one and
// keeps the bytes of a large one. Before the message it has room for a frame's head.
type buffer struct{ Bytes []byte }

var messagePool = sync.Pool{New: func() any { return new(buffer) }}

// begin returns what the message is to be appended to.
func (b *buffer) begin(form wire.Format) []byte {
	return slices.Grow(b.Bytes[:0], smallBuffer)[:form.FrameRoom()]
}

const smallBuffer = 256

// free takes b back, which was used for a message of n bytes. Where they are gone
// the next will find as many.
func (b *buffer) free(n int) {
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
	Message *buffer
	sent    bool
}

// begin waits under ctx until the peer takes another call, and makes a request whose
// message has everything before the parameters.
func (c *Session) Begin(ctx context.Context, head *RequestHead) (r Request, err error) {
	r = Request{Session: c, Method: head.Method}
	if !head.Notify {
		if err := c.acquire(ctx); err != nil {
			return r, err
		}
		if err := r.open(ctx, head.Streams); err != nil {
			return r, err
		}
	}
	h := wire.Head{Method: head.Method, Body: head.Body}
	var raw [20]byte
	if r.id > 0 {
		h.ID = c.Format.AppendID(raw[:0], r.id)
	}
	if c.Mode == ModeWirecall { // strict JSON-RPC servers refuse other members
		h.Meta = head.Meta
		if r.id > 0 {
			h.Timeout = timeLeft(ctx)
		}
	}
	for _, s := range r.streams {
		h.Streams = append(h.Streams, s.handle)
	}
	r.Message = messagePool.Get().(*buffer)
	r.Message.Bytes = c.Format.AppendRequest(r.Message.begin(c.Format), &h)
	return r, nil
}

// open takes an id and the place in the table of calls, for which a slot has been
// acquired, and opens the streams among the parameters.
func (r *Request) open(ctx context.Context, producers []Producer) (err error) {
	c := r.Session
	var acct *account
	if len(producers) > 0 {
		acct = newAccount()
	}
	r.streams, r.Names, err = c.openSendStreams(r.Method, producers, acct, false)
	if err != nil {
		c.release()
		return fault.NotSent(fault.LimitReached, err)
	}
	c.update(func(s *connState) {
		s.nextID++
		r.id = s.nextID
		if s.ended {
			err = fault.NotSent(fault.Unavailable, s.cause)
			return
		}
		r.Call = s.spareCall()
		r.Call.frame = notPut
		s.calls[r.id] = r.Call
	})
	if acct != nil {
		acct.add(ctx, len(r.streams), r.streams, nil)
		acct.done()
	}
	if err != nil {
		r.close()
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
		r.Message.free(0)
	}
	if r.id > 0 {
		r.close()
	}
}

// close undoes open.
func (r *Request) close() {
	r.Session.forget(r.id)
	r.Session.discard(r.streams)
	for _, s := range r.streams {
		s.settle()
	}
}

// send puts the request into the send queue, waiting under ctx for room. The streams
// among its parameters start when it has been written.
func (r *Request) Send(ctx context.Context) error {
	c := r.Session
	r.Message.Bytes = c.Format.AppendTail(r.Message.Bytes)
	size := len(r.Message.Bytes) - c.Format.FrameRoom()
	if peer := c.peerMessage(); size > peer {
		return fault.NotSent(fault.TooLarge, fmt.Errorf("rpc: %s: a request of %d bytes is over the peer's limit of %d", r.Method, size, peer))
	}
	flush, err := r.put(ctx)
	switch err {
	case nil:
		r.sent = true
		r.Message.free(size)
	case errOutboxClosed:
		<-c.Ctx.Done() // at once: see end
		err = fault.NotSent(fault.Unavailable, c.Err())
	case errOutboxMoved:
		err = fault.NotSent(fault.Unavailable, ErrDrained)
	}
	if flush {
		c.flush(true)
	}
	return err
}

func (r *Request) put(ctx context.Context) (flush bool, err error) {
	c := r.Session
	if r.Call == nil {
		return c.putNotification(ctx, r.Message)
	}
	flush, err = c.out.request(ctx, c.Ctx.Done(), r.Message, false, r.Call, r.streams)
	if err == errOutboxMoved && c.Serves(ctx) { // which is not worth a look before
		flush, err = c.out.request(ctx, c.Ctx.Done(), r.Message, true, r.Call, r.streams)
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
func Adopt(ctx context.Context, sinks []*RecvStream) {
	acct := newAccount()
	acct.add(ctx, len(sinks), nil, sinks)
	for _, k := range sinks {
		if !k.join(acct) {
			acct.done()
		}
	}
	acct.done()
}

// abandon leaves a call that nobody waits for any more.
func (c *Session) abandon(id uint64, p *OutgoingCall) {
	var open bool
	c.update(func(s *connState) {
		if _, open = s.calls[id]; open {
			p.abandoned = true
		}
	})
	if open {
		var raw [20]byte
		c.post(c.Format.AppendCancelRequest(nil, c.Format.AppendID(raw[:0], id)))
		return
	}
	<-p.done // the answer came at this very moment
	for _, k := range p.Streams {
		k.Cancel(context.Canceled)
	}
	c.Free(p)
}

// forget takes back a call that was not sent.
func (c *Session) forget(id uint64) {
	c.update(func(s *connState) {
		delete(s.calls, id)
		s.slots.release()
	})
}

// answer takes in the answer to a call of ours. The reader calls it.
func (c *Session) answer(m *wire.Message) error {
	id, ok := c.callID(m.ID)
	if !ok {
		return fmt.Errorf("an answer to nobody: id %s", Brief(m.ID))
	}
	var p *OutgoingCall
	var err error
	abandoned, ended := false, false
	c.update(func(s *connState) {
		if ended = s.ended; ended {
			return
		}
		if p = s.calls[id]; p == nil {
			return
		}
		delete(s.calls, id)
		s.slots.release()
		abandoned = p.abandoned
		p.Streams, err = c.register(s, m.Streams, wire.CallerDepth)
	})
	switch {
	case ended:
		return nil
	case p == nil:
		return fmt.Errorf("an answer to a call that is not open: id %d", id)
	case err != nil && !isLimit(err):
		p.fail(c.LostCall(err)) // the end of the connection no longer finds it
		return err
	case abandoned:
		c.cancelAll(p.Streams)
		c.Free(p)
		return nil
	}
	p.Meta = decodeMeta(c.Format, m.Meta)
	p.Deep = m.Deep
	if held, chunk := c.hold(m.Result); chunk != nil {
		p.Result, p.chunk = held, chunk
	} else {
		p.Result = append(p.Result[:0], m.Result...)
	}
	switch {
	case m.Error != nil:
		p.Err = c.receivedError(m.Error)
	case err != nil:
		p.Err = &fault.Error{Code: fault.LimitReached, Message: overStreams("caller", c.Limits.Streams, true).Error(), Ran: fault.Maybe}
	}
	p.done <- struct{}{}
	return nil
}

// receivedError makes an error of an error object. A number that is no number, and
// a word for ran that is not known, say nothing.
func (c *Session) receivedError(raw []byte) *fault.Error {
	e := &fault.Error{Received: true}
	for name, member := range c.Format.Object(raw) {
		switch name {
		case "code":
			e.Code = fault.Unknown // also where an int has no room for it
			if code, _ := c.Format.Int(member); int64(int(code)) == code {
				e.Code = int(code)
			}
		case "message":
			e.Message, _ = c.Format.String(member)
		case "data":
			e.Data = append([]byte(nil), member...)
		}
		if c.Mode != ModePlain {
			c.receivedMember(e, name, member)
		}
	}
	return e
}

// receivedMember takes in what only wirecall mode has in an error object.
func (c *Session) receivedMember(e *fault.Error, name string, raw []byte) {
	switch name {
	case "type":
		if t, _ := c.Format.String(raw); len(t) <= fault.MaxType {
			e.Type = t
		}
	case "ran":
		word, _ := c.Format.String(raw)
		e.Ran = fault.ParseRan(word)
	case "retry":
		if ms, ok := c.Format.Int(raw); ok && ms > 0 {
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
