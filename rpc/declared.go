package rpc

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"runtime/debug"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// An ErrorType is an error that a method declares with a wirecall:error directive. If a
// handler's error is one, or wraps one, its name and code are sent, with its encoding
// as data. On the other side errors.As finds it in the error of the call or of its
// streams. Generated code has a variable for each.
type ErrorType struct {
	Name string // on the wire, such as "auction.NotFound"
	Code Code

	// Funcs are made by package gen1.
	Funcs contract.ErrorFuncs
}

// declaredErrors are the errors that a method declares.
type declaredErrors []*ErrorType

// match returns the Error to send for err itself, not for what it wraps, without a
// message. It returns nil if err is not declared.
func (d declaredErrors) match(err error) *Error {
	if err == nil {
		return nil
	}
	for _, t := range d {
		if data, ok := t.Funcs.Match(err); ok {
			return &Error{Code: t.Code, Type: t.Name, data: errorData{value: data}}
		}
	}
	return nil
}

// find returns the Error that decides how err is sent: that of the first error in err's
// tree, outermost first, that is declared or has a code. It returns nil if there is
// none.
func (d declaredErrors) find(err error) *Error {
	for err != nil {
		if e := d.self(err); e != nil {
			return e
		}
		switch wrapper := err.(type) {
		case interface{ Unwrap() error }:
			err = wrapper.Unwrap()
		case interface{ Unwrap() []error }:
			for _, err := range wrapper.Unwrap() {
				if e := d.find(err); e != nil {
					return e
				}
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}

// self is find for err itself, not for what it wraps.
func (d declaredErrors) self(err error) *Error {
	if e := d.match(err); e != nil {
		return e
	}
	switch e := err.(type) {
	case *Error:
		if own := d.match(e.data.typed); own != nil { // received from another service: sent with the name and code of this method
			own.Retry, own.ran = e.Retry, e.ran
			return own
		}
		return e
	case Code:
		return &Error{Code: e}
	}
	switch {
	case contract.IsSelf(err, context.DeadlineExceeded):
		return &Error{Code: CodeDeadlineExceeded}
	case contract.IsSelf(err, context.Canceled):
		return &Error{Code: CodeCanceled}
	case err == ErrClosed:
		return errClosedHere
	}
	return nil
}

var errClosedHere = &Error{Code: CodeUnavailable, Message: fault.MessageConnectionLost}

// recognize decodes the declared error of a received Error and makes the Error unwrap
// to it. It runs code of the declared type: only the goroutine that receives the error
// may call it, before the error is shared.
func (d declaredErrors) recognize(err error) error {
	e, ok := err.(*Error)
	if !ok || !e.received {
		return err
	}
	if t := d.typeOf(e); t != nil {
		decode := e.data.decode
		if e.Type == "" && e.data.raw == nil {
			decode = decodeNothing
		}
		if typed, err := t.Funcs.Decode(decode); err == nil {
			e.data.typed, e.cause = typed, typed
		}
	}
	return err
}

// decodeNothing stores the error of a server that sends a code and no data in what v
// points to: its zero value, or a pointer to one.
func decodeNothing(v any) error {
	if p := reflect.ValueOf(v).Elem(); p.Kind() == reflect.Pointer {
		p.Set(reflect.New(p.Type().Elem()))
	}
	return nil
}

// typeOf returns the type of a received Error: the one with its name, or, if it has no
// name, the one with its code if only one type has that code.
func (d declaredErrors) typeOf(e *Error) (found *ErrorType) {
	for _, t := range d {
		switch {
		case e.Type != "" && t.Name == e.Type:
			return t
		case e.Type == "" && t.Code == e.Code && found != nil:
			return nil
		case e.Type == "" && t.Code == e.Code:
			found = t
		}
	}
	return found
}

// The functions below convert between the errors of package session, whose data is bytes, and
// those of users, whose data is Go values.

// public returns err as users receive it: an *Error in place of a *fault.Error.
func public(s *session.Session, err error) error {
	f, ok := err.(*fault.Error)
	if !ok {
		return err
	}
	return errorOf(f, codecOf(s))
}

// errorOf returns f as users receive it. cd is the codec of its data.
func errorOf(f *fault.Error, cd codec.Codec) *Error {
	e := &Error{Code: Code(f.Code), Type: f.Type, Message: f.Message, Retry: f.Retry, ran: f.Ran, cause: f.Cause, lost: f.Lost, received: f.Received}
	if f.Data != nil {
		e.data = errorData{raw: f.Data, codec: cd}
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

// guarded calls f, a function of the user's options. If that panics, guarded logs it and
// returns an error.
func guarded[T any](ctx context.Context, log *slog.Logger, where string, f func(context.Context) (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.LogAttrs(ctx, slog.LevelError, "panic in user code", panicAttrs(where, r)...)
			err = errors.New("rpc: panic in " + where)
		}
	}()
	return f(ctx)
}

// panicAttrs returns the log attributes of a panic in user code.
func panicAttrs(where string, r any) []slog.Attr {
	return []slog.Attr{slog.String("where", where), slog.Any("panic", r), slog.String("stack", string(debug.Stack()))}
}
