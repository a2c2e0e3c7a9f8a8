package session

import (
	"context"
	"fmt"
	"math"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// An OutgoingCall is a call to the peer that has not been answered. A caller whose
// context ends abandons it: its id stays in use until the answer arrives, so that both
// sides count the same calls.
type OutgoingCall struct {
	done chan struct{} // receives one value when the fields of the answer are set

	frame     uint64 // the number of the request's frame, notQueued before it has one; guarded by the queue's mutex
	abandoned bool   // guarded by the session's mutex
	Result    []byte
	buffer    []byte // holds Result if it is large; nil otherwise
	Deep      bool   // see wire.Message
	Streams   []*RecvStream
	Meta      map[string]string
	Err       error // the error answered, or that of the session's end
}

// notQueued is greater than every frame number.
const notQueued = math.MaxUint64

func (call *OutgoingCall) finishWith(err error) {
	call.Err = err
	call.done <- struct{}{}
}

// maxRecycled is how many OutgoingCalls a session keeps for reuse. A sync.Pool shared by
// all sessions would not work in tests, since a channel belongs to the synctest bubble
// that made it.
const maxRecycled = 64

// newCall returns a recycled OutgoingCall, or a new one.
func (st *sessionState) newCall() *OutgoingCall {
	n := len(st.recycled)
	if n == 0 {
		return &OutgoingCall{done: make(chan struct{}, 1)}
	}
	call := st.recycled[n-1]
	st.recycled = st.recycled[:n-1]
	return call
}

// Recycle keeps call for reuse. The caller must hold the only reference.
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

// BindToContext makes the end of ctx cancel the streams of a result, which may have
// received items already.
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

// abandon cancels a call whose caller no longer waits for the answer.
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
	<-call.done // the answer arrived at the same moment
	for _, rs := range call.Streams {
		rs.Cancel(context.Canceled)
	}
	s.Recycle(call)
}

// removeCall removes a call that was not sent.
func (s *Session) removeCall(id uint64) {
	s.update(func(st *sessionState) {
		delete(st.calls, id)
		st.callLimit.release()
	})
}

// answer receives the answer to a call. The reader calls it.
func (s *Session) answer(m *wire.Message) error {
	id, ok := s.callID(m.ID)
	if !ok {
		return fmt.Errorf("an answer with an invalid id: %s", Brief(m.ID))
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
		call.finishWith(s.LostCallError(err)) // finish no longer finds the call
		return err
	case abandoned:
		s.cancelRefused(call.Streams)
		s.Recycle(call)
		return nil
	}
	call.Meta = decodeMeta(s.Format, m.Meta)
	call.Deep = m.Deep
	if held, buffer := s.retain(m.Result); buffer != nil {
		call.Result, call.buffer = held, buffer
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
