//go:build !js

package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/internal/buffers"
)

// A WebSocket is a Transport whose frames are WebSocket messages of one type.
// coder/websocket reads them from a conn and writes them into it. It never receives a
// caller's context, whose end would close the connection.
type WebSocket struct {
	*conn
	ws    *websocket.Conn
	typ   websocket.MessageType
	plain bool // see Plain
	first bool // the next frame is the first of a server, which may speak plain JSON-RPC
	frame []byte

	closing  sync.Once
	lastSize int // size of the last frame, a guess for the next
}

func newWebSocket(c *conn, ws *websocket.Conn, typ websocket.MessageType, maxFrame int) *WebSocket {
	c.accepted.Store(true)
	ws.SetReadLimit(int64(maxFrame) + frameOverhead)
	return &WebSocket{conn: c, ws: ws, typ: typ}
}

// Subprotocol returns the subprotocol that the handshake selected, or "" if none.
func (w *WebSocket) Subprotocol() string { return w.ws.Subprotocol() }

// Plain sets the transport up for a peer that speaks plain JSON-RPC: frames are read as
// text or binary, and the connection closes with codes of RFC 6455. It must be called
// before the first ReadFrame.
func (w *WebSocket) Plain() { w.plain = true }

// ReadFrame implements Transport.
func (w *WebSocket) ReadFrame() ([]byte, error) {
	buffers.Put(w.frame) // a waiting connection holds no buffer
	w.frame = nil
	w.await() // here rather than in the library, whose stack is twice as deep
	typ, r, err := w.ws.Reader(context.Background())
	if err != nil {
		return nil, readError(err)
	}
	first := w.first
	w.first = false
	if typ != w.typ && !w.plain && !first {
		return nil, wrongType(typ == websocket.MessageBinary)
	}
	w.frame = buffers.Get(w.lastSize)
	for {
		if w.frame = buffers.Grow(w.frame, 1); len(w.frame) == cap(w.frame) {
			w.frame = append(w.frame, 0)[:len(w.frame)]
		}
		n, err := r.Read(w.frame[len(w.frame):cap(w.frame)])
		w.frame = w.frame[:len(w.frame)+n]
		if err == io.EOF && !w.readEnded() { // coder/websocket returns the same if the socket has ended within the frame
			w.lastSize = len(w.frame)
			return w.frame, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// TakeBuffer implements Transport.
func (w *WebSocket) TakeBuffer(limit int) []byte {
	b := w.frame
	if cap(b) > limit {
		return nil
	}
	w.frame = nil
	return b
}

// readError returns the error that ended a WebSocket, without the library's prefixes.
func readError(err error) error {
	if e, ok := errors.AsType[websocket.CloseError](err); ok {
		return CloseError{CloseCode(e.Code), e.Reason, e}
	}
	for _, short := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, short) {
			return short
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	return err
}

// WriteFrame implements Transport.
func (w *WebSocket) WriteFrame(frame []byte) error {
	w.writing.Store(true)
	defer w.writing.Store(false)
	return w.ws.Write(context.Background(), w.typ, frame)
}

// Ping implements Transport.
func (w *WebSocket) Ping(timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = w.ws.Ping(ctx)
	return true
}

// CloseHandshake implements Transport.
func (w *WebSocket) CloseHandshake(code CloseCode, reason string) bool {
	if w.plain {
		code = code.plain()
	}
	w.ws.Close(websocket.StatusCode(code), closeReason(reason))
	w.Close()
	return true
}

// plain returns the nearest code of RFC 6455.
func (c CloseCode) plain() CloseCode {
	switch {
	case c == CloseShutdown:
		return closeGoingAway
	case c >= CloseCut:
		return closePolicyViolation
	}
	return c
}

// Close implements Transport. It also closes the websocket.Conn, which refers to itself
// and has a finalizer until it is closed, and so would never be collected. Closing it
// waits for the reader, which may be the caller, and so runs on another goroutine.
func (w *WebSocket) Close() {
	w.conn.Close()
	w.closing.Do(func() { go w.ws.CloseNow() })
}
