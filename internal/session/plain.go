package session

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"sync"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// Plain mode is JSON-RPC 2.0 and nothing else: one message or one batch a
// frame, and what is wrong with it is answered and not held against the peer.

// plain takes in one frame in plain mode.
func (c *Session) plain(frame []byte) {
	if isBatch(frame) {
		if b := newBatch(c, frame, c.plainReply, c.plainAnswer); b != nil {
			b.run()
		}
		return
	}
	c.plainMessage(frame, nil)
}

// isBatch reports whether a frame is a batch: its first character says so.
func isBatch(frame []byte) bool {
	frame = bytes.TrimLeft(frame, " \t\r\n")
	return len(frame) > 0 && frame[0] == '['
}

// plainReply sends an answer on its own. The reader may call it.
func (c *Session) plainReply(msg []byte) {
	if len(msg) > 0 {
		c.post(msg)
	}
}

// plainAnswer sends the answer to a batch, having waited for room as that to a
// single call does. The reader must not call it.
func (c *Session) plainAnswer(msg []byte) {
	if len(msg) == 0 {
		return
	}
	if c.HasEnded() { // or it could wait for ever
		c.post(msg)
		return
	}
	if flush, err := c.out.send(context.Background(), c.Ctx.Done(), &buffer{msg}, nil); err == nil && flush {
		c.flush(true)
	}
}

// plainMessage takes in one message. reply gets the answer, exactly once and
// empty where there is none; a nil reply is the connection.
//
// Answers are never answered, whatever is wrong with them, nor does a client answer
// what is no request: two programs that do could go on for ever.
func (c *Session) plainMessage(raw []byte, reply func([]byte)) {
	c.Carried.Store(true)
	m := &c.incomingMessage
	answer := reply
	if answer == nil {
		answer = c.plainReply
	}
	switch err := c.Format.DecodePlain(raw, m); {
	case err == nil && m.Method == nil, m.Answer, err != nil && c.Client && !m.Request:
		c.plainAnswered(m, err)
		answer(nil)
	case err != nil && m.ID == nil && c.Client:
		c.reportOdd(err)
		answer(nil)
	case err != nil:
		answer(c.fault(m.ID, err.(*wire.Fault)))
	case m.ID == nil:
		c.plainNotification(m)
		answer(nil)
	default:
		c.plainRequest(m, reply, answer)
	}
}

// plainAnswered takes in the answer to a call of ours. One that cannot be
// understood, as invalid says, ends the call that it names.
func (c *Session) plainAnswered(m *wire.Message, invalid error) {
	if !c.Client { // nobody here asks
		return
	}
	if invalid != nil {
		c.reportOdd(invalid)
		if id, ok := c.callID(m.ID); ok {
			c.failCall(id, fault.Errorf(fault.Internal, "rpc: the server's answer is not one of JSON-RPC 2.0: %v", invalid))
		}
		return
	}
	if err := c.answer(m); err != nil {
		c.reportOdd(err)
	}
}

// failCall ends a call of ours, if it is open, as if the peer had answered it.
func (c *Session) failCall(id uint64, err error) {
	var p *OutgoingCall
	c.update(func(s *connState) {
		if p = s.calls[id]; p != nil {
			delete(s.calls, id)
			s.slots.release()
		}
	})
	switch {
	case p == nil:
	case p.abandoned:
		c.Free(p)
	default:
		p.fail(err)
	}
}

// reportOdd logs, once a connection, that a plain server has sent what cannot be
// matched to anything. The reader calls it.
func (c *Session) reportOdd(err error) {
	if !c.odd {
		c.odd = true
		go c.Report(c.Ctx, slog.LevelWarn, "answer ignored; more of them are not logged", slog.Any("error", BriefError(err)))
	}
}

// callID is the id of a call of ours in an answer. Some plain servers give it back
// as text or as a float.
func (c *Session) callID(raw []byte) (id uint64, ok bool) {
	if n, ok := c.Format.Natural(raw); ok || c.Mode != ModePlain {
		return uint64(n), ok
	}
	text, ok := c.Format.String(raw)
	if !ok {
		text = string(raw)
	}
	f, err := strconv.ParseFloat(text, 64)
	return uint64(f), err == nil && f == math.Trunc(f) && f >= 0 && f <= wire.MaxInteger
}

func (c *Session) fault(id []byte, f *wire.Fault) []byte {
	return c.Format.AppendError(nil, id, &wire.Error{Code: f.Code, Message: f.Message}, nil)
}

// plainNotification runs what is to be run; a failure is not answered. Names that
// begin with $/ may be ignored, as the Language Server Protocol has it.
func (c *Session) plainNotification(m *wire.Message) {
	switch {
	case string(m.Method) == methodCancelRequest:
		_ = c.controlMessage(m, 0)
		return
	case bytes.HasPrefix(m.Method, []byte("$/")) && c.Lookup(m.Method) == nil:
		return
	}
	if err := c.incomingNotification(m, 0); err != nil {
		c.Fail(err, transport.ClosePolicy)
	}
}

// maxWaiting is how many calls of a plain peer, which knows no limit of calls, may
// wait for their turn.
const maxWaiting = 1024

func (c *Session) plainRequest(m *wire.Message, reply, answer func([]byte)) {
	if done := c.unsubscribe(m); done != nil {
		answer(done)
		return
	}
	method := c.Lookup(m.Method)
	var in *Incoming
	var refusal *fault.Error
	c.update(func(s *connState) {
		if s.ended {
			return
		}
		if _, open := s.incoming[string(callKeyOf(m.ID))]; open {
			refusal = &fault.Error{Code: fault.InvalidRequest, Message: "invalid request: the id is that of a call which is not answered yet"}
			return
		}
		in, refusal = c.admit(s, 0, m, method)
	})
	switch {
	case refusal != nil:
		if c.Refused != nil {
			c.Refused(c, m.Method, refusal)
		}
		answer(c.refusal(m.ID, refusal))
	case in != nil:
		in.Reply = reply
		in.keep(m, c.unanswered.Load() >= int64(c.Limits.Calls))
		c.startPlain(in)
	default:
		answer(nil)
	}
}

// startPlain starts in, or has it wait where as many calls run as may. Where in is
// nil it starts one that waits.
func (c *Session) startPlain(in *Incoming) {
	c.update(func(s *connState) {
		if in != nil {
			s.waiting = append(s.waiting, in)
		}
		in = nil
		if s.ended {
			s.waiting = nil
		}
		if len(s.waiting) > 0 && c.unanswered.Load() < int64(c.Limits.Calls) {
			in = s.waiting[0]
			s.waiting = s.waiting[1:]
			c.unanswered.Add(1)
		}
	})
	if in != nil {
		in.begin(c.current.Load(), 0)
		c.dispatch(in)
	}
}

// A messageBatch is a JSON-RPC batch on its way through: JSON-RPC 2.0, section
// 6. Its members run at once and their answers leave together.
type messageBatch struct {
	c     *Session
	parts [][]byte
	post  func([]byte) // sends the whole answer from the reader
	send  func([]byte) // and from a worker, which may wait

	mu      sync.Mutex
	replies [][]byte
	size    int // of those that fit
	held    int // of all: it counts as buffered
	left    int // answers to come, and the reader while it runs the parts
}

// newBatch splits a frame. Where it is no batch it sends what is wrong with it
// and returns nil.
func newBatch(c *Session, frame []byte, post, send func([]byte)) *messageBatch {
	b := &messageBatch{c: c, post: post, send: send}
	if c.Format.Check(frame, wire.MaxDepth+1) != nil { // the messages in it are within MaxDepth
		b.refuse(&wire.Fault{Code: fault.Parse, Message: "parse error: the batch is not valid JSON"})
		return nil
	}
	for raw := range c.Format.Array(frame) {
		b.parts = append(b.parts, raw)
	}
	if len(b.parts) > c.Limits.BatchMessages {
		post(b.refusal())
		return nil
	}
	if len(b.parts) == 0 {
		b.refuse(&wire.Fault{Code: fault.InvalidRequest, Message: "invalid request: an empty batch"})
		return nil
	}
	b.replies = make([][]byte, len(b.parts))
	b.left = len(b.parts) + 1
	return b
}

// refuse answers a batch that is none. A client does not: see plainMessage.
func (b *messageBatch) refuse(f *wire.Fault) {
	if b.c.Client {
		b.c.reportOdd(f)
		return
	}
	b.post(b.c.fault(nil, f))
}

// refusal is the answer to a batch that is too long: an error for each id in it, so
// that nobody waits for an answer. Over POST, where the answer as a whole says it,
// and where even that would be too long, it is one error.
func (b *messageBatch) refusal() []byte {
	c := b.c
	e := &fault.Error{Code: fault.LimitReached, Message: fmt.Sprintf("the batch has %d messages, the limit is %d", len(b.parts), c.Limits.BatchMessages)}
	size := 0
	for _, raw := range b.parts {
		m := &c.incomingMessage
		if err := c.Format.DecodePlain(raw, m); m.ID == nil || m.Answer || err == nil && m.Method == nil {
			continue
		}
		msg := c.refusal(m.ID, e)
		if size += len(msg) + 1; size > c.Limits.BatchReplyBytes || c.transport == (NoTransport{}) {
			return c.refusal(nil, e)
		}
		b.replies = append(b.replies, msg)
	}
	return b.join()
}

func (b *messageBatch) run() {
	for i, raw := range b.parts {
		b.c.plainMessage(raw, func(msg []byte) { b.reply(i, msg) })
	}
	if b.last() {
		b.post(b.join())
		b.release()
	}
}

// last takes one off what is left and reports whether it was the last, who sends
// the answer.
func (b *messageBatch) last() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
	return b.left == 0
}

// reply notes one answer.
func (b *messageBatch) reply(i int, msg []byte) {
	b.mu.Lock()
	b.size += len(msg) + 1
	if len(msg) > 0 && (b.size > b.c.Limits.BatchReplyBytes || !b.c.reserve(len(msg))) {
		b.size -= len(msg)
		msg = b.tooLarge(msg)
		b.c.buffered.Add(int64(len(msg))) // over the limit perhaps: then no call is taken on
	}
	b.held += len(msg)
	b.replies[i] = bytes.Clone(msg)
	b.mu.Unlock()
	if b.last() {
		b.send(b.join())
		b.release()
	}
}

// release is for when the answer is on its way.
func (b *messageBatch) release() { b.c.buffered.Add(-int64(b.held)) }

// tooLarge replaces an answer that does not fit.
func (b *messageBatch) tooLarge(msg []byte) []byte {
	var r struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(msg, &r)
	return b.c.refusal(r.ID, &fault.Error{Code: fault.TooLarge, Message: "the answer to the batch is over its limit"})
}

// join is the whole answer; empty where there were only notifications.
func (b *messageBatch) join() []byte {
	var out []byte
	for _, r := range b.replies {
		if len(r) == 0 {
			continue
		}
		out = append(append(out, ','), r...)
	}
	if out == nil {
		return nil
	}
	out[0] = '['
	return append(out, ']')
}
