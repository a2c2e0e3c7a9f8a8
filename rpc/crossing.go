package rpc

import (
	"log/slog"
	"runtime/debug"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// This file has the border between the errors of the engine, which are bytes, and
// those of users, which are Go values.

// public returns err as users get it: an *Error of their own in place of the engine's.
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

// crossing returns err as it crosses from a method with these declared errors. The
// error's own code may panic.
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

// panicked logs what a user's code panicked with and returns the error that crosses
// for it.
func panicked(s *session.Session, where string, r any) error {
	s.Report(s.Ctx, slog.LevelError, "panic in user code", panicAttrs(where, r)...)
	return &Error{Code: CodeInternal, Message: fault.MessageInternal}
}

// panicAttrs says in the log what user code panicked with.
func panicAttrs(where string, r any) []slog.Attr {
	return []slog.Attr{slog.String("where", where), slog.Any("panic", r), slog.String("stack", string(debug.Stack()))}
}
