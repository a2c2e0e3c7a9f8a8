package rpc

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A servedCall is a call or a notification of the peer's with its values.
type servedCall struct {
	incoming
	handler Handler
	call    Call
	watch   *watchedCall // nil where nobody observes it
}

// serves returns the method m, served by handler.
func serves(m *Method, handler Handler) *servedMethod {
	return &servedMethod{name: m.Name, cursor: m.Cursor != "", new: func() served {
		return &servedCall{handler: handler, call: Call{Method: m, Served: true}}
	}}
}

func (s *servedCall) core() *incoming { return &s.incoming }

func (s *servedCall) serve() {
	ctx, err := s.ctx, errExited
	ctx, s.watch = connOf(s.c).observers.beginCall(ctx, &s.call)
	s.watch.params(len(s.params))
	defer func() {
		s.release()
		err = s.answer(err)
		if s.watch != nil {
			s.watch.end(given(s.c, err, s.call.Method.Errors))
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
	if s.c.mode != modePlain {
		return nil
	}
	if s.call.sends() || s.reply != nil && s.call.receives() {
		return errNeedsWirecall
	}
	return nil
}

// decode stores the parameters and claims their streams.
func (s *servedCall) decode(params payload) error {
	if len(s.params) == 0 || params.value == nil {
		return nil
	}
	if s.deep {
		if s.c.form.Check(s.params, wire.CalleeDepth+1) != nil { // they are in an array or object
			return &Error{Code: CodeInvalidParams, Message: fmt.Sprintf("invalid params: nested deeper than %d", wire.CalleeDepth), ran: fault.No}
		}
	}
	dec := decoder{form: s.c.form, codec: codecOf(s.c), errors: s.call.Method.Errors, sinks: s.sinks}
	if err := dec.decode(s.params, &params); err != nil {
		return &Error{Code: CodeInvalidParams, Message: "invalid params: " + brief(err.Error())}
	}
	s.sinks = dec.sinks
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
	if s.withdrawn {
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
	watchReceived(ctx, s.c, call, &params)
	handler := s.handler
	if connOf(s.c).intercepts || s.watch != nil {
		handler = s.fromAnew()
	}
	return hasRun(connOf(s.c).serveChain(handler)(ctx, call))
}

// panicked logs what a user's code has panicked with, and returns the error of that.
func (s *servedCall) panicked(r any) error {
	if s.watch != nil {
		s.watch.result.Panic = r
	}
	return panicked(s.c, s.method.name, r)
}

// fromAnew is the handler for interceptors, which may run it more than once. Each
// time it finds an empty result. The streams of the result before are nobody's.
func (s *servedCall) fromAnew() Handler {
	ran := false
	return func(ctx context.Context, call *Call) error {
		if ran {
			result := call.result()
			enterOnce(s.c, result.streams())
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
	cause := cmp.Or(context.Cause(s.ctx), s.c.err(), context.Canceled)
	return &Error{Code: CodeOf(cause), Message: cause.Error() + " before the call could start", ran: fault.No}
}

// answer sends what the handler returned and starts the streams among it. They are
// started also where nobody wants them: their producers must clean up. It returns the
// error that the caller is given.
func (s *servedCall) answer(err error) error {
	result := s.call.result()
	streams := result.streams()
	canceled := s.close()
	switch {
	case s.id == nil:
		if err != nil {
			s.c.report(s.ctx, slog.LevelWarn, "notification failed", slog.String("method", s.method.name), slog.Any("error", briefError(err)))
		}
	case canceled:
		err = s.canceledError()
	case err == nil:
		if err = s.respond(&result, streams); err == nil {
			return nil
		}
	}
	if s.id != nil {
		s.fail(crossing(s.c, err, s.call.Method.Errors))
	}
	enterOnce(s.c, streams)
	return err
}

func (s *servedCall) canceledError() error {
	e := &Error{Code: CodeCanceled, Message: "canceled by the caller"}
	if s.withdrawn {
		e.ran = fault.No
	}
	return e
}

// respond sends the result.
func (s *servedCall) respond(result *payload, streams []*contract.Stream) error {
	producers := pumpsOf(streams, s.call.Method)
	watchSent(s.ctx, s.c, &s.call, result, producers)
	a, err := s.beginResult(producers)
	if err != nil {
		return err
	}
	defer a.abort()
	from := len(a.msg.bytes)
	enc := encoder{s.c.form, codecOf(s.c), a.names, wire.CallerDepth}
	if a.msg.bytes, err = s.encode(a.msg.bytes, &enc, result); err != nil {
		return err
	}
	s.watch.results(len(a.msg.bytes) - from)
	return a.send()
}

// encode appends the result.
func (s *servedCall) encode(dst []byte, enc *encoder, result *payload) (msg []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // a type's own encoding
			msg, err = dst, s.panicked(r)
		}
	}()
	if msg, err = enc.append(dst, result); err != nil {
		err = &Error{Code: CodeInternal, Message: fmt.Sprintf("rpc: %s: the result cannot be encoded: %v", s.method.name, err)}
	}
	return msg, err
}

// enterOnce runs the producers of streams that nobody will read, so that what
// they hold is released: their first yield returns false. A call that has been
// answered no longer counts, so they do by themselves until they return.
func enterOnce(c *session, streams []*contract.Stream) {
	for _, st := range streams {
		produce := st.Local
		if produce == nil {
			continue
		}
		c.cleanUp(func() {
			defer func() {
				if r := recover(); r != nil {
					panicked(c, "stream", r)
				}
			}()
			produce(func(any) bool { return false })
		})
	}
}
