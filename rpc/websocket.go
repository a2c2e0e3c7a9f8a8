package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/wire"
)

// A wsLink carries frames as WebSocket messages. coder/websocket does the
// framing, into and out of a wireConn; it never sees a caller's context, whose
// end would close the connection.
type wsLink struct {
	*wireConn
	ws   *websocket.Conn
	typ  websocket.MessageType
	text bool // plain mode: the peer knows nothing of our close codes
	buf  []byte

	closing sync.Once
	last    int // the size of the last frame: what the next is likely to have
}

// readAhead is how much is read at once where the socket cannot be waited for
// without a buffer.
const readAhead = 4 << 10

func newWSLink(w *wireConn, ws *websocket.Conn, cd codec.Codec, m mode, limit int) *wsLink {
	l := &wsLink{wireConn: w, ws: ws, typ: websocket.MessageText, text: m == modePlain}
	if cd.Format() == wire.CBOR {
		l.typ = websocket.MessageBinary
	}
	w.accepted.Store(true)
	ws.SetReadLimit(int64(max(limit, frameSize)) + 64)
	return l
}

func (l *wsLink) read() ([]byte, error) {
	buffers.Put(l.buf) // a connection that waits holds none
	l.buf = nil
	l.await() // here and not down there, where the stack is twice as deep
	typ, r, err := l.ws.Reader(context.Background())
	if err != nil {
		return nil, linkError(err)
	}
	if typ != l.typ && !l.text { // plain JSON-RPC may come as text or binary
		return nil, breachError{CodeInvalidRequest, fmt.Sprintf("a frame is %s: this connection uses %s", frameKind(typ), frameKind(l.typ))}
	}
	l.buf = buffers.Get(l.last)
	for {
		if l.buf = buffers.Grow(l.buf, 1); len(l.buf) == cap(l.buf) {
			l.buf = append(l.buf, 0)[:len(l.buf)]
		}
		n, err := r.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		if err == io.EOF && !l.over() { // coder/websocket says the same where the socket has ended within the frame
			l.last = len(l.buf)
			return l.buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *wsLink) keep(most int) []byte {
	b := l.buf
	if cap(b) > most {
		return nil
	}
	l.buf = nil
	return b
}

func frameKind(typ websocket.MessageType) string {
	if typ == websocket.MessageText {
		return "text"
	}
	return "binary"
}

// linkError is what ended a WebSocket, in fewer words than the library's.
func linkError(err error) error {
	if ce, ok := errors.AsType[websocket.CloseError](err); ok {
		return closedError{closeCode(ce.Code), ce.Reason, ce}
	}
	for _, plain := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, plain) {
			return plain
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}

func (l *wsLink) write(frame []byte) error {
	return l.ws.Write(context.Background(), l.typ, frame)
}

func (l *wsLink) shut(code closeCode, reason string) {
	if l.text && code >= 4000 {
		if code == closeShutdown {
			code = closeCode(websocket.StatusGoingAway)
		} else {
			code = closeCode(websocket.StatusPolicyViolation)
		}
	}
	reason = strings.ToValidUTF8(reason, "\ufffd") // it may quote a user's error
	for len(reason) > 120 {                        // a control frame has 125 bytes: RFC 6455, section 5.5
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	l.ws.Close(websocket.StatusCode(code), reason)
	l.cut()
}

// cut also closes the websocket.Conn, which has a finalizer until then and leads
// back to itself: such things are never collected. That waits for the reader, who
// may be the caller.
func (l *wsLink) cut() {
	l.wireConn.shut()
	l.closing.Do(func() { go l.ws.CloseNow() })
}

// ping sends a WebSocket ping; the pong counts as a sign of life. It waits for
// it, so it runs on a goroutine of its own: the housekeeping's.
func (l *wsLink) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	_ = l.ws.Ping(ctx)
}

// serveWebSocket makes the handshake and leaves: the connection's reader is the
// one goroutine that stays, and the request's own stack is given back.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !hijackable(w) {
		s.config.log.Error("a middleware in front of the rpc.Server hides the connection: its http.ResponseWriter needs Hijack or Unwrap (http.TimeoutHandler's has neither)", "writer", fmt.Sprintf("%T", w))
		http.Error(w, "the server cannot take over the connection: see its log", http.StatusNotImplemented)
		return
	}
	if !s.enter() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, errFull.Error(), http.StatusServiceUnavailable)
		return
	}
	wire := &wireConn{stall: s.config.limits.WriteTimeout, closed: s.leave}
	opts := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // ServeHTTP has looked at the origin
		OnPingReceived:     wire.pong,
		OnPongReceived:     wire.ponged,
	}
	name, cd, m := s.selectSubprotocol(offered(r))
	if name != "" {
		opts.Subprotocols = []string{name}
	}
	ws, err := websocket.Accept(&hijack{w, wire}, offering(r, name), opts)
	if err != nil {
		s.leave()
		return // Accept has answered
	}
	l := newWSLink(wire, ws, cd, m, s.config.limits.MessageBytes)
	if m == modePlain {
		s.servePlainWebSocket(r.Context(), l)
		return
	}
	o := s.newOpening(r.Context(), l, cd, false)
	go func() {
		if c, _ := o.run(); c != nil {
			c.read(l)
		}
	}()
}

// servePlainWebSocket begins a session for a client that knows no hello.
func (s *Server) servePlainWebSocket(ctx context.Context, l *wsLink) {
	c := newSession(ctx, s.config, codec.JSON, l, modePlain)
	c.principal = s.config.principalOf(ctx)
	l.bind(c)
	if s.admit(c) {
		go c.read(l)
	}
}

// hijackable reports whether w, or what it wraps, gives its connection away.
func hijackable(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}

// A hijack hands coder/websocket our wireConn in place of the connection, and
// small buffers in place of net/http's. The wireConn must not know it: what is
// behind the ResponseWriter would live as long as the connection.
type hijack struct {
	http.ResponseWriter
	wire *wireConn
}

func (h *hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Time{}) // of the http.Server's, for requests
	w := h.wire
	w.connect(conn, conn)
	// What a fast client has sent behind its handshake is already buffered.
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	w.ahead = append([]byte(nil), early...)
	size := readAhead
	if w.chunked() {
		w.lean, size = true, tiny
	}
	nc := &wireNetConn{w, conn}
	return nc, bufio.NewReadWriter(bufio.NewReaderSize(nc, size), bufio.NewWriterSize(nc, tiny)), nil
}

// wireNetConn is a wireConn with the rest of net.Conn's methods, which
// coder/websocket does not use.
type wireNetConn struct {
	*wireConn
	conn net.Conn
}

func (n *wireNetConn) LocalAddr() net.Addr              { return n.conn.LocalAddr() }
func (n *wireNetConn) RemoteAddr() net.Addr             { return n.conn.RemoteAddr() }
func (n *wireNetConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (n *wireNetConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (n *wireNetConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
