package rpc

import (
	"log/slog"
	"runtime/debug"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// This file converts between the errors of package session, whose data is bytes, and
// those of users, whose data is Go values.

// public returns err as users receive it: an *Error in place of a *fault.Error.
func public(s *session.Session, err error) error {
	f, ok := err.(*fault.Error)
	if !ok {
		return err
	}
	e := &Error{Code: Code(f.Code), Type: f.Type, Message: f.Message, Retry: f.Retry, ran: f.Ran, cause: f.Cause, lost: f.Lost, received: f.Received}
	if f.Data != nil {
		e.data = errorData{raw: f.Data, codec: codecOf(s)}
	}
	return e
}

// crossing returns err as it is sent for a method with the given declared errors. The
// methods of err are user code and may panic.
func crossing(s *session.Session, err error, declared declaredErrors) (f *fault.Error) {
	defer func() {
		if r := recover(); r != nil {
			panicked(s, "error", r)
			f = &fault.Error{Code: fault.Internal, Message: fault.MessageInternal}
		}
	}()
	e := wireError(public(s, err), declared, connOf(s).hideErrors)
	f = &fault.Error{Code: int(e.Code), Message: e.Message, Data: e.encoded(codecOf(s)), Ran: e.ran, Retry: e.Retry}
	if len(e.Type) <= fault.MaxType {
		f.Type = e.Type
	}
	return f
}

// panicked logs a panic in user code and returns the error that is sent for it.
func panicked(s *session.Session, where string, r any) error {
	s.Report(s.Ctx, slog.LevelError, "panic in user code", panicAttrs(where, r)...)
	return &Error{Code: CodeInternal, Message: fault.MessageInternal}
}

// panicAttrs returns the log attributes of a panic in user code.
func panicAttrs(where string, r any) []slog.Attr {
	return []slog.Attr{slog.String("where", where), slog.Any("panic", r), slog.String("stack", string(debug.Stack()))}
}
