package transport

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"syscall/js"
)

var (
	errNoWebSocket = errors.New("this JavaScript engine has no WebSocket")
	errNotOpened   = errors.New("the WebSocket could not be opened; the browser's console says why, a page is not told")
)

// Dial opens a WebSocket of the browser. ctx bounds the handshake only. There is never a
// response, since a page does not receive it.
func Dial(ctx context.Context, url string, o *DialOptions) (*WebSocket, *http.Response, error) {
	socket, err := construct(url, o.Subprotocols)
	if err != nil {
		return nil, nil, err
	}
	w := newWebSocket(socket, o)
	select {
	case <-w.opened:
		return w, nil, nil
	case <-w.closed:
		return nil, nil, errNotOpened
	case <-ctx.Done():
		w.Close()
		return nil, nil, context.Cause(ctx)
	}
}

// construct calls the constructor of a WebSocket. It throws if the page may not open the
// URL, such as one of ws from a page of https.
func construct(url string, subprotocols []string) (socket js.Value, err error) {
	class := js.Global().Get("WebSocket")
	if class.IsUndefined() {
		return socket, errNoWebSocket
	}
	defer func() {
		if thrown := recover(); thrown != nil {
			e, ok := thrown.(js.Error)
			if !ok {
				panic(thrown)
			}
			err = e
		}
	}()
	names := js.Global().Get("Array").New()
	for _, name := range subprotocols {
		names.Call("push", name)
	}
	return class.New(webSocketURL(url), names), nil
}

// webSocketURL returns url with the scheme ws or wss, which older browsers insist on.
func webSocketURL(url string) string {
	if rest, ok := strings.CutPrefix(url, "http"); ok {
		return "ws" + rest
	}
	return url
}
