package rpc

import (
	"context"
	"iter"
	"net"
	"sync"
)

// Connections yields the connections that the server has when the loop begins, those
// among them whose client is away and may resume. It does not yield POST requests.
func (s *Server) Connections() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		s.init()
		for _, c := range s.sessions() {
			if !yield(connOf(c)) {
				return
			}
		}
	}
}

// Methods yields the methods that are registered, sorted by their names: for a test,
// say, that each has the option that an interceptor goes by.
func (s *Server) Methods() iter.Seq[*Method] {
	return func(yield func(*Method) bool) {
		s.init()
		for _, m := range s.config.methods.sorted() {
			if !yield(m) {
				return
			}
		}
	}
}

// Caller returns a Caller whose calls the server serves in this process, without a
// socket: through its interceptors, under its limits, and with the values of ctx in
// the contexts of the handlers. Generated clients can use it, with streams; so can
// tools that only have JSON, with a json.RawMessage as Params (an object or an array)
// and a *json.RawMessage as Result.
//
// It is a connection in memory, which begins with the first call and ends with ctx,
// or with the server.
func (s *Server) Caller(ctx context.Context) Caller {
	s.init()
	return &localCaller{sync.OnceValues(func() (*Conn, error) { return s.connect(ctx) })}
}

// A localCaller is a client of a server in the same process.
type localCaller struct {
	conn func() (*Conn, error)
}

func (l *localCaller) Call(ctx context.Context, call *Call) error {
	conn, err := l.conn()
	if err != nil {
		err = notSent(CodeUnavailable, err)
		call.failStreams(err)
		return err
	}
	return conn.Call(ctx, call)
}

// connect makes a connection to the server in memory, which ends with ctx.
func (s *Server) connect(ctx context.Context) (*Conn, error) {
	near, far := net.Pipe()
	set := s.config.Settings
	set.Authenticate = nil // ctx is the program's own
	go s.serveConn(ctx, &set, far, func() {})
	limits := s.config.Limits
	limits.HandshakeTimeout, limits.IdleTimeout = 0, -1
	return NewConn(ctx, near, &ConnOptions{Limits: Limits(limits), Logger: s.config.Log})
}
