package transport

import (
	"errors"
	"net"
	"time"
)

// A byteStream is a conn as an io.ReadWriteCloser for bufio and coder/websocket.
type byteStream struct{ conn *conn }

func (s byteStream) Read(p []byte) (int, error) { return s.conn.read(p) }

func (s byteStream) Write(p []byte) (int, error) {
	s.conn.write(p)
	return len(p), nil
}

// Close closes a connection whose WebSocket handshake has failed. After the handshake
// it does nothing, because coder/websocket calls it as soon as it has seen both close
// frames, when this side's may not have been flushed. See Transport.CloseHandshake.
func (s byteStream) Close() error {
	if !s.conn.accepted.Load() {
		s.conn.Close()
	}
	return nil
}

// A netConn is a byteStream with the other methods of net.Conn, which coder/websocket
// does not use.
type netConn struct {
	byteStream
	below net.Conn
}

func (n *netConn) LocalAddr() net.Addr              { return n.below.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr             { return n.below.RemoteAddr() }
func (n *netConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (n *netConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (n *netConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
