package rpc

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// A servedCall is a call or a notification of the peer with its decoded values. It
// implements session.Served.
type servedCall struct {
	session.Incoming
	handler Handler
	call    Call
	watch   *watchedCall // nil without observers
}

// serves returns the method m as the session package calls it, served by handler.
func serves(m *Method, handler Handler) *session.Method {
	served := &session.Method{Name: m.Name, Cursor: m.Cursor != "", New: func() session.Served {
		return &servedCall{handler: handler, call: Call{Method: m, Served: true}}
	}}
	if m.Plain != nil {
		served.Subscription = (*session.Subscription)(m.Plain.Subscription)
	}
	return served
}

// Core implements session.Served.
func (s *servedCall) Core() *session.Incoming { return &s.Incoming }

// Serve implements session.Served. It runs the handler and sends the answer.
func (s *servedCall) Serve() {
	ctx, err := s.Ctx, errExited
	if o := connOf(s.Session).observers; len(o.call) > 0 {
		ctx, s.watch = o.beginCall(ctx, &s.call)
		s.watch.result.ParamBytes = len(s.Params)
	}
	defer func() {
		s.Release()
		err = s.answer(err)
		if s.watch != nil {
			s.watch.end(asReceived(s.Session, err, s.call.Method.Errors))
		}
	}()
	err = s.run(ctx)
}

// errExited is the error of user code that ended its goroutine (runtime.Goexit).
var errExited error = &Error{Code: CodeInternal, Message: fault.MessageInternal}

// decode stores the parameters and claims their streams.
func (s *servedCall) decode(ctx context.Context) error {
	params, strict := s.call.params(), connOf(s.Session).strict
	if len(s.Params) == 0 || params.value == nil && !strict {
		return nil
	}
	if s.Deep {
		if s.Session.Format.Check(s.Params, wire.CalleeDepth+1) != nil { // plus the array or object around them
			return &Error{Code: CodeInvalidParams, Message: fmt.Sprintf("invalid params: nested deeper than %d", wire.CalleeDepth), ran: fault.No}
		}
	}
	dec := decoder{form: s.Session.Format, codec: codecOf(s.Session), errors: s.call.Method.Errors, aliases: s.call.Method.ParamAliases, strict: strict, unclaimed: s.Unclaimed}
	if err := dec.params(s.Params, &params); err != nil {
		e := &Error{Code: CodeInvalidParams, Message: "invalid params: " + session.Brief(err.Error())}
		if strict {
			e.ran = fault.No
		}
		return e
	}
	s.Unclaimed = dec.unclaimed
	if len(dec.claimed) > 0 {
		watchReceived(ctx, s.Session, &s.call, &params)
	}
	return nil
}

// run runs the interceptors and the handler. A panic ends only this call.
func (s *servedCall) run(ctx context.Context) (err error) {
	call := &s.call
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(r)
		}
	}()
	if s.Withdrawn {
		return s.notStarted()
	}
	if call.Method.New != nil {
		call.Params, call.Result = call.Method.New()
	}
	if s.Session.Mode == session.ModePlain && (call.sends() || s.Reply != nil && call.receives()) {
		return errNeedsWirecall // which parameters need, and results in a batch or a POST
	}
	if err := s.decode(ctx); err != nil {
		return err
	}
	handler := s.handler
	if conn := connOf(s.Session); conn.intercepts || s.watch != nil {
		handler = conn.serveChain(s.repeatable())
	}
	if err := handler(ctx, call); err != nil {
		return hasRun(err)
	}
	return nil
}

// panicked logs a panic in user code and returns the error that is sent for it.
func (s *servedCall) panicked(r any) error {
	if s.watch != nil {
		s.watch.result.Panic = r
	}
	return panicked(s.Session, s.Method.Name, r)
}

// repeatable returns the handler for interceptors, which may run it more than once. Each
// run begins with an empty result. The streams of an earlier result are not sent.
func (s *servedCall) repeatable() Handler {
	ran := false
	return func(ctx context.Context, call *Call) error {
		if ran {
			result := call.result()
			runUnsent(s.Session, result.streams())
			result.reset()
		}
		ran = true
		if s.watch != nil {
			s.watch.result.Ran = true
		}
		return s.handler(ctx, call)
	}
}

// notStarted returns the error of a call whose context ended before it could start.
func (s *servedCall) notStarted() error {
	cause := cmp.Or(context.Cause(s.Ctx), s.Session.Err(), context.Canceled)
	return &Error{Code: CodeOf(cause), Message: cause.Error() + " before the call could start", ran: fault.No}
}

// answer sends the handler's result and starts its streams. Streams that are not sent
// are run as well, because their producers must release what they hold. It returns the
// error that the caller receives.
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
	runUnsent(s.Session, streams)
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
	var producers []session.Producer
	if len(streams) > 0 {
		ctx := s.Ctx
		if s.watch != nil {
			ctx = s.watch.ctx
		}
		producers = pumpsOf(ctx, s.Session, &s.call, result, streams)
	}
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
	if s.watch != nil {
		s.watch.result.ResultBytes = len(a.Message.Bytes) - from
	}
	return a.Send()
}

// encode appends the encoded result.
func (s *servedCall) encode(dst []byte, enc *encoder, result *payload) (msg []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // in a type's own encoding
			msg, err = dst, s.panicked(r)
		}
	}()
	if msg, err = enc.append(dst, result); err != nil {
		err = &Error{Code: CodeInternal, Message: fmt.Sprintf("rpc: %s: the result cannot be encoded: %v", s.Method.Name, err)}
	}
	return msg, err
}

// runUnsent runs the producers of streams that are not sent, so that they release what
// they hold: their first yield returns false. The call has been answered and no longer
// counts, so these goroutines are counted until they return.
func runUnsent(s *session.Session, streams []*contract.Stream) {
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

// A registry holds the methods that a side serves.
type registry struct {
	mu      sync.RWMutex
	methods map[string]*registeredMethod
	plain   map[string]*session.PlainName // what plain clients call besides the methods
	other   func(name string) *Method     // returns a method for a name that is not registered, or nil; nil if there are none

	services  []Service       // in the order in which they were registered
	described json.RawMessage // what rpc.discover returns; nil until it is called
}

// A registeredMethod is a method of a Service that was registered.
type registeredMethod struct {
	*Method
	served *session.Method
}

// register panics if a name is already registered, as http.Handle does: it is a mistake
// in the program that is found when the program starts.
func (r *registry) register(s Service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.methods == nil {
		r.methods = make(map[string]*registeredMethod)
	}
	r.services, r.described = append(r.services, s), nil
	order := new(session.Ordering)
	for _, m := range s.Methods {
		if _, dup := r.methods[m.Name]; dup {
			panic(fmt.Errorf("rpc: %w", registeredTwice(m.Name)))
		}
		served := serves(m, func(ctx context.Context, c *Call) error { return m.Serve(ctx, s.Impl, c) })
		if !m.Unordered {
			served.Order = order
		}
		r.methods[m.Name] = &registeredMethod{m, served}
		if served.Subscription != nil {
			r.subscribes(served)
		}
	}
}

// subscribes enters the names by which plain clients subscribe to the stream of m, and end
// it. The mutex must be held.
func (r *registry) subscribes(m *session.Method) {
	if r.plain == nil {
		r.plain = make(map[string]*session.PlainName)
	}
	name := func(name string) *session.PlainName {
		if r.plain[name] == nil {
			r.plain[name] = &session.PlainName{Methods: make(map[string]*session.Method)}
		}
		return r.plain[name]
	}
	sub := m.Subscription
	if sub.Subscribe != m.Name || sub.Kind != "" {
		methods := name(sub.Subscribe).Methods
		if methods[sub.Kind] != nil {
			panic(fmt.Errorf("rpc: %w", registeredTwice(strings.TrimSpace(sub.Subscribe+" "+sub.Kind))))
		}
		methods[sub.Kind] = m
	}
	if sub.Unsubscribe != "" {
		ends := name(sub.Unsubscribe)
		ends.Unsubscribes, ends.Events = true, ends.Events || sub.IsEvent()
	}
	if sub.Cancel != "" {
		name(sub.Cancel).Cancels = true
	}
}

// plainName returns what plain clients call by a name that no method has, or nil.
func (r *registry) plainName(name []byte) *session.PlainName {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.plain[string(name)]
}

// sorted returns the methods in the order of their names.
func (r *registry) sorted() []*Method {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*Method
	for _, name := range slices.Sorted(maps.Keys(r.methods)) {
		all = append(all, r.methods[name].Method)
	}
	return all
}

// method returns the method with the given name, or nil if there is none.
func (r *registry) method(name []byte) *Method {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if m := r.methods[string(name)]; m != nil {
		return m.Method
	}
	return nil
}

// lookup returns the method with the given name as the session package calls it, or nil
// if there is none.
func (r *registry) lookup(name []byte) *session.Method {
	r.mu.RLock()
	m, other := r.methods[string(name)], r.other
	r.mu.RUnlock()
	if m != nil {
		return m.served
	}
	if other == nil {
		return nil
	}
	unregistered := other(string(name))
	if unregistered == nil {
		return nil
	}
	return serves(unregistered, func(ctx context.Context, c *Call) error { return unregistered.Serve(ctx, nil, c) })
}

// unknown returns a method for a name that is not registered. Its calls fail.
func unknown(name string) *session.Method {
	return serves(&Method{Name: name}, func(context.Context, *Call) error {
		return &Error{Code: CodeMethodNotFound, Message: "method not found"}
	})
}
