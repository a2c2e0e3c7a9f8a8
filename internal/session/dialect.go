package session

import (
	"math"
	"strconv"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A dialect is the form of the messages on a connection.
type dialect struct {
	Format   wire.Format
	extended bool // wirecall: messages have members that JSON-RPC 2.0 does not have
}

// wireError returns e with the members that the dialect has.
func (d dialect) wireError(e *fault.Error) *wire.Error {
	w := &wire.Error{Code: e.Code, Message: e.Message, Data: e.Data}
	if d.extended {
		w.Type, w.Ran, w.Retry = e.Type, e.Ran.String(), e.RetryMillis()
	}
	return w
}

// errorObject returns e encoded as an error object.
func (d dialect) errorObject(e *fault.Error) []byte {
	return d.Format.AppendErrorObject(nil, d.wireError(e))
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

// refusal returns the answer to a request that is not run.
func (d dialect) refusal(id []byte, e *fault.Error) []byte {
	return d.Format.AppendError(nil, id, d.wireError(e), nil)
}

// receivedError decodes an error object. Members with values of the wrong type, and
// unknown values of ran, are ignored.
func (d dialect) receivedError(raw []byte) *fault.Error {
	e := &fault.Error{Received: true}
	for name, member := range d.Format.Object(raw) {
		switch name {
		case "code":
			e.Code = fault.Unknown // also if the code overflows int
			if code, _ := d.Format.Int(member); int64(int(code)) == code {
				e.Code = int(code)
			}
		case "message":
			e.Message, _ = d.Format.String(member)
		case "data":
			e.Data = append([]byte(nil), member...)
		}
		if d.extended {
			d.receivedMember(e, name, member)
		}
	}
	return e
}

// receivedMember decodes a member that only wirecall mode has in an error object.
func (d dialect) receivedMember(e *fault.Error, name string, raw []byte) {
	switch name {
	case "type":
		if t, _ := d.Format.String(raw); len(t) <= fault.MaxType {
			e.Type = t
		}
	case "ran":
		word, _ := d.Format.String(raw)
		e.Ran = fault.ParseRan(word)
	case "retry":
		if ms, ok := d.Format.Int(raw); ok && ms > 0 {
			e.Retry = time.Duration(min(ms, fault.MaxRetry.Milliseconds())) * time.Millisecond
		}
	}
}

// callID decodes the id of a call in an answer. Some plain servers return it as a string
// or as a float.
func (d dialect) callID(raw []byte) (id uint64, ok bool) {
	if n, ok := d.Format.Natural(raw); ok || d.extended {
		return uint64(n), ok
	}
	text, ok := d.Format.String(raw)
	if !ok {
		text = string(raw)
	}
	f, err := strconv.ParseFloat(text, 64)
	return uint64(f), err == nil && f == math.Trunc(f) && f >= 0 && f <= wire.MaxInteger
}
