package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// A Target is the server at the other end of the page's WebSocket.
type Target struct {
	URL    string // ws, wss, http or https for a WebSocket, tcp or unix for a byte stream
	Header http.Header
	Client http.Client // makes the handshake of a WebSocket

	// Start starts a program whose standard input and output take the place of the URL.
	// It is called for each socket of the page. It may be nil.
	Start func() (io.ReadWriteCloser, error)

	// Plain says that the server speaks plain JSON-RPC 2.0 and is not asked whether it
	// speaks wirecall. A server that is asked may turn out to be plain, too.
	Plain bool

	// ContentLength frames the messages of a byte stream behind headers, not as lines.
	ContentLength bool

	// Token returns the token that authenticates the page's sessions, or is nil. The page
	// never has it.
	Token func(ctx context.Context) (string, error)
}

const (
	subprotocol = "wirecall.v1.json"
	dialTimeout = 20 * time.Second

	// closeUnreachable is the close code of RFC 6455 for a server that cannot serve now.
	closeUnreachable transport.CloseCode = 1013
)

// options bound both sockets of a relay: 16 MiB a frame, and half a minute without progress.
var options = transport.Options{MaxFrame: 16 << 20, Stall: 30 * time.Second}

// isByteStream reports whether the server is reached over a pair of byte streams.
func (t *Target) isByteStream() bool {
	u, err := url.Parse(t.URL)
	return t.Start != nil || err == nil && (u.Scheme == "tcp" || u.Scheme == "unix")
}

// Config returns what the page must be told of the target.
func (t *Target) Config(shown string) Config {
	return Config{URL: "socket", Target: shown, Resume: !t.isByteStream()}
}

// dial connects to the server. plain reports whether that certainly is plain JSON-RPC.
func (t *Target) dial(ctx context.Context) (to transport.Transport, plain bool, err error) {
	if !t.isByteStream() {
		return t.dialWebSocket(ctx)
	}
	rwc, err := t.dialByteStream(ctx)
	if err != nil {
		return nil, false, err
	}
	framing := transport.Lines
	if t.ContentLength {
		framing = transport.Headers
	}
	return transport.NewFramed(rwc, framing, options), t.Plain, nil
}

func (t *Target) dialWebSocket(ctx context.Context) (to transport.Transport, plain bool, err error) {
	o := &transport.DialOptions{Options: options, Client: t.Client, Header: t.Header}
	if !t.Plain {
		o.Subprotocols = []string{subprotocol}
	}
	ws, resp, err := transport.Dial(ctx, t.URL, o)
	switch {
	case err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, false, fmt.Errorf("the server answered %s", resp.Status)
	case err != nil:
		return nil, false, withoutURL(err)
	case ws.Subprotocol() == "":
		ws.Plain()
		return ws, true, nil
	}
	return ws, false, nil
}

func (t *Target) dialByteStream(ctx context.Context) (io.ReadWriteCloser, error) {
	if t.Start != nil {
		return t.Start()
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, errors.New("the URL cannot be parsed")
	}
	return new(net.Dialer).DialContext(ctx, u.Scheme, u.Host+u.Path)
}

// withoutURL returns err without the URL in front of it, which may hold a password.
func withoutURL(err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		return inner.Err
	}
	return err
}
