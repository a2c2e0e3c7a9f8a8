//go:build !js

package transport

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Accept answers a WebSocket handshake and selects the given subprotocol, "" for none,
// whatever else the client offers. Frames are binary if binary is set, and otherwise
// text. It does not check the origin. If it fails it has answered the request. It does
// not use w or r after it has returned.
func Accept(w http.ResponseWriter, r *http.Request, subprotocol string, binary bool, o Options) (*WebSocket, error) {
	c := &conn{stall: o.Stall}
	opts := &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		OnPingReceived:     c.onPing,
		OnPongReceived:     c.onPong,
	}
	if subprotocol != "" {
		opts.Subprotocols = []string{subprotocol}
	}
	ws, err := websocket.Accept(&hijacker{w, c}, offering(r, subprotocol), opts)
	if err != nil {
		return nil, err
	}
	c.onClose = o.OnClose
	if o.Remote != nil {
		c.remote = o.Remote
	}
	return newWebSocket(c, ws, messageType(binary), o.MaxFrame), nil
}

func messageType(binary bool) websocket.MessageType {
	if binary {
		return websocket.MessageBinary
	}
	return websocket.MessageText
}

// offering returns r with name, if it is not empty, as the only subprotocol offered.
func offering(r *http.Request, name string) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = maps.Clone(r.Header)
	delete(r.Header, "Sec-Websocket-Protocol")
	if name != "" {
		r.Header["Sec-Websocket-Protocol"] = []string{name}
	}
	return r
}

// readAhead is how many bytes are read at once if the socket cannot be waited for
// without a buffer.
const readAhead = 4 << 10

// A hijacker passes a conn to coder/websocket in place of the connection, and small
// buffers in place of net/http's. The conn must not refer to the hijacker, or what is
// behind the ResponseWriter would live as long as the connection.
type hijacker struct {
	http.ResponseWriter
	conn *conn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	below, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	below.SetDeadline(time.Time{}) // the http.Server's was for the request
	c := h.conn
	c.connect(below, below)
	// What the client has sent after its request may be buffered already.
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	c.unread = append([]byte(nil), early...)
	size := readAhead
	if c.direct && c.sock != nil {
		c.unbuffered, size = true, minBuffer
	}
	nc := &netConn{(*byteStream)(c), below}
	return nc, bufio.NewReadWriter(bufio.NewReaderSize(nc, size), bufio.NewWriterSize(nc, minBuffer)), nil
}
