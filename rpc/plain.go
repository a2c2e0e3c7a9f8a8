package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"github.com/wirecall/wirecall/internal/wire"
)

// Plain mode is JSON-RPC 2.0 and nothing else: one message or one batch a
// frame, and what is wrong with it is answered and not held against the peer.

// chooseMode looks at the first line that a server gets on a raw transport.
func (c *session) chooseMode(frame []byte) {
	if c.beginsWirecall(frame) {
		c.mode = modeWirecall
		c.message.Store(floorMessage)
		return
	}
	c.mode = modePlain
	if c.handshake != nil {
		c.handshake.Stop()
	}
}

// beginsWirecall reports whether the first line that a server gets belongs to
// wirecall mode.
func (c *session) beginsWirecall(frame []byte) bool {
	m := &c.incomingMessage
	return c.form.Decode(frame, m) == nil && m.ID != nil && (string(m.Method) == methodHello || string(m.Method) == methodResume)
}

// plain takes in one frame in plain mode.
func (c *session) plain(frame []byte) {
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
func (c *session) plainReply(msg []byte) {
	if len(msg) > 0 {
		c.post(msg)
	}
}

// plainAnswer sends the answer to a batch, having waited for room as that to a
// single call does. The reader must not call it.
func (c *session) plainAnswer(msg []byte) {
	if len(msg) == 0 {
		return
	}
	if flush, err := c.out.send(context.Background(), c.ctx.Done(), &buffer{msg}, nil); err == nil && flush {
		c.flush(true)
	}
}

// plainMessage takes in one message. reply gets the answer, exactly once and
// empty where there is none; a nil reply is the connection.
func (c *session) plainMessage(raw []byte, reply func([]byte)) {
	m := &c.incomingMessage
	answer := reply
	if answer == nil {
		answer = c.plainReply
	}
	switch err := c.form.Decode(raw, m); {
	case err != nil:
		answer(c.fault(m.ID, err.(*wire.Fault)))
	case m.Method == nil && c.client && c.link != nil:
		if err := c.answer(m); err != nil {
			go c.report(c.ctx, slog.LevelWarn, "answer ignored", slog.Any("error", err))
		}
		answer(nil)
	case m.Method == nil: // an answer, though nobody here asks
		answer(nil)
	case m.ID == nil:
		c.plainNotification(m)
		answer(nil)
	default:
		c.plainRequest(m, reply, answer)
	}
}

func (c *session) fault(id []byte, f *wire.Fault) []byte {
	return c.form.AppendError(nil, id, &wire.Error{Code: f.Code, Message: f.Message}, nil)
}

// plainNotification runs what needs to be run; nobody is told of a failure.
func (c *session) plainNotification(m *wire.Message) {
	if string(m.Method) == methodCancelRequest {
		_ = c.controlMessage(m, 0)
		return
	}
	if err := c.incomingNotification(m); err != nil {
		c.fail(err, closePolicy)
	}
}

func (c *session) plainRequest(m *wire.Message, reply, answer func([]byte)) {
	if done := c.unsubscribe(m); done != nil {
		answer(done)
		return
	}
	method := c.methods.lookup(m.Method)
	var in *incoming
	var refusal *Error
	c.update(func(s *connState) {
		if s.ended {
			return
		}
		if _, open := s.incoming[string(m.ID)]; open {
			refusal = &Error{Code: CodeInvalidRequest, Message: "invalid request: the id is that of a call which is not answered yet"}
			return
		}
		in, refusal = c.admit(s, m, method)
	})
	switch {
	case refusal != nil:
		answer(c.refusal(m.ID, refusal))
	case in != nil:
		in.reply = reply
		c.accept(in, m)
	default:
		answer(nil)
	}
}

// A messageBatch is a JSON-RPC batch on its way through: JSON-RPC 2.0, section
// 6. Its members run at once and their answers leave together.
type messageBatch struct {
	c     *session
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
func newBatch(c *session, frame []byte, post, send func([]byte)) *messageBatch {
	b := &messageBatch{c: c, post: post, send: send}
	if c.form.Check(frame, wire.MaxDepth+1) != nil { // the messages in it are within MaxDepth
		post(c.fault(nil, &wire.Fault{Code: CodeParse, Message: "parse error: the batch is not valid JSON"}))
		return nil
	}
	for raw := range c.form.Array(frame) {
		b.parts = append(b.parts, raw)
		if len(b.parts) > c.limits.Batch {
			post(c.fault(nil, &wire.Fault{Code: CodeLimitReached, Message: "the batch has too many messages"}))
			return nil
		}
	}
	if len(b.parts) == 0 {
		post(c.fault(nil, &wire.Fault{Code: CodeInvalidRequest, Message: "invalid request: an empty batch"}))
		return nil
	}
	b.replies = make([][]byte, len(b.parts))
	b.left = len(b.parts) + 1
	return b
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
	if len(msg) > 0 && (b.size > b.c.limits.Reply || !b.c.reserve(len(msg))) {
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
	return b.c.refusal(r.ID, &Error{Code: CodeTooLarge, Message: "the answer to the batch is over its limit"})
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
