package rpc

import (
	"context"
	"iter"
	"net"
	"sync"
)

// Connections yields the connections that the server has when the loop begins. They
// include those whose client is disconnected and may resume its session, but not POST
// requests.
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

// Methods yields the registered methods, sorted by name. A test can use it to check,
// for example, that each has the option that an interceptor requires.
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
// socket. The calls pass the server's interceptors and limits, and the contexts of
// their handlers have the values of ctx. Generated clients can use it, streams
// included. A tool that only has JSON can pass a json.RawMessage, an object or an
// array, as Params and a *json.RawMessage as Result.
//
// The Caller is a connection in memory. It begins with the first call and ends with ctx
// or with the server. ServerOptions.Authenticate is not called for it.
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

// connect makes a connection to the server in memory that ends with ctx.
func (s *Server) connect(ctx context.Context) (*Conn, error) {
	near, far := net.Pipe()
	set := s.config.Settings
	set.Authenticate = nil // ctx is the program's own
	go s.serveConn(ctx, &set, far, func() {})
	limits := s.config.Limits
	limits.HandshakeTimeout, limits.IdleTimeout = 0, -1
	return NewConn(ctx, near, &ConnOptions{Limits: Limits(limits), Logger: s.config.Log})
}
