package loadgen

import (
	"context"
	"net"
	"sync"

	"github.com/wirecall/wirecall/rpc"
)

// A Link is what a run has of a connection's sockets, to cut them.
type Link struct {
	conn *rpc.Conn

	mu     sync.Mutex
	socket net.Conn // the latest
	dials  int
	cut    bool // the connection is not yet back
}

// A DialFunc opens a socket.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// Sockets returns dial with the link around it. If dial is nil, a net.Dialer is used.
func (l *Link) Sockets(dial DialFunc) DialFunc {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.socket = c
		l.dials++
		return c, nil
	}
}

// sever closes the socket as a network that fails would, and returns how many there have
// been. ok is false if the connection is not back from the time before.
func (l *Link) sever() (dials int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut || l.socket == nil || l.conn.State().Phase != rpc.Connected {
		return 0, false
	}
	l.cut = true
	if tcp, ok := l.socket.(*net.TCPConn); ok {
		tcp.SetLinger(0) // so that the other side gets a reset, not an end
	}
	l.socket.Close()
	return l.dials, true
}

// back waits until the connection is established over a later socket, and returns its
// state; ok is false if that did not happen while ctx lasted.
func (l *Link) back(ctx context.Context, dials int) (st rpc.State, ok bool) {
	for st := range l.conn.States(ctx) {
		l.mu.Lock()
		ok := st.Phase == rpc.Connected && l.dials > dials
		if ok {
			l.cut = false
		}
		l.mu.Unlock()
		if ok {
			return st, true
		}
	}
	return st, false
}
