package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// A config is the common form of the options of Dial, NewConn and NewServer.
type config struct {
	session.Settings
	methods    *registry
	codecs     [2]codec.Codec        // by wire.Format
	callChain  func(Handler) Handler // around calls that this side makes
	serveChain func(Handler) Handler // around calls that it serves
	intercepts bool                  // whether serveChain has interceptors
	hideErrors bool
	strict     bool       // see ConnOptions.StrictParams
	observers  *observers // never nil

	streamInterceptors []StreamInterceptor
}

// codecOf returns the codec that encodes the values of a session.
func codecOf(s *session.Session) codec.Codec { return connOf(s).codecs[s.Format] }

// connOf returns the connection that a session belongs to.
func connOf(s *session.Session) *Conn { return (*Conn)(s.Events.(*connEvents)) }

func (o *ConnOptions) config() *config {
	cfg := &config{
		methods:    &registry{},
		codecs:     [2]codec.Codec{wire.JSON: codec.JSON},
		callChain:  chain(o.CallInterceptors),
		serveChain: chain(o.ServeInterceptors),
		intercepts: len(o.ServeInterceptors) > 0,
		hideErrors: o.HideErrors,
		strict:     o.StrictParams,
	}
	cfg.Settings = session.Settings{Limits: session.Limits(o.Limits.withDefaults()), Log: logger(o.Logger), Lookup: cfg.methods.lookup, Unknown: unknown, Cause: closedByPeer}
	cfg.observers, cfg.streamInterceptors = newObservers(o.Observers, cfg.Log), o.StreamInterceptors
	if len(cfg.observers.call) > 0 {
		cfg.Refused = cfg.observeRefusal
	}
	cfg.Token = o.Token
	cfg.Events = func(s *session.Session) session.Events {
		c := newConn(cfg)
		c.session.Store(s)
		return (*connEvents)(c)
	}
	for _, s := range o.Services {
		cfg.methods.register(s)
	}
	return cfg
}

// chain wraps a handler so that the first interceptor is the outermost.
func chain(is []Interceptor) func(Handler) Handler {
	return func(h Handler) Handler {
		for i := len(is) - 1; i >= 0; i-- {
			next, around := h, is[i]
			h = func(ctx context.Context, c *Call) error { return around(ctx, c, next) }
		}
		return h
	}
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

// A registry holds the methods that a side serves.
type registry struct {
	mu      sync.RWMutex
	methods map[string]*registeredMethod
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
	}
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
	defer r.mu.RUnlock()
	if m := r.methods[string(name)]; m != nil {
		return m.served
	}
	return nil
}

// unknown returns a method for a name that is not registered. Its calls fail.
func unknown(name string) *session.Method {
	return serves(&Method{Name: name}, func(context.Context, *Call) error {
		return &Error{Code: CodeMethodNotFound, Message: "method not found"}
	})
}
