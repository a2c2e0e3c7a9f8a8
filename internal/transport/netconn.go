package transport

import (
	"errors"
	"net"
	"time"
)

// A byteStream is a conn as an io.ReadWriteCloser for bufio and coder/websocket. Its Read
// and Write are in read.go and write.go.
type byteStream conn

// Close closes a connection whose WebSocket handshake has failed. After the handshake
// it does nothing, because coder/websocket calls it as soon as it has seen both close
// frames, when this side's may not have been flushed. See Transport.CloseHandshake.
func (s *byteStream) Close() error {
	if !s.accepted.Load() {
		(*conn)(s).Close()
	}
	return nil
}

// A netConn is a byteStream with the other methods of net.Conn, which coder/websocket
// does not use.
type netConn struct {
	*byteStream
	below net.Conn
}

func (n *netConn) LocalAddr() net.Addr              { return n.below.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr             { return n.below.RemoteAddr() }
func (n *netConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (n *netConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (n *netConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
