package rpc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/wire"
)

// A pendingCall is a call of ours that has no answer yet. A caller whose
// context has ended leaves it behind: its id stays taken until the answer
// comes, so that both sides count the same calls.
type pendingCall struct {
	done chan struct{} // receives one value when the rest is set

	frame     uint64 // of the outbox that the request is in, notPut before it is in one; guarded by the outbox's mutex
	abandoned bool   // guarded by the connection's mutex
	result    []byte
	chunk     []byte // that a large result is in
	deep      bool   // see wire.Message
	streams   []*sink
	meta      map[string]string
	err       error // an answered error, or the end of the connection
}

// notPut is no frame: those come before it.
const notPut = math.MaxUint64

func (p *pendingCall) fail(err error) {
	p.err = err
	p.done <- struct{}{}
}

// spareCalls is how many pendingCalls a connection keeps for reuse. They cannot
// be shared by all in a sync.Pool: a channel belongs to the synctest bubble that
// it was made in.
const spareCalls = 64

// spare returns a pendingCall for reuse, or a new one.
func (s *connState) spareCall() *pendingCall {
	n := len(s.spare)
	if n == 0 {
		return &pendingCall{done: make(chan struct{}, 1)}
	}
	p := s.spare[n-1]
	s.spare = s.spare[:n-1]
	return p
}

// free takes p back. Nobody else may know it any more.
func (c *session) free(p *pendingCall) {
	if p.chunk != nil {
		buffers.Put(p.chunk)
		p.result = nil
	}
	*p = pendingCall{done: p.done, result: p.result[:0]}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.state.spare) < spareCalls {
		c.state.spare = append(c.state.spare, p)
	}
}

// A buffer is for a message on its way to the outbox, which copies a small one and
// keeps the bytes of a large one. Before the message it has room for a frame's head.
type buffer struct{ bytes []byte }

var messagePool = sync.Pool{New: func() any { return new(buffer) }}

// begin returns what the message is to be appended to.
func (b *buffer) begin(form wire.Format) []byte {
	return slices.Grow(b.bytes[:0], smallBuffer)[:form.FrameRoom()]
}

const smallBuffer = 256

// free takes b back, which was used for a message of n bytes. Where they are gone
// the next will find as many.
func (b *buffer) free(n int) {
	switch {
	case b.bytes == nil && n <= 2*frameSize:
		b.bytes = buffers.Get(n)
	case cap(b.bytes) > 2*frameSize:
		buffers.Put(b.bytes)
		b.bytes = nil
	}
	messagePool.Put(b)
}

// roundTrip makes a call and waits for its answer.
func (c *session) roundTrip(ctx context.Context, call *Call) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.mode != modeWirecall && (!c.client || call.sends() || call.receives()) {
		return errNeedsWirecall
	}
	if call.Method.Notify {
		return c.notify(ctx, call)
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	id, p, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return c.answered(ctx, call, p)
	case <-ctx.Done():
		c.abandon(id, p)
		return context.Cause(ctx)
	}
}

// request sends the call. Its parameters' streams start when it has been written.
func (c *session) request(ctx context.Context, call *Call) (id uint64, p *pendingCall, err error) {
	params := call.params()
	var acct *account
	streams := params.streams()
	if len(streams) > 0 {
		acct = newAccount()
	}
	sources, names, err := c.openSendStreams(call.Method.Name, pumpsOf(streams), acct, false)
	if err != nil {
		c.release()
		return 0, nil, notSent(CodeLimitReached, err)
	}
	c.update(func(s *connState) {
		s.nextID++
		id = s.nextID
		if s.ended {
			err = notSent(CodeUnavailable, s.cause)
			return
		}
		p = s.spareCall()
		p.frame = notPut
		s.calls[id] = p
	})
	sent := false
	defer func(id uint64) { // also where the parameters' own code panics
		if !sent {
			c.forget(id)
			c.discard(sources)
			for _, s := range sources {
				s.settle()
			}
		}
	}(id)
	if acct != nil {
		acct.add(ctx, len(sources), sources, nil)
		acct.done()
	}
	if err == nil {
		err = c.sendRequest(ctx, id, call, &params, p, sources, names)
	}
	if err != nil {
		return 0, nil, err
	}
	sent = true
	return id, p, nil
}

// sendRequest encodes a request, or with id 0 a notification, and puts it into
// the outbox.
func (c *session) sendRequest(ctx context.Context, id uint64, call *Call, params *payload, p *pendingCall, sources []*sendStream, names [][]byte) error {
	buf := messagePool.Get().(*buffer)
	head := wire.Head{Method: call.Method.Name, Body: call.Params != nil}
	var raw [20]byte
	if id > 0 {
		head.ID = c.form.AppendID(raw[:0], id)
	}
	if c.mode == modeWirecall { // strict JSON-RPC servers refuse other members
		head.Meta = sentMetadata(ctx)
		if id > 0 {
			head.Timeout = timeLeft(ctx)
		}
	}
	for _, s := range sources {
		head.Streams = append(head.Streams, s.handle)
	}
	msg := c.form.AppendRequest(buf.begin(c.form), &head)
	if call.Params != nil {
		enc := encoder{c.form, c.codec, names, wire.CalleeDepth}
		if params.record == nil {
			enc.depth++ // it is the array or object around the values
		}
		var err error
		from := len(msg)
		if msg, err = enc.append(msg, params); err != nil {
			return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: the parameters cannot be encoded: %w", call.Method.Name, err))
		}
		if k := c.form.Kind(msg[from:]); k != wire.Object && k != wire.Array && k != wire.Null {
			return notSent(CodeInvalidParams, fmt.Errorf("rpc: %s: parameters must be an object or an array, not a bare %T", call.Method.Name, call.Params))
		}
	}
	buf.bytes = c.form.AppendTail(msg)
	size := len(buf.bytes) - c.form.FrameRoom()
	defer buf.free(size)
	if peer := c.peerMessage(); size > peer {
		return notSent(CodeTooLarge, fmt.Errorf("rpc: %s: a request of %d bytes is over the peer's limit of %d", call.Method.Name, size, peer))
	}
	flush, err := c.put(ctx, buf, p, sources)
	switch err {
	case errOutboxClosed:
		<-c.ctx.Done() // at once: see end
		err = notSent(CodeUnavailable, c.err())
	case errOutboxMoved:
		err = notSent(CodeUnavailable, errDrained)
	}
	if flush {
		c.flush(true)
	}
	return err
}

// put puts the request of p, or where that is nil a notification, into the outbox.
func (c *session) put(ctx context.Context, buf *buffer, p *pendingCall, sources []*sendStream) (flush bool, err error) {
	if p == nil {
		return c.putNotification(ctx, buf)
	}
	flush, err = c.out.request(ctx, c.ctx.Done(), buf, false, p, sources)
	if err == errOutboxMoved && c.serves(ctx) { // which is not worth a look before
		flush, err = c.out.request(ctx, c.ctx.Done(), buf, true, p, sources)
	}
	return flush, err
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

// answered stores what the answer to a call carries.
func (c *session) answered(ctx context.Context, call *Call, p *pendingCall) error {
	defer c.free(p)
	if r, ok := ctx.Value(responseKey{}).(*responseMetadata); ok && p.meta != nil {
		r.add(p.meta)
	}
	unclaimed := p.streams
	defer func() { // also where the result's own code panics
		for _, k := range unclaimed {
			k.cancel(context.Canceled)
		}
	}()
	err := recognize(p.err)
	if err == nil {
		unclaimed, err = c.result(ctx, call, p)
	}
	return err
}

func (c *session) result(ctx context.Context, call *Call, p *pendingCall) (unclaimed []*sink, err error) {
	if call.Result == nil {
		return p.streams, nil
	}
	dec := decoder{form: c.form, codec: c.codec, sinks: p.streams}
	result := call.result()
	err = c.checkResult(p, &result)
	if err == nil {
		result.reset()
		err = dec.decode(p.result, &result)
	}
	if err != nil {
		return p.streams, &Error{Code: CodeInternal, cause: err,
			Message: fmt.Sprintf("rpc: %s: the result cannot be decoded: %v", call.Method.Name, err)}
	}
	if len(dec.claimed) > 0 {
		c.forgetLost()
		adopt(ctx, dec.claimed)
	}
	return dec.sinks, nil
}

// checkResult looks at how deep a result nests where it may be too deep.
func (c *session) checkResult(p *pendingCall, result *payload) error {
	if !p.deep {
		return nil
	}
	depth := wire.CallerDepth
	if result.record != nil {
		depth++
	}
	if c.form.Check(p.result, depth) != nil {
		return fmt.Errorf("nested deeper than %d", wire.CallerDepth)
	}
	return nil
}

// adopt puts result streams, whose items may have come already, under ctx.
func adopt(ctx context.Context, sinks []*sink) {
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
func (c *session) abandon(id uint64, p *pendingCall) {
	var open bool
	c.update(func(s *connState) {
		if _, open = s.calls[id]; open {
			p.abandoned = true
		}
	})
	if open {
		var raw [20]byte
		c.post(c.form.AppendCancelRequest(nil, c.form.AppendID(raw[:0], id)))
		return
	}
	<-p.done // the answer came at this very moment
	for _, k := range p.streams {
		k.cancel(context.Canceled)
	}
	c.free(p)
}

// forget takes back a call that was not sent.
func (c *session) forget(id uint64) {
	c.update(func(s *connState) {
		delete(s.calls, id)
		s.slots.release()
	})
}

// answer takes in the answer to a call of ours. The reader calls it.
func (c *session) answer(m *wire.Message) error {
	id, ok := c.callID(m.ID)
	if !ok {
		return fmt.Errorf("an answer to nobody: id %s", brief(m.ID))
	}
	var p *pendingCall
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
		p.streams, err = c.register(s, m.Streams, wire.CallerDepth)
	})
	switch {
	case ended:
		return nil
	case p == nil:
		return fmt.Errorf("an answer to a call that is not open: id %d", id)
	case err != nil && !isLimit(err):
		p.fail(c.lostCall(err)) // the end of the connection no longer finds it
		return err
	case abandoned:
		c.cancelAll(p.streams)
		c.free(p)
		return nil
	}
	p.meta = decodeMeta(c.form, m.Meta)
	p.deep = m.Deep
	if held, chunk := c.hold(m.Result); chunk != nil {
		p.result, p.chunk = held, chunk
	} else {
		p.result = append(p.result[:0], m.Result...)
	}
	switch {
	case m.Error != nil:
		p.err = c.receivedError(m.Error)
	case err != nil:
		p.err = &Error{Code: CodeLimitReached, Message: overStreams("caller", c.limits.Streams, true).Error(), ran: ranMaybe}
	}
	p.done <- struct{}{}
	return nil
}

// receivedError makes an Error of an error object. A number that is no number, and
// a word for ran that is not known, say nothing.
func (c *session) receivedError(raw []byte) *Error {
	e := &Error{came: true}
	for name, member := range c.form.Object(raw) {
		switch name {
		case "code":
			e.Code = CodeUnknown // also where an int has no room for it
			if code, _ := c.form.Int(member); int64(int(code)) == code {
				e.Code = Code(code)
			}
		case "message":
			e.Message, _ = c.form.String(member)
		case "data":
			e.data = errorData{raw: append([]byte(nil), member...), codec: c.codec}
		}
		if c.mode != modePlain {
			c.receivedMember(e, name, member)
		}
	}
	return e
}

// receivedMember takes in what only wirecall mode has in an error object.
func (c *session) receivedMember(e *Error, name string, raw []byte) {
	switch name {
	case "ran":
		if word, _ := c.form.String(raw); word == ranNo.String() {
			e.ran = ranNo
		} else {
			e.ran = ranMaybe
		}
	case "retry":
		if ms, ok := c.form.Int(raw); ok && ms > 0 {
			e.Retry = time.Duration(min(ms, maxRetry.Milliseconds())) * time.Millisecond
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
