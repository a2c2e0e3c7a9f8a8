package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A form is how the messages on a connection look.
type form struct {
	Format   wire.Format
	extended bool // messages have the members that wirecall adds to JSON-RPC 2.0
}

// appendRequest appends a request up to its parameters.
func (f form) appendRequest(dst []byte, h *wire.Head) []byte {
	return f.Format.AppendRequest(dst, f.restrict(h))
}

// appendResponse appends an answer up to its result.
func (f form) appendResponse(dst []byte, h *wire.Head) []byte {
	return f.Format.AppendResponse(dst, f.restrict(h))
}

// restrict removes the members that the form does not have.
func (f form) restrict(h *wire.Head) *wire.Head {
	if !f.extended {
		h.Meta, h.Timeout, h.Streams = nil, 0, nil
	}
	return h
}

// wireError returns e with the members that the dialect has.
func (f form) wireError(e *fault.Error) *wire.Error {
	w := &wire.Error{Code: e.Code, Message: e.Message, Data: e.Data}
	if f.extended {
		w.Type, w.Ran, w.Retry = e.Type, e.Ran.String(), e.RetryMillis()
	}
	return w
}

// errorObject returns e encoded as an error object.
func (f form) errorObject(e *fault.Error) []byte {
	return f.Format.AppendErrorObject(nil, f.wireError(e))
}

// shortened returns e without its data, and with a shortened message if that alone
// exceeds limit, the peer's for a message.
func shortened(e *fault.Error, limit int) *fault.Error {
	short := *e
	short.Data = nil
	if escaped := 6 * len(e.Message); escaped+messageOverhead > limit {
		short.Message = Brief(e.Message)
	}
	return &short
}

// appendError appends an answer with an error.
func (f form) appendError(dst, id []byte, e *fault.Error, meta map[string]string) []byte {
	if !f.extended {
		meta = nil
	}
	return f.Format.AppendError(dst, id, f.wireError(e), meta)
}

// refusal returns the answer to a request that is not run.
func (f form) refusal(id []byte, e *fault.Error) []byte { return f.appendError(nil, id, e, nil) }

// receivedError decodes an error object. Members with values of the wrong type, and
// unknown values of ran, are ignored.
func (f form) receivedError(raw []byte) *fault.Error {
	e := &fault.Error{Received: true}
	for name, member := range f.Format.Object(raw) {
		switch name {
		case "code":
			e.Code = fault.Unknown // also if the code overflows int
			if code, _ := f.Format.Int(member); int64(int(code)) == code {
				e.Code = int(code)
			}
		case "message":
			e.Message, _ = f.Format.String(member)
		case "data":
			e.Data = append([]byte(nil), member...)
		}
		if f.extended {
			f.receivedMember(e, name, member)
		}
	}
	return e
}

// receivedMember decodes a member that only wirecall mode has in an error object.
func (f form) receivedMember(e *fault.Error, name string, raw []byte) {
	switch name {
	case "type":
		if t, _ := f.Format.String(raw); len(t) <= fault.MaxType {
			e.Type = t
		}
	case "ran":
		word, _ := f.Format.String(raw)
		e.Ran = fault.ParseRan(word)
	case "retry":
		if ms, ok := f.Format.Int(raw); ok && ms > 0 {
			e.Retry = time.Duration(min(ms, fault.MaxRetry.Milliseconds())) * time.Millisecond
		}
	}
}

// callID decodes the id of a call in an answer.
func (f form) callID(raw []byte) (id uint64, ok bool) {
	if n, ok := f.Format.Natural(raw); ok || f.extended {
		return uint64(n), ok
	}
	return wire.PlainID(raw)
}

// PlainError decodes an error object of JSON-RPC 2.0.
func PlainError(raw []byte) *fault.Error { return form{Format: wire.JSON}.receivedError(raw) }
