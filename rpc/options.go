package rpc

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// ConnOptions configure a connection that NewConn makes over a pair of byte streams.
// The zero value of each field is the recommended one.
type ConnOptions struct {
	// Services are served to the peer. No two of them may have a method of the same name.
	Services []Service

	// Framing is how messages are delimited. The default is Lines.
	Framing Framing

	// Plain makes the connection plain JSON-RPC 2.0 from its first message. By default it
	// begins with the request rpc.hello, and is plain if the server's answer shows that it
	// does not know that. Some servers accept no unknown request, others answer none
	// before a first one of their own. It is invalid together with Token, which a plain
	// server does not receive.
	Plain bool

	// Limits bound what the connection may cost this side.
	Limits Limits

	// CallInterceptors are wrapped around calls that this side makes, the first
	// outermost; ServeInterceptors around calls that it serves.
	CallInterceptors  []Interceptor
	ServeInterceptors []Interceptor

	// Token returns the token that authenticates this side to the server, at most 16 KiB.
	// It is called before each session and each resume of one, when the server says that
	// the credentials are about to expire, and once more if the server refuses the token.
	// A server that does not speak wirecall does not receive the token. Token may be called
	// by several goroutines at once.
	Token func(ctx context.Context) (string, error)

	// StreamInterceptors are called for each stream, the first outermost.
	StreamInterceptors []StreamInterceptor

	// Observers are called with the events of connections, calls and streams.
	Observers []*Observer

	// StrictParams refuses calls with a parameter that their method does not have, with
	// CodeInvalidParams and the parameter's name. By default unknown parameters are
	// ignored, so that it is safe to add one: with StrictParams, clients that were built
	// later are refused. The number of parameters by position is always checked.
	StrictParams bool

	// ByPosition sends the parameters of all calls as an array in plain mode, as if each
	// method had Plain.ByPosition. In wirecall mode it has no effect.
	ByPosition bool

	// HideErrors replaces the message of an ordinary Go error that a handler returns with
	// "internal error". Errors with a code are sent as they are.
	HideErrors bool

	// Logger receives what no caller gets, such as panics and failed notifications.
	// The default is slog.Default().
	Logger *slog.Logger
}

// DialOptions configure a connection that Dial makes. The zero value of each field is
// the recommended one. In a browser (js/wasm) Header, HeaderFunc, HTTPClient and NetDial
// are invalid, since the browser makes the WebSocket handshake: use Token.
type DialOptions struct {
	// Codec encodes values. The default is codec.JSON, the only codec that lines (tcp and
	// unix) can carry. Any other codec must be among the server's ServerOptions.Codecs.
	Codec codec.Codec

	// Header is sent with the WebSocket handshake, for example for authentication. A Host
	// replaces that of the URL. Headers that the handshake itself sets (Connection,
	// Upgrade, Sec-WebSocket-*) are invalid, and so is any header with tcp and unix,
	// which have no handshake.
	Header http.Header

	// HeaderFunc returns headers for each WebSocket handshake, for credentials that
	// expire. They replace those of the same name in Header. If it returns an error, the
	// attempt to connect fails with it.
	HeaderFunc func(ctx context.Context) (http.Header, error)

	// HTTPClient makes the WebSocket handshake. Its Transport has the TLS configuration
	// and the proxies, and its Timeout bounds only the handshake. Through an HTTP proxy
	// the connection is a tunnel (CONNECT), for ws:// as well if the Transport is an
	// *http.Transport. The default is http.DefaultClient. HTTPClient is invalid with tcp
	// and unix.
	HTTPClient *http.Client

	// NetDial opens the socket in place of a net.Dialer, whatever the URL's scheme:
	// through an SSH tunnel, for example, or to a network that a test interrupts. It is
	// invalid together with HTTPClient, whose Transport opens its own sockets.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Redirect reports whether to follow a redirect to another host. A server may redirect
	// a WebSocket client to the node of its cluster that has the client's session. The
	// host of the dialed URL, at any port, and names below it are followed without being
	// asked for, others not at all by default, and never from wss to ws. The handshake
	// there is the same, with all headers and credentials. A client that does not follow
	// reaches its session through the first server.
	Redirect func(to *url.URL) bool

	// Framing is how messages are delimited with tcp and unix. The default is Lines. Any
	// other is invalid for a WebSocket, which delimits messages itself.
	Framing Framing

	// Plain is as in ConnOptions. With it no subprotocol is offered to the server of a
	// WebSocket. It is also invalid together with Resume, and with any Codec but JSON.
	Plain bool

	// Reconnect configures how the client reconnects when its socket is lost.
	Reconnect Reconnect

	// Resume continues the session after its socket was lost, with everything in flight,
	// if the server has ServerOptions.Sessions. Without it, or if the server no longer
	// has the session, calls in flight fail, streams end with an error, and the
	// connection continues with a new session. It is invalid together with
	// Reconnect.Disabled.
	Resume bool

	Services           []Service                                 // as in ConnOptions
	Limits             Limits                                    // as in ConnOptions
	CallInterceptors   []Interceptor                             // as in ConnOptions
	ServeInterceptors  []Interceptor                             // as in ConnOptions
	StreamInterceptors []StreamInterceptor                       // as in ConnOptions
	Observers          []*Observer                               // as in ConnOptions
	Token              func(ctx context.Context) (string, error) // as in ConnOptions
	StrictParams       bool                                      // as in ConnOptions
	ByPosition         bool                                      // as in ConnOptions
	HideErrors         bool                                      // as in ConnOptions
	Logger             *slog.Logger                              // as in ConnOptions
}

// ServerOptions configure a Server. The zero value of each field is the recommended
// one.
type ServerOptions struct {
	// Origins are the foreign origins whose pages may connect and POST from a browser,
	// with its cookies. Each is a host pattern of path.Match, such as "*.example.com",
	// "localhost:*" or "[::1]:8080", or one with a scheme, "https://app.example.com".
	// "null" is the origin of sandboxed frames of any site, "file://" that of local
	// pages, and "*" stands for every origin, including these two. The server's own host
	// is always allowed, and so is a client that sends no Origin, since it is not a
	// browser.
	Origins []string

	// Subprotocols are the application's own WebSocket subprotocols, for plain JSON-RPC
	// clients that ask for one: a browser fails a connection if the server accepts none
	// of those that the page has asked for. The first that the client asks for and that
	// is listed here is accepted. The default, nil, accepts the first that the client
	// asks for, since pages pass tokens after it. Names are compared exactly. A client
	// that asks for a subprotocol of wirecall gets that.
	Subprotocols []string

	// Codecs are offered in addition to JSON, such as cbor.Codec. The first that the
	// client asks for among them is used.
	Codecs []codec.Codec

	// MaxConnections is how many sockets may be open at once: WebSockets, and those of
	// Serve and ServeConn. Above it a handshake is answered with 503, and any other
	// socket is closed. The default is no limit, since the right number depends on the
	// machine.
	MaxConnections int

	// Authenticate authenticates the client of each session, each resume of a session,
	// each POST and each plain WebSocket. token is the result of the client's
	// DialOptions.Token, or else the bearer token of its HTTP request, or empty. ctx has
	// the values of the request, which a middleware may have set.
	//
	// The context that it returns must be made of ctx. It is the context of handlers that
	// start later, also in a session that is resumed, and its deadline is when the
	// credentials expire: the socket is closed then. A client that has a Token is asked
	// to renew them over the connection when a quarter of the time is left, or a minute;
	// Authenticate is called for that token too.
	//
	// An error refuses the client: with its code if that is CodePermissionDenied,
	// CodeUnavailable or CodeLimitReached, and otherwise with CodeUnauthenticated. The
	// client receives the message of an *Error, and of no other error. Authenticate may
	// be called by several goroutines at once. Server.Caller does not call it.
	Authenticate func(ctx context.Context, token string) (context.Context, error)

	// Sessions, if not nil, lets a client resume its session after its socket was lost,
	// with everything in flight. The client asks for it with DialOptions.Resume.
	Sessions *SessionOptions

	// Limits bound what each connection may cost.
	Limits Limits

	// ServeInterceptors are wrapped around calls that the server serves, and
	// CallInterceptors around calls that handlers make to their peers. The first is the
	// outermost.
	ServeInterceptors []Interceptor
	CallInterceptors  []Interceptor

	// StreamInterceptors are called for each stream, the first outermost.
	StreamInterceptors []StreamInterceptor

	// Observers are called with the events of connections, calls and streams.
	Observers []*Observer

	// StrictParams refuses calls with a parameter that their method does not have, with
	// CodeInvalidParams and the parameter's name. By default unknown parameters are
	// ignored, so that it is safe to add one: with StrictParams, clients that were built
	// later are refused. The number of parameters by position is always checked.
	StrictParams bool

	// HideErrors replaces the message of an ordinary Go error that a handler returns with
	// "internal error". Errors with a code are sent as they are.
	HideErrors bool

	// Describe has the server describe itself: it serves the method rpc.discover, which
	// returns an OpenRPC document of all services that are registered. The method passes
	// the interceptors and observers as any other, under that name: an interceptor may
	// refuse it. The default is not to, since a description shows attackers where to begin.
	Describe bool

	// Logger receives what no caller gets, such as panics and failed notifications.
	// The default is slog.Default().
	Logger *slog.Logger
}

// conn returns the options that a dialed connection shares with others.
func (o *DialOptions) conn() *ConnOptions {
	return &ConnOptions{
		Services:           o.Services,
		Framing:            o.Framing,
		Plain:              o.Plain,
		Limits:             o.Limits,
		CallInterceptors:   o.CallInterceptors,
		ServeInterceptors:  o.ServeInterceptors,
		StreamInterceptors: o.StreamInterceptors,
		Observers:          o.Observers,
		Token:              o.Token,
		StrictParams:       o.StrictParams,
		ByPosition:         o.ByPosition,
		HideErrors:         o.HideErrors,
		Logger:             o.Logger,
	}
}

// conn returns the options of each of the server's connections.
func (o *ServerOptions) conn() *ConnOptions {
	return &ConnOptions{
		Limits:             o.Limits,
		CallInterceptors:   o.CallInterceptors,
		ServeInterceptors:  o.ServeInterceptors,
		StreamInterceptors: o.StreamInterceptors,
		Observers:          o.Observers,
		StrictParams:       o.StrictParams,
		HideErrors:         o.HideErrors,
		Logger:             o.Logger,
	}
}

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
	byPosition bool       // see ConnOptions.ByPosition
	observers  *observers // never nil

	streamInterceptors []StreamInterceptor
}

func (o *ConnOptions) config() *config {
	cfg := &config{
		methods:    &registry{},
		codecs:     [2]codec.Codec{wire.JSON: codec.JSON},
		callChain:  chain(o.CallInterceptors),
		serveChain: chain(o.ServeInterceptors),
		intercepts: len(o.ServeInterceptors) > 0,
		hideErrors: o.HideErrors,
		strict:     o.StrictParams,
		byPosition: o.ByPosition,
	}
	cfg.Settings = session.Settings{Limits: session.Limits(o.Limits.withDefaults()), Log: logger(o.Logger), Lookup: cfg.methods.lookup, PlainName: cfg.methods.plainName, Unknown: unknown, Cause: closedByPeer}
	cfg.observers, cfg.streamInterceptors = newObservers(o.Observers, cfg.Log), o.StreamInterceptors
	if len(cfg.observers.call) > 0 {
		cfg.Refused = cfg.observeRefusal
	}
	if o.Token != nil {
		cfg.Token = func(ctx context.Context) (string, error) { return guarded(ctx, cfg.Log, "Token", o.Token) }
	}
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
