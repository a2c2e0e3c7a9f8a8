package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// An Observer is called with the events of a connection, for metrics, logs and traces.
// A function that is nil costs nothing. Functions must return at once, because some are
// called on the goroutine that reads from the connection, and may be called by several
// goroutines at once. A panic in a function is logged and otherwise ignored.
type Observer struct {
	// Conn is called once for each session, when it begins, with the context of its
	// handlers. handshake is the request of the WebSocket handshake on a server, which
	// must not be kept, and otherwise nil. end, which may be nil, is called when the
	// session ends, with its cause: a *CloseError for the peer's close frame, or
	// ErrClosed, among others. A POST has no session.
	Conn func(ctx context.Context, conn *Conn, handshake *http.Request) (end func(error))

	// State is called with each state that Conn.States yields for a connection that Dial
	// made, by one goroutine for each connection. For any other connection it is called
	// when the session loses its socket, when it is resumed, and when it ends.
	State func(*Conn, State)

	// Call is called for each call and notification, before all interceptors: for those
	// that this side makes and those that it serves, which have Call.Served set and no
	// Params yet. Calls that are refused before they reach a handler are observed as
	// well; if no such method is registered, the Method has only a Name. under must be
	// made of ctx, and is the context of the interceptors and the handler; nil stands for
	// ctx. end, which may be nil, is called when the call has been answered. Its streams
	// may continue.
	Call func(ctx context.Context, call *Call) (under context.Context, end func(CallResult))

	// Stream is called for each stream: on the producer's side when the producer begins,
	// on the consumer's side when the call that carries the stream arrives or is
	// answered. ctx is that of the call, made of what Call returned. items, which may be nil, is called with a number
	// of items and their encoded size in bytes: with each item as it is sent, and with
	// the items that arrived together as the consumer's loop takes them. end, which may
	// be nil, is called at the end of the stream.
	Stream func(ctx context.Context, stream *StreamInfo) (items func(n, bytes int), end func(StreamResult))
}

// A CallResult describes how a call ended.
type CallResult struct {
	// Err is the error that the caller gets, or nil for a result. On the side that serves
	// the call it unwraps to the original error, such as one whose text HideErrors
	// withholds. Nobody receives the error of a notification.
	Err error

	// Panic is the value of the panic of the handler, or of the encoding of its result,
	// if there was one.
	Panic any

	// Ran reports whether the handler was entered; on the side that makes the call,
	// whether it may have been.
	Ran bool

	// ParamBytes and ResultBytes are the encoded sizes of the parameters and of the
	// result, in bytes. They are 0 if the call failed before that, and ResultBytes is 0
	// if the answer is an error.
	ParamBytes, ResultBytes int
}

// A StreamInfo identifies the stream that an Observer or a StreamInterceptor is called
// for.
type StreamInfo struct {
	Call *Call
	Name string // of the parameter or the result; empty for a result that is the only one
	Sent bool   // whether this side produces it
}

// A StreamResult describes how a stream ended.
type StreamResult struct {
	// Err is nil if the stream is complete, and otherwise the error that the consumer
	// gets. On both sides it is context.Canceled if the consumer left the stream, and on
	// the consumer's side also if the session ended before the stream was ranged over.
	Err error

	// Items and Bytes are the totals of what the items functions were called with.
	Items, Bytes int64

	// Blocked is how long the producer waited for its consumer, or the consumer for its
	// producer.
	Blocked time.Duration
}

// A StreamInterceptor is called for each stream of a call. The function that it returns
// is called with each item: before it is encoded on the producer's side, and after it
// is decoded on the consumer's side. If that function is nil, the items are not
// intercepted. An item is a pointer to its value, which may be changed. An error ends
// the stream, and is the error that the consumer gets.
type StreamInterceptor func(ctx context.Context, stream *StreamInfo) func(item any) error

// observers are the functions of all Observers that are not nil.
type observers struct {
	log    *slog.Logger
	conn   []func(context.Context, *Conn, *http.Request) func(error)
	state  []func(*Conn, State)
	call   []func(context.Context, *Call) (context.Context, func(CallResult))
	stream []func(context.Context, *StreamInfo) (func(int, int), func(StreamResult))
}

func newObservers(list []*Observer, log *slog.Logger) *observers {
	o := &observers{log: log}
	for _, each := range list {
		o.conn = appendNotNil(o.conn, each.Conn, each.Conn != nil)
		o.state = appendNotNil(o.state, each.State, each.State != nil)
		o.call = appendNotNil(o.call, each.Call, each.Call != nil)
		o.stream = appendNotNil(o.stream, each.Stream, each.Stream != nil)
	}
	return o
}

func appendNotNil[T any](list []T, f T, there bool) []T {
	if there {
		list = append(list, f)
	}
	return list
}

// guard calls a function of an observer and logs its panic.
func (o *observers) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			o.log.Error("panic in an rpc.Observer", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	f()
}

// beginConn calls the observers with a new session and returns the functions to call at
// its end.
func (o *observers) beginConn(ctx context.Context, conn *Conn, handshake *http.Request) (ends []func(error)) {
	for _, f := range o.conn {
		o.guard(func() {
			if end := f(ctx, conn, handshake); end != nil {
				ends = append(ends, end)
			}
		})
	}
	return ends
}

func (o *observers) endConn(ends []func(error), cause error) {
	for _, end := range ends {
		o.guard(func() { end(cause) })
	}
}

// observeSession calls the observers with a new session, and keeps the functions to
// call at its end.
func (c *Conn) observeSession(s *session.Session, handshake *http.Request) {
	ends := c.observers.beginConn(s.Ctx, c, handshake)
	if len(ends) == 0 {
		return
	}
	c.observed.mu.Lock()
	ended := s.HasEnded()
	if !ended {
		if c.observed.ends == nil {
			c.observed.ends = make(map[*session.Session][]func(error))
		}
		c.observed.ends[s] = ends
	}
	c.observed.mu.Unlock()
	if ended {
		c.observers.endConn(ends, s.Err())
	}
}

// observedSessions holds the observers' functions to call at the end of each session.
type observedSessions struct {
	mu   sync.Mutex
	ends map[*session.Session][]func(error)
}

// observeEnd calls the observers' functions for a session that has ended.
func (c *Conn) observeEnd(s *session.Session, cause error) {
	if len(c.observers.conn) == 0 {
		return
	}
	c.observed.mu.Lock()
	ends := c.observed.ends[s]
	delete(c.observed.ends, s)
	c.observed.mu.Unlock()
	c.observers.endConn(ends, cause)
}

// watchState calls the observers with the states of a dialed connection until it ends.
func (o *observers) watchState(conn *Conn) {
	for st := range conn.States(context.Background()) {
		for _, f := range o.state {
			o.guard(func() { f(conn, st) })
		}
	}
}

// sawState calls the observers with a state of a connection that was not dialed.
func (o *observers) sawState(conn *Conn, p Phase, cause error) {
	st := State{Phase: p, Cause: cause, Session: 1, Resumable: p != Closed}
	for _, f := range o.state {
		o.guard(func() { f(conn, st) })
	}
}

// A watchedCall is a call with observers.
type watchedCall struct {
	observers *observers
	ctx       context.Context // of the interceptors, the handler and the streams
	ends      []func(CallResult)
	result    CallResult
}

// beginCall calls the observers with a new call.
func (o *observers) beginCall(ctx context.Context, call *Call) (context.Context, *watchedCall) {
	w := &watchedCall{observers: o}
	for _, f := range o.call {
		o.guard(func() {
			under, end := f(ctx, call)
			if under != nil {
				ctx = under
			}
			if end != nil {
				w.ends = append(w.ends, end)
			}
		})
	}
	w.ctx = ctx
	return ctx, w
}

// end calls the observers' functions with the result of the call, in the reverse order
// of their beginning.
func (w *watchedCall) end(err error) {
	w.result.Err = err
	for i := len(w.ends) - 1; i >= 0; i-- {
		w.observers.guard(func() { w.ends[i](w.result) })
	}
}

type watchedKey struct{}

// watchedBy returns the observed call that is made under ctx, or nil if there are no
// observers: ctx may be that of a call on another connection.
func (o *observers) watchedBy(ctx context.Context) *watchedCall {
	if len(o.call) == 0 {
		return nil
	}
	w, _ := ctx.Value(watchedKey{}).(*watchedCall)
	return w
}

// observe makes a call by invoke, with observers.
func (o *observers) observe(ctx context.Context, call *Call, invoke Handler) error {
	ctx, w := o.beginCall(ctx, call)
	err := invoke(context.WithValue(ctx, watchedKey{}, w), call)
	w.result.Ran = !NotRun(err)
	w.end(err)
	return err
}

// observeRefusal calls the observers with a request that is refused before it reaches a
// handler.
func (c *config) observeRefusal(s *session.Session, name []byte, e *fault.Error) {
	method := c.methods.method(name)
	if method == nil {
		method = &Method{Name: session.Brief(string(name))}
	}
	_, w := c.observers.beginCall(s.Ctx, &Call{Method: method, Served: true})
	w.end(public(s, e))
}

// asReceived returns err as the caller receives it from a method with the given declared
// errors.
func asReceived(s *session.Session, err error, declared declaredErrors) (got error) {
	if err == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // crossing has logged it
			got = &Error{Code: CodeInternal, Message: fault.MessageInternal}
		}
	}()
	err = public(s, err)
	e := wireError(err, declared, connOf(s).hideErrors)
	if e == err {
		return err
	}
	shown := *e
	shown.cause = err
	return &shown
}
