package rpc

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/wirecall/wirecall/codec"
)

// ConnOptions configure a connection that NewConn makes over a pair of byte
// streams. The zero value of each field is the recommendation.
type ConnOptions struct {
	// Services are what this side serves to its peer.
	Services []Service

	// Limits bound what the connection may cost this side.
	Limits Limits

	// CallInterceptors are wrapped around calls that this side makes, the first
	// outermost; ServeInterceptors around calls that it serves.
	CallInterceptors  []Interceptor
	ServeInterceptors []Interceptor

	// Token returns what the server is to know this side by, at most 16 KiB. It is
	// asked for before each session and each resume of one, and once more if the
	// server does not accept it. A server that does not speak wirecall is not told.
	Token func(ctx context.Context) (string, error)

	// StreamInterceptors are called for each stream, the first outermost: see there.
	StreamInterceptors []StreamInterceptor

	// Observers are told what happens: connections, calls, streams.
	Observers []*Observer

	// StrictParams refuses calls with a parameter that their method does not have,
	// with CodeInvalidParams and its name. By default unknown parameters are
	// ignored, which is what makes it safe to add one: with StrictParams, clients
	// that were built later are refused. Parameters by position are always counted.
	StrictParams bool

	// HideErrors replaces the message of an ordinary Go error that a handler
	// returns with "internal error". Errors with a code cross as they are.
	HideErrors bool

	// Logger receives what no caller is told: panics, failed notifications. The
	// default is slog.Default.
	Logger *slog.Logger
}

// DialOptions configure a connection that Dial makes. The zero value of each
// field is the recommendation.
type DialOptions struct {
	// Codec encodes values. The default is codec.JSON, the only one that lines
	// (tcp and unix) can carry. The server must offer any other.
	Codec codec.Codec

	// Header is sent with the WebSocket handshake, for authentication and the
	// like. A Host takes the place of the URL's. Headers that the handshake itself
	// sets (Connection, Upgrade, Sec-WebSocket-*) are refused, and so is any
	// header with tcp and unix, which have no handshake.
	Header http.Header

	// HeaderFunc returns headers for each WebSocket handshake, in place of those of
	// the same name in Header: for credentials that expire. An error is that of the
	// attempt to connect.
	HeaderFunc func(ctx context.Context) (http.Header, error)

	// HTTPClient makes the WebSocket handshake: its Transport has the TLS
	// configuration and the proxies, and its Timeout bounds the handshake alone.
	// Through an HTTP proxy the connection is a tunnel (CONNECT), for ws:// as well
	// if the Transport is an *http.Transport. The default is http.DefaultClient.
	// It is refused with tcp and unix.
	HTTPClient *http.Client

	// NetDial opens the socket instead of a net.Dialer, whatever the URL's scheme:
	// through an SSH tunnel, say, or to a network that a test breaks. It is
	// refused together with HTTPClient, whose Transport opens its own sockets.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Reconnect says how the connection is made again when its socket is lost.
	Reconnect Reconnect

	// Resume continues the session after a cut, with everything that was in
	// flight, if the server has ServerOptions.Sessions. Without it, or if the
	// server no longer has the session, calls in flight fail and streams end with
	// an error, and the connection continues with a new session. It is refused
	// together with Reconnect.Disabled.
	Resume bool

	Services           []Service                                 // as in ConnOptions
	Limits             Limits                                    // as in ConnOptions
	CallInterceptors   []Interceptor                             // as in ConnOptions
	ServeInterceptors  []Interceptor                             // as in ConnOptions
	StreamInterceptors []StreamInterceptor                       // as in ConnOptions
	Observers          []*Observer                               // as in ConnOptions
	Token              func(ctx context.Context) (string, error) // as in ConnOptions
	StrictParams       bool                                      // as in ConnOptions
	HideErrors         bool                                      // as in ConnOptions
	Logger             *slog.Logger                              // as in ConnOptions
}

// ServerOptions configure a Server. The zero value of each field is the
// recommendation.
type ServerOptions struct {
	// Origins are the foreign origins whose pages may connect and POST from a
	// browser, with its cookies: host patterns as path.Match has them, such as
	// "*.example.com", "localhost:*" or "[::1]:8080", or with a scheme,
	// "https://app.example.com". "null" is what sandboxed frames of any site say,
	// "file://" what local pages may, and "*" is every origin, these two among them.
	// The server's own host always may; a client that sends no Origin is no browser.
	Origins []string

	// Subprotocols are the WebSocket subprotocols of the application's own, for
	// clients that ask for one and speak plain JSON-RPC: a browser lets its page have
	// no connection unless the server accepts one that the page has named. Of those
	// that a client names, the first that is listed here is accepted. The default,
	// nil, accepts the first that it names, since pages pass tokens behind it. Names are
	// compared exactly. A client that names wirecall's is served with that.
	Subprotocols []string

	// Codecs are offered beside JSON, such as cbor.Codec. A client's first
	// choice among them wins.
	Codecs []codec.Codec

	// MaxConnections is how many sockets may be open at once, WebSockets and those
	// of Serve and ServeConn. One more handshake is answered with 503; any other
	// socket is closed. The default is no limit: how many a machine can carry is
	// known where it runs.
	MaxConnections int

	// Authenticate checks who a client is: of each session, each resume of one, each
	// POST and each plain WebSocket. token is what its DialOptions.Token has returned,
	// or else the bearer token of its HTTP request, or empty. ctx has the values of
	// the request, which a middleware may have set. The context that is returned must
	// be made of it, and is that of the handlers which start later, also in a session
	// that goes on; its deadline is when the credentials expire: then the socket is
	// closed. An error refuses the client, with CodeUnauthenticated unless it has
	// CodePermissionDenied, CodeUnavailable or CodeLimitReached; the client is told
	// the message of an *Error and of no other. It may be called by several
	// goroutines at once. Server.Caller does not call it.
	Authenticate func(ctx context.Context, token string) (context.Context, error)

	// Sessions, if not nil, lets a client that was cut off continue its session,
	// with everything that was in flight. The client asks for it with
	// DialOptions.Resume.
	Sessions *SessionOptions

	// Limits bound what each connection may cost.
	Limits Limits

	// ServeInterceptors are wrapped around calls that the server serves, the
	// first outermost; CallInterceptors around calls that handlers make to their
	// peers.
	ServeInterceptors []Interceptor
	CallInterceptors  []Interceptor

	// StreamInterceptors are called for each stream, the first outermost: see there.
	StreamInterceptors []StreamInterceptor

	// Observers are told what happens: connections, calls, streams.
	Observers []*Observer

	// StrictParams refuses calls with a parameter that their method does not have,
	// with CodeInvalidParams and its name. By default unknown parameters are
	// ignored, which is what makes it safe to add one: with StrictParams, clients
	// that were built later are refused. Parameters by position are always counted.
	StrictParams bool

	// HideErrors replaces the message of an ordinary Go error that a handler
	// returns with "internal error". Errors with a code cross as they are.
	HideErrors bool

	// Logger receives what no caller is told: panics, failed notifications. The
	// default is slog.Default.
	Logger *slog.Logger
}

// conn returns the options that a dialed connection shares with others.
func (o *DialOptions) conn() *ConnOptions {
	return &ConnOptions{
		Services:           o.Services,
		Limits:             o.Limits,
		CallInterceptors:   o.CallInterceptors,
		ServeInterceptors:  o.ServeInterceptors,
		StreamInterceptors: o.StreamInterceptors,
		Observers:          o.Observers,
		Token:              o.Token,
		StrictParams:       o.StrictParams,
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
