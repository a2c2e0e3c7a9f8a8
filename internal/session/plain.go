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

// Plain mode is JSON-RPC 2.0 without extensions: a frame is one message or one batch,
// and an invalid one is answered with an error and does not end the session.

// plain receives one frame in plain mode.
func (s *Session) plain(frame []byte) {
	if isBatch(frame) {
		if b := newBatch(s, frame, s.plainReply, s.plainAnswer); b != nil {
			b.run()
		}
		return
	}
	s.plainMessage(frame, nil)
}

// isBatch reports whether a frame is a batch, by its first character.
func isBatch(frame []byte) bool {
	frame = bytes.TrimLeft(frame, " \t\r\n")
	return len(frame) > 0 && frame[0] == '['
}

// plainReply sends a single answer. The reader may call it.
func (s *Session) plainReply(msg []byte) {
	if len(msg) > 0 {
		s.post(msg)
	}
}

// plainAnswer sends the answer to a batch, for which it waits for room. The reader must
// not call it.
func (s *Session) plainAnswer(msg []byte) {
	if len(msg) == 0 {
		return
	}
	if s.HasEnded() { // then nothing makes room
		s.post(msg)
		return
	}
	if flush, err := s.queue.putAnswer(context.Background(), s.Ctx.Done(), &messageBuffer{msg}, nil); err == nil && flush {
		s.flush(true)
	}
}

// plainMessage receives one message. It calls reply exactly once, with the answer or
// with nil if there is none; if reply is nil, the answer is sent over the transport.
//
// An answer is never answered, even if it is invalid, and a client answers requests
// only: two peers that answer each other's errors would not stop.
func (s *Session) plainMessage(raw []byte, reply func([]byte)) {
	s.HasTraffic.Store(true)
	m := &s.incomingMessage
	answer := reply
	if answer == nil {
		answer = s.plainReply
	}
	switch err := s.Format.DecodePlain(raw, m); {
	case err == nil && m.Method == nil, m.Answer, err != nil && s.Client && !m.Request:
		s.plainAnswered(m, err)
		answer(nil)
	case err != nil && m.ID == nil && s.Client:
		s.reportOdd(err)
		answer(nil)
	case err != nil:
		answer(s.fault(m.ID, err.(*wire.Fault)))
	case m.ID == nil:
		s.plainNotification(m)
		answer(nil)
	default:
		s.plainRequest(m, reply, answer)
	}
}

// plainAnswered receives an answer to a call. If it is invalid, the call that it names
// fails.
func (s *Session) plainAnswered(m *wire.Message, invalid error) {
	if !s.Client { // a server makes no calls in plain mode
		return
	}
	if invalid != nil {
		s.reportOdd(invalid)
		if id, ok := s.callID(m.ID); ok {
			s.failCall(id, fault.Errorf(fault.Internal, "rpc: the server's answer is not one of JSON-RPC 2.0: %v", invalid))
		}
		return
	}
	if err := s.answer(m); err != nil {
		s.reportOdd(err)
	}
}

// failCall fails an open call as if the peer had answered with an error.
func (s *Session) failCall(id uint64, err error) {
	var call *OutgoingCall
	s.update(func(st *sessionState) {
		if call = st.calls[id]; call != nil {
			delete(st.calls, id)
			st.callLimit.release()
		}
	})
	switch {
	case call == nil:
	case call.abandoned:
		s.Recycle(call)
	default:
		call.finishWith(err)
	}
}

// reportOdd logs, once a session, that a plain server has sent an answer to no call. The
// reader calls it.
func (s *Session) reportOdd(err error) {
	if !s.loggedOdd {
		s.loggedOdd = true
		go s.Report(s.Ctx, slog.LevelWarn, "answer ignored; more of them are not logged", slog.Any("error", BriefError(err)))
	}
}

// callID decodes the id of a call in an answer. Some plain servers return it as a string
// or as a float.
func (s *Session) callID(raw []byte) (id uint64, ok bool) {
	if n, ok := s.Format.Natural(raw); ok || s.Mode != ModePlain {
		return uint64(n), ok
	}
	text, ok := s.Format.String(raw)
	if !ok {
		text = string(raw)
	}
	f, err := strconv.ParseFloat(text, 64)
	return uint64(f), err == nil && f == math.Trunc(f) && f >= 0 && f <= wire.MaxInteger
}

func (s *Session) fault(id []byte, f *wire.Fault) []byte {
	return s.Format.AppendError(nil, id, &wire.Error{Code: f.Code, Message: f.Message}, nil)
}

// plainNotification receives a notification; a failure is not answered. Unknown methods
// that begin with $/ are ignored, as in the Language Server Protocol.
func (s *Session) plainNotification(m *wire.Message) {
	switch {
	case string(m.Method) == methodCancelRequest:
		_ = s.controlMessage(m, 0)
		return
	case bytes.HasPrefix(m.Method, []byte("$/")) && s.Lookup(m.Method) == nil:
		return
	}
	if err := s.incomingNotification(m, 0); err != nil {
		s.Fail(err, transport.ClosePolicy)
	}
}

// maxWaiting bounds the waiting calls of a plain peer, to which Limits.Calls is not
// announced.
const maxWaiting = 1024

func (s *Session) plainRequest(m *wire.Message, reply, answer func([]byte)) {
	if done := s.unsubscribe(m); done != nil {
		answer(done)
		return
	}
	method := s.Lookup(m.Method)
	var in *Incoming
	var refusal *fault.Error
	s.update(func(st *sessionState) {
		if st.ended {
			return
		}
		if _, open := st.incoming[string(callKeyOf(m.ID))]; open {
			refusal = &fault.Error{Code: fault.InvalidRequest, Message: "invalid request: the id is that of a call which is not answered yet"}
			return
		}
		in, refusal = s.admit(st, 0, m, method)
	})
	switch {
	case refusal != nil:
		if s.Refused != nil {
			s.Refused(s, m.Method, refusal)
		}
		answer(s.refusal(m.ID, refusal))
	case in != nil:
		in.Reply = reply
		in.copyMessage(m, s.unansweredCalls.Load() >= int64(s.Limits.Calls))
		s.startPlain(in)
	default:
		answer(nil)
	}
}

// startPlain queues in, unless it is nil, and starts the first queued call if fewer than
// Limits.Calls run.
func (s *Session) startPlain(in *Incoming) {
	s.update(func(st *sessionState) {
		if in != nil {
			st.waitingCalls = append(st.waitingCalls, in)
		}
		in = nil
		if st.ended {
			st.waitingCalls = nil
		}
		if len(st.waitingCalls) > 0 && s.unansweredCalls.Load() < int64(s.Limits.Calls) {
			in = st.waitingCalls[0]
			st.waitingCalls = st.waitingCalls[1:]
			s.unansweredCalls.Add(1)
		}
	})
	if in != nil {
		in.begin(s.current.Load(), 0)
		s.dispatch(in)
	}
}

// A batch is a JSON-RPC batch that is being served (JSON-RPC 2.0, section 6). Its
// members run concurrently and their answers are sent together.
type batch struct {
	session *Session
	parts   [][]byte
	post    func([]byte) // sends the whole answer without blocking
	send    func([]byte) // sends the whole answer and may block

	mu         sync.Mutex
	replies    [][]byte
	size       int // bytes of the answers within BatchReplyBytes
	replyBytes int // bytes of all answers, counted in Session.buffered
	remaining  int // answers to come, and one more while run is running
}

// newBatch splits a frame into messages. If the frame is no valid batch it answers with
// an error and returns nil.
func newBatch(s *Session, frame []byte, post, send func([]byte)) *batch {
	b := &batch{session: s, post: post, send: send}
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

// refuse answers an invalid batch. A client does not: see plainMessage.
func (b *batch) refuse(f *wire.Fault) {
	if b.session.Client {
		b.session.reportOdd(f)
		return
	}
	b.post(b.session.fault(nil, f))
}

// refusal returns the answer to a batch that is too long: an error for each id in it, so
// that no caller waits for an answer. Over POST, whose response ends all calls, or if
// that answer would be too long, it is a single error.
func (b *batch) refusal() []byte {
	s := b.session
	e := &fault.Error{Code: fault.LimitReached, Message: fmt.Sprintf("the batch has %d messages, the limit is %d", len(b.parts), s.Limits.BatchMessages)}
	size := 0
	for _, raw := range b.parts {
		m := &s.incomingMessage
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
		b.session.plainMessage(raw, func(msg []byte) { b.reply(i, msg) })
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
	b.mu.Lock()
	b.size += len(msg) + 1
	if len(msg) > 0 && (b.size > b.session.Limits.BatchReplyBytes || !b.session.reserve(len(msg))) {
		b.size -= len(msg)
		msg = b.tooLarge(msg)
		b.session.buffered.Add(int64(len(msg))) // it may exceed the limit; then no new call is admitted
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
func (b *batch) release() { b.session.buffered.Add(-int64(b.replyBytes)) }

// tooLarge returns the error that replaces an answer that does not fit.
func (b *batch) tooLarge(msg []byte) []byte {
	var r struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(msg, &r)
	return b.session.refusal(r.ID, &fault.Error{Code: fault.TooLarge, Message: "the answer to the batch is over its limit"})
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
