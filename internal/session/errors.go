package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// wireError returns e with the members that the session's mode has.
func (s *Session) wireError(e *fault.Error) *wire.Error {
	w := &wire.Error{Code: e.Code, Message: e.Message, Data: e.Data}
	if s.plain == nil {
		w.Type, w.Ran, w.Retry = e.Type, e.Ran.String(), e.RetryMillis()
	}
	return w
}

// errorObject returns e encoded as an error object.
func (s *Session) errorObject(e *fault.Error) []byte {
	return s.Format.AppendErrorObject(nil, s.wireError(e))
}

// shortened returns e without its data, and with a shortened message if that alone
// exceeds the peer's limit for a message.
func (s *Session) shortened(e *fault.Error) *fault.Error {
	short := *e
	short.Data = nil
	if escaped := 6 * len(e.Message); escaped+messageOverhead > s.peerMessage() {
		short.Message = Brief(e.Message)
	}
	return &short
}

// refusal returns the answer to a request that is not run.
func (s *Session) refusal(id []byte, e *fault.Error) []byte {
	return s.Format.AppendError(nil, id, s.wireError(e), nil)
}

// receivedError decodes an error object. Members with values of the wrong type, and
// unknown values of ran, are ignored.
func (s *Session) receivedError(raw []byte) *fault.Error {
	e := &fault.Error{Received: true}
	for name, member := range s.Format.Object(raw) {
		switch name {
		case "code":
			e.Code = fault.Unknown // also if the code overflows int
			if code, _ := s.Format.Int(member); int64(int(code)) == code {
				e.Code = int(code)
			}
		case "message":
			e.Message, _ = s.Format.String(member)
		case "data":
			e.Data = append([]byte(nil), member...)
		}
		if s.plain == nil {
			s.receivedMember(e, name, member)
		}
	}
	return e
}

// receivedMember decodes a member that only wirecall mode has in an error object.
func (s *Session) receivedMember(e *fault.Error, name string, raw []byte) {
	switch name {
	case "type":
		if t, _ := s.Format.String(raw); len(t) <= fault.MaxType {
			e.Type = t
		}
	case "ran":
		word, _ := s.Format.String(raw)
		e.Ran = fault.ParseRan(word)
	case "retry":
		if ms, ok := s.Format.Int(raw); ok && ms > 0 {
			e.Retry = time.Duration(min(ms, fault.MaxRetry.Milliseconds())) * time.Millisecond
		}
	}
}
