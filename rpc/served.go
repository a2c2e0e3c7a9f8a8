package rpc

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// A servedCall is a call or a notification of the peer's with its values.
type servedCall struct {
	session.Incoming
	handler Handler
	call    Call
	watch   *watchedCall // nil where nobody observes it
}

// serves returns the method m, served by handler.
func serves(m *Method, handler Handler) *session.Method {
	return &session.Method{Name: m.Name, Cursor: m.Cursor != "", New: func() session.Served {
		return &servedCall{handler: handler, call: Call{Method: m, Served: true}}
	}}
}

func (s *servedCall) Core() *session.Incoming { return &s.Incoming }

func (s *servedCall) Serve() {
	ctx, err := s.Ctx, errExited
	ctx, s.watch = connOf(s.Session).observers.beginCall(ctx, &s.call)
	s.watch.params(len(s.Params))
	defer func() {
		s.Release()
		err = s.answer(err)
		if s.watch != nil {
			s.watch.end(given(s.Session, err, s.call.Method.Errors))
		}
	}()
	err = s.run(ctx)
}

// errExited is the error of user code that did not return.
var errExited error = &Error{Code: CodeInternal, Message: fault.MessageInternal}

// fits refuses a method whose streams the connection cannot carry, before it
// runs: plain JSON-RPC has no form for those among the parameters, and a batch
// or a POST no place for any.
func (s *servedCall) fits() error {
	if s.Session.Mode != session.ModePlain {
		return nil
	}
	if s.call.sends() || s.Reply != nil && s.call.receives() {
		return errNeedsWirecall
	}
	return nil
}

// decode stores the parameters and claims their streams.
func (s *servedCall) decode(params payload) error {
	strict := connOf(s.Session).strict
	if len(s.Params) == 0 || params.value == nil && !strict {
		return nil
	}
	if s.Deep {
		if s.Session.Format.Check(s.Params, wire.CalleeDepth+1) != nil { // they are in an array or object
			return &Error{Code: CodeInvalidParams, Message: fmt.Sprintf("invalid params: nested deeper than %d", wire.CalleeDepth), ran: fault.No}
		}
	}
	dec := decoder{form: s.Session.Format, codec: codecOf(s.Session), errors: s.call.Method.Errors, strict: strict, unclaimed: s.Unclaimed}
	if err := dec.params(s.Params, &params); err != nil {
		e := &Error{Code: CodeInvalidParams, Message: "invalid params: " + session.Brief(err.Error())}
		if strict {
			e.ran = fault.No
		}
		return e
	}
	s.Unclaimed = dec.unclaimed
	return nil
}

// run runs the user's code. A panic there ends the call and nothing else.
func (s *servedCall) run(ctx context.Context) (err error) {
	call := &s.call
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(r)
		}
	}()
	if s.Withdrawn {
		return s.neverRun()
	}
	if call.Method.New != nil {
		call.Params, call.Result = call.Method.New()
	}
	if err := s.fits(); err != nil {
		return err
	}
	params := call.params()
	if err := s.decode(params); err != nil {
		return err
	}
	watchReceived(ctx, s.Session, call, &params)
	handler := s.handler
	if connOf(s.Session).intercepts || s.watch != nil {
		handler = s.fromAnew()
	}
	return hasRun(connOf(s.Session).serveChain(handler)(ctx, call))
}

// panicked logs what a user's code has panicked with, and returns the error of that.
func (s *servedCall) panicked(r any) error {
	if s.watch != nil {
		s.watch.result.Panic = r
	}
	return panicked(s.Session, s.Method.Name, r)
}

// fromAnew is the handler for interceptors, which may run it more than once. Each
// time it finds an empty result. The streams of the result before are nobody's.
func (s *servedCall) fromAnew() Handler {
	ran := false
	return func(ctx context.Context, call *Call) error {
		if ran {
			result := call.result()
			enterOnce(s.Session, result.streams())
			result.reset()
		}
		ran = true
		if s.watch != nil {
			s.watch.result.Ran = true
		}
		return s.handler(ctx, call)
	}
}

// neverRun is the error of a call whose context has ended before it could start.
func (s *servedCall) neverRun() error {
	cause := cmp.Or(context.Cause(s.Ctx), s.Session.Err(), context.Canceled)
	return &Error{Code: CodeOf(cause), Message: cause.Error() + " before the call could start", ran: fault.No}
}

// answer sends what the handler returned and starts the streams among it. They are
// started also where nobody wants them: their producers must clean up. It returns the
// error that the caller is given.
func (s *servedCall) answer(err error) error {
	result := s.call.result()
	streams := result.streams()
	canceled := s.Close()
	switch {
	case s.ID == nil:
		if err != nil {
			s.Session.Report(s.Ctx, slog.LevelWarn, "notification failed", slog.String("method", s.Method.Name), slog.Any("error", session.BriefError(err)))
		}
	case canceled:
		err = s.canceledError()
	case err == nil:
		if err = s.respond(&result, streams); err == nil {
			return nil
		}
	}
	if s.ID != nil {
		s.Fail(crossing(s.Session, err, s.call.Method.Errors))
	}
	enterOnce(s.Session, streams)
	return err
}

func (s *servedCall) canceledError() error {
	e := &Error{Code: CodeCanceled, Message: "canceled by the caller"}
	if s.Withdrawn {
		e.ran = fault.No
	}
	return e
}

// respond sends the result.
func (s *servedCall) respond(result *payload, streams []*contract.Stream) error {
	producers := pumpsOf(streams, s.call.Method)
	watchSent(s.Ctx, s.Session, &s.call, result, producers)
	a, err := s.BeginResult(producers)
	if err != nil {
		return err
	}
	defer a.Abort()
	from := len(a.Message.Bytes)
	enc := encoder{s.Session.Format, codecOf(s.Session), a.Names, wire.CallerDepth}
	if a.Message.Bytes, err = s.encode(a.Message.Bytes, &enc, result); err != nil {
		return err
	}
	s.watch.results(len(a.Message.Bytes) - from)
	return a.Send()
}

// encode appends the result.
func (s *servedCall) encode(dst []byte, enc *encoder, result *payload) (msg []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // a type's own encoding
			msg, err = dst, s.panicked(r)
		}
	}()
	if msg, err = enc.append(dst, result); err != nil {
		err = &Error{Code: CodeInternal, Message: fmt.Sprintf("rpc: %s: the result cannot be encoded: %v", s.Method.Name, err)}
	}
	return msg, err
}

// enterOnce runs the producers of streams that nobody will read, so that what
// they hold is released: their first yield returns false. A call that has been
// answered no longer counts, so they do by themselves until they return.
func enterOnce(s *session.Session, streams []*contract.Stream) {
	for _, st := range streams {
		produce := st.Local
		if produce == nil {
			continue
		}
		s.CleanUp(func() {
			defer func() {
				if r := recover(); r != nil {
					panicked(s, "stream", r)
				}
			}()
			produce(func(any) bool { return false })
		})
	}
}
