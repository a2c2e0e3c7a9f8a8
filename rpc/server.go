package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Server serves its services over WebSocket connections and HTTP POST, as an
// http.Handler, and over any other pair of byte streams with ServeConn. A connection
// speaks wirecall if the client asks for its subprotocol, and plain JSON-RPC 2.0
// otherwise.
//
// The contexts of handlers have the values of the request that opened their connection:
// an http.Handler around the Server can authenticate a request and put the result into
// its context. See also ServerOptions.Authenticate.
//
// The zero Server equals NewServer(nil). Its methods may be called by any number of
// goroutines at once.
type Server struct {
	setup sync.Once // sets the fields above mu, and the maps

	config  *config
	codecs  []codec.Codec
	origins []string // see originPatterns

	subprotocols []string // see ServerOptions.Subprotocols; nil for any

	maxSockets int // 0 for no limit

	nodes relay.Nodes  // the cluster's; nil for none
	links *http.Server // serves links from other nodes; nil without nodes

	mu        sync.Mutex
	stopped   bool
	until     time.Time // when a shutdown ends; zero for no deadline
	listeners map[*net.Listener]struct{}
	openings  map[*session.Opening]struct{}
	conns     map[*session.Session]struct{}
	sockets   int
}

// ErrServerClosed is returned by Server.Serve after Close or Shutdown.
var ErrServerClosed = errors.New("rpc: server closed")

// NewServer makes a Server. A nil opts means the defaults. It panics with the error of
// opts.Validate, which names the invalid field, such as a limit below zero.
func NewServer(opts *ServerOptions) *Server {
	if opts == nil {
		opts = &ServerOptions{}
	}
	if err := opts.Validate(); err != nil {
		panic(fmt.Errorf("rpc: NewServer: %w", err))
	}
	s := new(Server)
	s.setup.Do(func() { s.configure(opts) })
	return s
}

// init configures a zero Server with the defaults. Each exported method calls it first.
func (s *Server) init() {
	s.setup.Do(func() { s.configure(&ServerOptions{}) })
}

func (s *Server) configure(opts *ServerOptions) {
	s.origins, s.subprotocols, s.maxSockets = originPatterns(opts.Origins), opts.Subprotocols, opts.MaxConnections
	s.codecs = append(s.codecs, opts.Codecs...)
	s.codecs = append(s.codecs, codec.JSON)
	s.config = opts.conn().config()
	s.config.OnLeave = s.remove
	s.config.Registry = opts.Sessions.registry()
	s.config.Identify = s.config.principalOf(opts.Sessions)
	s.config.Authenticate = s.config.authenticator(opts.Authenticate)
	for _, cd := range opts.Codecs {
		s.config.codecs[cd.Format()] = cd
	}
	s.listeners = make(map[*net.Listener]struct{})
	s.openings = make(map[*session.Opening]struct{})
	s.conns = make(map[*session.Session]struct{})
	s.joinNodes(opts.Sessions)
	if opts.Describe {
		s.config.methods.register(Service{Name: "rpc", Methods: []*Method{s.config.methods.discover()}})
	}
}

// Register adds services. It panics if a method's name is already registered, as
// http.Handle does. Services may be added while the server runs.
func (s *Server) Register(services ...Service) {
	s.init()
	for _, svc := range services {
		s.config.methods.register(svc)
	}
}

// ServeHTTP serves a WebSocket handshake, or a POST with a JSON-RPC message or batch.
// It answers requests of browser pages with 403 if their origin is not allowed; see
// ServerOptions.Origins.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.init()
	if origin := r.Header.Get("Origin"); origin != "" {
		if !s.allows(origin, r.Host) {
			http.Error(w, fmt.Sprintf("origin %.100q is not allowed: see rpc.ServerOptions.Origins", origin), http.StatusForbidden)
			return
		}
		allowCORS(w.Header(), r, origin)
	}
	switch {
	case r.Method == http.MethodPost:
		s.servePOST(w, r)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		http.Error(w, "want a WebSocket handshake or a POST of JSON-RPC", http.StatusMethodNotAllowed)
	case !isHandshake(r):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		http.Error(w, "want a WebSocket handshake or a POST of JSON-RPC", http.StatusUpgradeRequired)
	case s.stopping():
		refuse(w, fault.MessageShuttingDown)
	default:
		s.serveWebSocket(w, r)
	}
}

// refuse answers a request that another server may accept. It closes the connection,
// or the next attempt would be made over it, and come to this server again.
func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Connection", "close")
	http.Error(w, why, http.StatusServiceUnavailable)
}

func isHandshake(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// ServeConn serves one connection over a pair of byte streams, such as a TCP
// connection, standard input and output, or a pipe. It returns when the connection
// ends, with the cause: ErrClosed, or io.EOF if the peer has gone, among others. The
// framing is that of the client's first message: see Framing. If that message is
// rpc.hello, the connection speaks wirecall. A plain client may close its sending side:
// what it has sent is served and answered, for up to 30 s, and its subscriptions end.
//
// The contexts of handlers have the values of ctx. The end of ctx ends the connection,
// and also its session if that waits for its client after the connection was lost: do
// not cancel ctx because ServeConn has returned.
func (s *Server) ServeConn(ctx context.Context, rwc io.ReadWriteCloser) error {
	s.init()
	if !s.enter() {
		rwc.Close()
		return errFull
	}
	return s.serveConn(ctx, &s.config.Settings, rwc, s.leave)
}

// serveConn serves a connection whose socket has been counted. It calls closed when the
// socket has been closed.
func (s *Server) serveConn(ctx context.Context, set *session.Settings, rwc io.ReadWriteCloser, closed func()) error {
	t := transport.NewFramed(rwc, transport.Detect, s.config.byteStreamOptions(closed))
	o := session.NewOpening(ctx, set, (*serverHost)(s), t, wire.JSON, true)
	stop := context.AfterFunc(ctx, func() { o.End(context.Cause(ctx), transport.CloseShutdown) })
	c, err := o.Run()
	stop()
	if c == nil {
		return err
	}
	stop = context.AfterFunc(ctx, func() { c.Fail(context.Cause(ctx), transport.CloseShutdown) })
	defer func() { c.WatchContext(t, stop) }()
	c.Read(t)
	if err := c.Err(); err != nil {
		c.AwaitNotifications(context.Background()) // ctx's end drops them
		return err
	}
	return t.Err()
}

var errFull = errors.New("too many connections")

// enter counts a socket, or returns false if there are too many. leave must be called
// when the socket has been closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.maxSockets > 0 && s.sockets >= s.maxSockets {
		return false
	}
	s.sockets++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets--
}

// admit adds a session whose reader is about to start. If the server has been stopped,
// it ends the session and returns false.
func (s *Server) admit(c *session.Session) bool {
	c.Activate()
	s.mu.Lock()
	stopped := s.stopped
	if !stopped {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if stopped {
		c.RefuseStart(session.ErrDrained)
	}
	return !stopped
}

// A serverHost is a Server as the host of its openings. It implements session.Host.
type serverHost Server

// Accept implements session.Host: it adds the session of an opening. If the server has
// been stopped since the opening began, the session may finish like any other.
func (s *serverHost) Accept(c *session.Session) { (*Server)(s).addSession(c, nil) }

// addSession adds a session that began with the given WebSocket handshake, or with none
// if it is nil.
func (s *Server) addSession(c *session.Session, handshake *http.Request) {
	connOf(c).observeSession(c, handshake)
	c.Activate()
	s.mu.Lock()
	s.conns[c] = struct{}{}
	stopped, until := s.stopped, s.until
	s.mu.Unlock()
	if stopped {
		c.Goaway(until)
	}
}

// AddOpening implements session.Host. It returns false if the server has been stopped.
func (s *serverHost) AddOpening(o *session.Opening) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.openings[o] = struct{}{}
	}
	return !s.stopped
}

// RemoveOpening implements session.Host.
func (s *serverHost) RemoveOpening(o *session.Opening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.openings, o)
}

func (s *Server) remove(c *session.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Serve accepts connections and serves each as ServeConn does. It returns
// ErrServerClosed at once after Close or Shutdown, which close ln, the cause of ctx
// when ctx ends, which closes ln and ends the connections, or the error of ln. Serve
// closes ln in any case. It does not wait for connections; Shutdown does.
//
// If ln fails temporarily, for example for lack of file descriptors, Serve tries again
// after at most a second, as http.Server does.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.init()
	defer ln.Close()
	if !s.listens(&ln) {
		return ErrServerClosed
	}
	defer s.unlisten(&ln)
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for wait := acceptWait; ; {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			wait = acceptWait
			go s.ServeConn(ctx, conn)
		case s.stopping():
			return ErrServerClosed
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !isTemporary(err):
			return err
		default:
			backoff.Sleep(ctx, wait)
			wait = min(2*wait, time.Second)
		}
	}
}

const acceptWait = 5 * time.Millisecond

// isTemporary reports whether err of a listener is temporary.
func isTemporary(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Temporary() bool
		Timeout() bool
	}](err)
	return ok && e.Temporary() && !e.Timeout()
}

// listens records a listener that the end of the server closes, and returns false if
// the server has ended. The key is a pointer, because the listener's type may not be
// comparable.
func (s *Server) listens(ln *net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.listeners[ln] = struct{}{}
	}
	return !s.stopped
}

func (s *Server) unlisten(ln *net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}
