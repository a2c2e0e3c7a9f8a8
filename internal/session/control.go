package session

import (
	"errors"
	"fmt"
	"math"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// The control notifications of wirecall, and the requests that the runtime answers
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
	methodRemind        = "$/auth"

	methodHello       = "rpc.hello"
	methodResume      = "rpc.resume"
	methodAuth        = "rpc.auth"
	methodUnsubscribe = "rpc.unsubscribe"
)

// control receives a control notification, the n-th message of its frame counted
// from 0. An unknown one is ignored, as in the Language Server Protocol.
func (w *wirecall) control(m *wire.Message, n int) error {
	s := w.session
	switch string(m.Method) {
	case methodAck:
		return w.ack(m.Params, n)
	case methodItems:
		return w.items(m)
	case methodEnd:
		return w.endOfStream(m.Params)
	case methodCredit:
		return w.credit(m.Params)
	case methodCancel:
		return w.cancel(m.Params)
	case methodCancelRequest:
		for name, raw := range s.Format.Object(m.Params) {
			if id, ok := s.Format.Natural(raw); ok && name == "id" {
				s.incoming.cancel(id)
			}
		}
	case methodPing:
		return w.pong(m.Params)
	case methodGoaway:
		return w.goaway(m.Params)
	case methodRemind:
		return w.remind(m.Params)
	case methodMoved:
		s.peerMoved()
	case methodClose:
		return w.close(m.Params)
	}
	return nil
}

// pong answers $/ping.
func (w *wirecall) pong(params []byte) error {
	s := w.session
	n, ok := w.ints(params, 1)
	if !ok {
		return errMalformed
	}
	if res := s.resumption.Load(); res != nil && (res.ackEliciting || res.ackTimerArmed.Load()) { // the ping may ask for an ack: see PROTOCOL.md, 5.2
		res.acknowledge()
	}
	s.queue.post(s.Format.AppendControl(nil, methodPong, n...))
	return nil
}

// ack receives $/ack, the n-th message of its frame counted from 0.
func (w *wirecall) ack(params []byte, n int) error {
	res := w.session.resumption.Load()
	if res == nil {
		return nil
	}
	v, ok := w.ints(params, 2)
	if !ok || len(v) < 2 || n > 0 {
		return errMalformed
	}
	if have := res.received.Load(); uint64(v[1]) != have {
		return fmt.Errorf("%w: frame %d is numbered %d", replay.ErrCounting, have, v[1])
	}
	return res.sent.Ack(uint64(v[0]))
}

// ints decodes up to n integers at the beginning of params, and reports whether all of
// them are integers. Further elements belong to later versions of the protocol and are
// ignored.
func (w *wirecall) ints(params []byte, n int) (is []int64, ok bool) {
	for raw := range w.session.Format.Array(params) {
		if len(is) == n {
			break
		}
		i, ok := w.session.Format.Natural(raw)
		if !ok {
			return is, false
		}
		is = append(is, i)
	}
	return is, true
}

var errMalformed = errors.New("a control message is malformed")

// items receives $/items.
func (w *wirecall) items(m *wire.Message) error {
	if m.Handle < 0 {
		return errMalformed
	}
	rs := w.session.recv.get(m.Handle)
	if rs == nil {
		return fmt.Errorf("items of stream %d, which is not open", m.Handle)
	}
	if err := rs.receive(m.Items, m.Deep); err != nil {
		w.breach(rs, err)
	}
	return nil
}

// breach ends a receive stream whose producer has violated the protocol, or whose items
// exceed a limit. The error follows the items received before.
func (w *wirecall) breach(rs *RecvStream, err *fault.Error) {
	s := w.session
	s.queue.post(s.Format.AppendEnd(nil, methodCancel, rs.Handle, s.errorObject(err))) // before a handler can answer because of the end
	rs.receiveEnd(err)
}

// endOfStream receives $/end. It removes the stream only after the whole message has
// been found valid, since an invalid one ends the session, which then ends the stream.
func (w *wirecall) endOfStream(params []byte) error {
	s := w.session
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
	rs := s.recv.remove(h)
	if rs == nil {
		return fmt.Errorf("the end of stream %d, which is not open", h)
	}
	rs.receiveEnd(end)
	return nil
}

// credit receives $/credit.
func (w *wirecall) credit(params []byte) error {
	s := w.session
	v, ok := w.ints(params, 4)
	if !ok || len(v) < 4 {
		return errMalformed
	}
	if v[0] == 0 {
		return s.queue.grantNotifications(uint64(v[1]), int(min(v[2], flow.MaxItems)), int(min(v[3], math.MaxInt32)))
	}
	if ss := s.queue.stream(uint64(v[0])); ss != nil {
		return ss.applyCredit(uint64(v[1]), int(min(v[2], flow.MaxItems)), int(min(v[3], math.MaxInt32)))
	}
	return nil // the stream has ended meanwhile
}

// cancel receives $/cancel.
func (w *wirecall) cancel(params []byte) error {
	s := w.session
	for raw := range s.Format.Array(params) {
		h, ok := s.Format.Natural(raw)
		if !ok {
			return errMalformed
		}
		if ss := s.queue.stream(uint64(h)); ss != nil {
			ss.stop(nil)
		}
		return nil
	}
	return errMalformed
}

// close receives $/close.
func (w *wirecall) close(params []byte) error {
	form := w.session.Format
	var e transport.CloseError
	i := 0
	for raw := range form.Array(params) {
		switch i++; i {
		case 1:
			code, _ := form.Int(raw)
			e.Code = transport.CloseCode(code)
		case 2:
			e.Reason, _ = form.String(raw)
		}
	}
	return e
}
