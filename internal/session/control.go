package session

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// The control notifications of wirecall mode, and the requests that the runtime answers
// itself.
const (
	methodItems         = "$/items"
	methodEnd           = "$/end"
	methodCredit        = "$/credit"
	methodCancel        = "$/cancel"
	methodCancelRequest = "$/cancelRequest"
	methodPing          = "$/ping"
	methodPong          = "$/pong"
	methodGoaway        = "$/goaway"
	methodMoved         = "$/moved"
	methodAck           = "$/ack"
	methodClose         = "$/close"

	methodHello       = "rpc.hello"
	methodResume      = "rpc.resume"
	methodUnsubscribe = "rpc.unsubscribe"
)

// frame receives one frame in wirecall mode. It returns an error if the peer has
// violated the protocol: the session ends, since the message lost may have been the
// answer to any call.
func (s *Session) frame(frame []byte) error {
	n := 0
	for msg, err := range s.Format.Split(frame) {
		if err != nil {
			return err
		}
		if len(msg) > s.Limits.MessageBytes {
			return fmt.Errorf("a message of %d bytes is over the limit of %d", len(msg), s.Limits.MessageBytes)
		}
		m := &s.incomingMessage
		s.aloneInFrame = s.Format.FrameSize(len(msg)) >= len(frame)
		if err := s.Format.Decode(msg, m); err != nil {
			return err
		}
		if err := s.dispatchMessage(m, len(msg), n); err != nil {
			return err
		}
		n++
	}
	s.aloneInFrame = false
	if n == 0 {
		return errors.New("an empty frame")
	}
	return nil
}

// retain returns raw, a part of the message being received, in a pooled buffer that
// outlives the frame, and that the caller must return to the pool: the frame's own
// buffer if the message fills it, otherwise a copy. If raw is small, buffer is nil. The
// message must not be used once another goroutine can return the buffer.
func (s *Session) retain(raw []byte) (held, buffer []byte) {
	if len(raw) < largeMessage {
		return nil, nil
	}
	if s.aloneInFrame {
		if b := s.transport.TakeBuffer(4 * len(raw)); b != nil {
			return raw, b
		}
	}
	b := append(buffers.Get(len(raw)), raw...)
	return b, b
}

func (s *Session) dispatchMessage(m *wire.Message, size, n int) error {
	if !s.HasTraffic.Load() && (!bytes.HasPrefix(m.Method, []byte("$/")) || string(m.Method) == methodItems) {
		s.HasTraffic.Store(true)
	}
	if r := s.resumption.Load(); r != nil && elicitsAck(m.Method) {
		r.ackEliciting = true
	}
	switch {
	case m.Method == nil:
		return s.answer(m)
	case m.ID == nil && bytes.HasPrefix(m.Method, []byte("$/")):
		return s.controlMessage(m, n)
	case m.ID == nil:
		return s.incomingNotification(m, size)
	}
	id, ok := s.Format.Natural(m.ID)
	if !ok {
		return fmt.Errorf("request id %s is not an integer from 0 to 2^53-1", Brief(m.ID))
	}
	return s.incomingRequest(id, m)
}

// elicitsAck reports whether a message has to be acknowledged. Acks, pings and pongs do
// not, or two idle peers would acknowledge each other's acks without end.
func elicitsAck(method []byte) bool {
	switch string(method) {
	case methodAck, methodPing, methodPong:
		return false
	}
	return true
}

// controlMessage receives a control notification, the n-th message of its frame counted
// from 0. An unknown one is ignored, as in the Language Server Protocol.
func (s *Session) controlMessage(m *wire.Message, n int) error {
	switch string(m.Method) {
	case methodAck:
		return s.receiveAck(m.Params, n)
	case methodItems:
		return s.items(m.Params)
	case methodEnd:
		return s.endOfStream(m.Params)
	case methodCredit:
		return s.creditFor(m.Params)
	case methodCancel:
		return s.cancelOf(m.Params)
	case methodCancelRequest:
		for name, id := range s.Format.Object(m.Params) {
			if name == "id" {
				s.cancelRequest(id)
			}
		}
	case methodPing:
		n, ok := s.ints(m.Params, 1)
		if !ok {
			return errMalformed
		}
		if r := s.resumption.Load(); r != nil && (r.ackEliciting || r.ackTimerArmed.Load()) { // the ping may ask for an ack: see PROTOCOL.md, 5.2
			s.acknowledge(r)
		}
		s.post(s.Format.AppendControl(nil, methodPong, n...))
	case methodGoaway:
		return s.receiveGoaway(m.Params)
	case methodMoved:
		s.receiveMoved()
	case methodClose:
		return s.receiveClose(m.Params)
	}
	return nil
}

// ints decodes up to n integers at the beginning of params, and reports whether all of
// them are integers. Further elements belong to later versions of the protocol and are
// ignored.
func (s *Session) ints(params []byte, n int) (is []int64, ok bool) {
	for raw := range s.Format.Array(params) {
		if len(is) == n {
			break
		}
		i, ok := s.Format.Natural(raw)
		if !ok {
			return is, false
		}
		is = append(is, i)
	}
	return is, true
}

var errMalformed = errors.New("a control message is malformed")

// items receives $/items.
func (s *Session) items(params []byte) error {
	var rs *RecvStream
	var items []byte
	i := 0
	for raw := range s.Format.Array(params) {
		switch i++; i {
		case 1:
			h, ok := s.Format.Natural(raw)
			if !ok {
				return errMalformed
			}
			if rs = s.recvStream(h); rs == nil {
				return fmt.Errorf("items of stream %d, which is not open", h)
			}
		case 2:
			if s.Format.Kind(raw) != wire.Array {
				return errMalformed
			}
			items = raw
		}
	}
	if i < 2 {
		return errMalformed
	}
	if err := rs.receive(s.Format.Array(items)); err != nil {
		s.breach(rs, err)
	}
	return nil
}

// breach ends a receive stream whose producer has violated the protocol, or whose items
// exceed a limit. The error follows the items received before.
func (s *Session) breach(rs *RecvStream, err *fault.Error) {
	s.post(s.Format.AppendEnd(nil, methodCancel, rs.Handle, s.errorObject(err))) // before a handler can answer because of the end
	rs.receiveEnd(err)
}

// endOfStream receives $/end. It removes the stream only after the whole message has
// been found valid, since an invalid one ends the session, which then ends the stream.
func (s *Session) endOfStream(params []byte) error {
	var h int64
	var end error
	ok := false
	i := 0
	for raw := range s.Format.Array(params) {
		switch i++; i {
		case 1:
			h, ok = s.Format.Int(raw)
		case 2:
			if s.Format.Kind(raw) != wire.Object {
				return errMalformed
			}
			end = s.receivedError(raw)
		}
	}
	if !ok {
		return errMalformed
	}
	var rs *RecvStream
	s.update(func(st *sessionState) {
		rs = st.recvStreams[uint64(h)]
		delete(st.recvStreams, uint64(h))
	})
	if rs == nil {
		return fmt.Errorf("the end of stream %d, which is not open", h)
	}
	rs.receiveEnd(end)
	return nil
}

func (s *Session) creditFor(params []byte) error {
	v, ok := s.ints(params, 4)
	if !ok || len(v) < 4 {
		return errMalformed
	}
	if v[0] == 0 {
		return s.queue.grantNotifications(uint64(v[1]), int(min(v[2], flow.MaxItems)), int(min(v[3], math.MaxInt32)))
	}
	if ss := s.queue.sendStream(uint64(v[0])); ss != nil {
		return ss.applyCredit(uint64(v[1]), int(min(v[2], flow.MaxItems)), int(min(v[3], math.MaxInt32)))
	}
	return nil // the stream has ended meanwhile
}

func (s *Session) cancelOf(params []byte) error {
	for raw := range s.Format.Array(params) {
		h, ok := s.Format.Natural(raw)
		if !ok {
			return errMalformed
		}
		if ss := s.queue.sendStream(uint64(h)); ss != nil {
			ss.stop(nil)
		}
		return nil
	}
	return errMalformed
}

// control sends a control message from a goroutine that may block.
func (s *Session) control(method string, args ...int64) {
	buf := messagePool.Get().(*messageBuffer)
	buf.Bytes = s.Format.AppendControl(buf.begin(s.Format)[:0], method, args...)
	flush, over := s.queue.post(buf.Bytes, false)
	buf.release(len(buf.Bytes))
	if flush {
		s.flush(true)
	}
	if over {
		s.Fail(transport.ErrNotReading, transport.CloseTimeout)
	}
}

// ping requests a sign of life from the peer.
func (s *Session) ping(t transport.Transport) {
	if s.Mode == ModeWirecall {
		s.post(s.Format.AppendControl(nil, methodPing, time.Now().UnixMilli()))
		return
	}
	if !t.Ping(CloseGrace) {
		s.silentChecks = 0 // plain lines have no ping: the silence proves nothing
	}
}
