package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A batch is a JSON-RPC batch that is being served (JSON-RPC 2.0, section 6). Its
// members run concurrently and their answers are sent together.
type batch struct {
	plain *plain
	parts [][]byte
	post  func([]byte) // sends the whole answer without blocking
	send  func([]byte) // sends the whole answer and may block

	mu         sync.Mutex
	replies    [][]byte
	size       int // bytes of the answers within BatchReplyBytes
	replyBytes int // bytes of all answers, counted in Session.buffered
	remaining  int // answers to come, and one more while run is running
}

// newBatch splits a frame into messages. If the frame is no valid batch it answers with
// an error and returns nil.
func newBatch(p *plain, frame []byte, post, send func([]byte)) *batch {
	s := p.session
	b := &batch{plain: p, post: post, send: send}
	if s.Format.Check(frame, wire.MaxDepth+1) != nil { // each message is within MaxDepth
		b.refuse(&wire.Fault{Code: fault.Parse, Message: "parse error: the batch is not valid JSON"})
		return nil
	}
	for raw := range s.Format.Array(frame) {
		b.parts = append(b.parts, raw)
	}
	if len(b.parts) > s.Limits.BatchMessages {
		post(b.refusal())
		return nil
	}
	if len(b.parts) == 0 {
		b.refuse(&wire.Fault{Code: fault.InvalidRequest, Message: "invalid request: an empty batch"})
		return nil
	}
	b.replies = make([][]byte, len(b.parts))
	b.remaining = len(b.parts) + 1
	return b
}

// refuse answers an invalid batch. A client does not: see plain.message.
func (b *batch) refuse(f *wire.Fault) {
	if b.plain.session.Client {
		b.plain.reportOdd(f)
		return
	}
	b.post(b.plain.fault(nil, f))
}

// refusal returns the answer to a batch that is too long: an error for each id in it, so
// that no caller waits for an answer. Over POST, whose response ends all calls, or if
// that answer would be too long, it is a single error.
func (b *batch) refusal() []byte {
	s := b.plain.session
	e := &fault.Error{Code: fault.LimitReached, Message: fmt.Sprintf("the batch has %d messages, the limit is %d", len(b.parts), s.Limits.BatchMessages)}
	size := 0
	for _, raw := range b.parts {
		m := new(wire.Message)
		if err := s.Format.DecodePlain(raw, m); m.ID == nil || m.Answer || err == nil && m.Method == nil {
			continue
		}
		msg := s.refusal(m.ID, e)
		if size += len(msg) + 1; size > s.Limits.BatchReplyBytes || s.transport == (NoTransport{}) {
			return s.refusal(nil, e)
		}
		b.replies = append(b.replies, msg)
	}
	return b.join()
}

func (b *batch) run() {
	for i, raw := range b.parts {
		b.plain.message(raw, func(msg []byte) { b.reply(i, msg) })
	}
	if b.finishOne() {
		b.post(b.join())
		b.release()
	}
}

// finishOne counts one answer, or the end of run, and reports whether nothing remains,
// so that the caller must send the whole answer.
func (b *batch) finishOne() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remaining--
	return b.remaining == 0
}

// reply stores the answer to the i-th message.
func (b *batch) reply(i int, msg []byte) {
	s := b.plain.session
	b.mu.Lock()
	b.size += len(msg) + 1
	if len(msg) > 0 && (b.size > s.Limits.BatchReplyBytes || !s.reserve(len(msg))) {
		b.size -= len(msg)
		msg = b.tooLarge(msg)
		s.buffered.Add(int64(len(msg))) // it may exceed the limit; then no new call is admitted
	}
	b.replyBytes += len(msg)
	b.replies[i] = bytes.Clone(msg)
	b.mu.Unlock()
	if b.finishOne() {
		b.send(b.join())
		b.release()
	}
}

// release must be called when the answer has been sent.
func (b *batch) release() { b.plain.session.buffered.Add(-int64(b.replyBytes)) }

// tooLarge returns the error that replaces an answer that does not fit.
func (b *batch) tooLarge(msg []byte) []byte {
	var r struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(msg, &r)
	return b.plain.session.refusal(r.ID, &fault.Error{Code: fault.TooLarge, Message: "the answer to the batch is over its limit"})
}

// join returns the whole answer, nil if there were only notifications.
func (b *batch) join() []byte {
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
