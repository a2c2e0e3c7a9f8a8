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
func (s *Session) plain(frame []byte) {
	if isBatch(frame) {
		if b := newBatch(s, frame, s.plainReply, s.plainAnswer); b != nil {
			b.run()
		}
		return
	}
	s.plainMessage(frame, nil)
}

// isBatch reports whether a frame is a batch: its first character says so.
func isBatch(frame []byte) bool {
	frame = bytes.TrimLeft(frame, " \t\r\n")
	return len(frame) > 0 && frame[0] == '['
}

// plainReply sends an answer on its own. The reader may call it.
func (s *Session) plainReply(msg []byte) {
	if len(msg) > 0 {
		s.post(msg)
	}
}

// plainAnswer sends the answer to a batch, having waited for room as that to a
// single call does. The reader must not call it.
func (s *Session) plainAnswer(msg []byte) {
	if len(msg) == 0 {
		return
	}
	if s.HasEnded() { // or it could wait for ever
		s.post(msg)
		return
	}
	if flush, err := s.queue.putAnswer(context.Background(), s.Ctx.Done(), &messageBuffer{msg}, nil); err == nil && flush {
		s.flush(true)
	}
}

// plainMessage takes in one message. reply gets the answer, exactly once and
// empty where there is none; a nil reply is the connection.
//
// Answers are never answered, whatever is wrong with them, nor does a client answer
// what is no request: two programs that do could go on for ever.
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

// plainAnswered takes in the answer to a call of ours. One that cannot be
// understood, as invalid says, ends the call that it names.
func (s *Session) plainAnswered(m *wire.Message, invalid error) {
	if !s.Client { // nobody here asks
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

// failCall ends a call of ours, if it is open, as if the peer had answered it.
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

// reportOdd logs, once a connection, that a plain server has sent what cannot be
// matched to anything. The reader calls it.
func (s *Session) reportOdd(err error) {
	if !s.loggedOdd {
		s.loggedOdd = true
		go s.Report(s.Ctx, slog.LevelWarn, "answer ignored; more of them are not logged", slog.Any("error", BriefError(err)))
	}
}

// callID is the id of a call of ours in an answer. Some plain servers give it back
// as text or as a float.
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

// plainNotification runs what is to be run; a failure is not answered. Names that
// begin with $/ may be ignored, as the Language Server Protocol has it.
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

// maxWaiting is how many calls of a plain peer, which knows no limit of calls, may
// wait for their turn.
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

// startPlain starts in, or has it wait where as many calls run as may. Where in is
// nil it starts one that waits.
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

// A messageBatch is a JSON-RPC batch on its way through: JSON-RPC 2.0, section
// 6. Its members run at once and their answers leave together.
type batch struct {
	session *Session
	parts   [][]byte
	post    func([]byte) // sends the whole answer from the reader
	send    func([]byte) // and from a worker, which may wait

	mu         sync.Mutex
	replies    [][]byte
	size       int // of those that fit
	replyBytes int // of all: it counts as buffered
	remaining  int // answers to come, and the reader while it runs the parts
}

// newBatch splits a frame. Where it is no batch it sends what is wrong with it
// and returns nil.
func newBatch(s *Session, frame []byte, post, send func([]byte)) *batch {
	b := &batch{session: s, post: post, send: send}
	if s.Format.Check(frame, wire.MaxDepth+1) != nil { // the messages in it are within MaxDepth
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

// refuse answers a batch that is none. A client does not: see plainMessage.
func (b *batch) refuse(f *wire.Fault) {
	if b.session.Client {
		b.session.reportOdd(f)
		return
	}
	b.post(b.session.fault(nil, f))
}

// refusal is the answer to a batch that is too long: an error for each id in it, so
// that nobody waits for an answer. Over POST, where the answer as a whole says it,
// and where even that would be too long, it is one error.
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

// last takes one off what is left and reports whether it was the last, who sends
// the answer.
func (b *batch) finishOne() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remaining--
	return b.remaining == 0
}

// reply notes one answer.
func (b *batch) reply(i int, msg []byte) {
	b.mu.Lock()
	b.size += len(msg) + 1
	if len(msg) > 0 && (b.size > b.session.Limits.BatchReplyBytes || !b.session.reserve(len(msg))) {
		b.size -= len(msg)
		msg = b.tooLarge(msg)
		b.session.buffered.Add(int64(len(msg))) // over the limit perhaps: then no call is taken on
	}
	b.replyBytes += len(msg)
	b.replies[i] = bytes.Clone(msg)
	b.mu.Unlock()
	if b.finishOne() {
		b.send(b.join())
		b.release()
	}
}

// release is for when the answer is on its way.
func (b *batch) release() { b.session.buffered.Add(-int64(b.replyBytes)) }

// tooLarge replaces an answer that does not fit.
func (b *batch) tooLarge(msg []byte) []byte {
	var r struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(msg, &r)
	return b.session.refusal(r.ID, &fault.Error{Code: fault.TooLarge, Message: "the answer to the batch is over its limit"})
}

// join is the whole answer; empty where there were only notifications.
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
