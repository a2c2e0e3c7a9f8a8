package rpctest

import (
	"context"
	"io"
	"net"
	"syscall"
)

// Dialer returns dial with the network's faults around its connections, for real
// sockets:
//
//	var d net.Dialer
//	conn, err := network.Dialer(d.DialContext)(ctx, "tcp", addr)
//
// A cut resets a TCP connection: bytes that the operating system holds for a peer that
// does not read may be lost as well. Sockets of other kinds are closed.
func (n *Network) Dialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		sock, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		_, plan := n.number()
		if plan.Refuse {
			reset(sock)
			return nil, dialError(network, addr, syscall.ECONNREFUSED)
		}
		n.mu.Lock()
		near, far := n.link(plan, sock.LocalAddr(), sock.RemoteAddr())
		n.mu.Unlock()
		relay(far, sock)
		return near, nil
	}
}

// Listener returns ln with the network's faults around the connections that it accepts.
// It is for clients that a test cannot configure, such as another process; together
// with a Dialer each connection would have two plans.
func (n *Network) Listener(ln net.Listener) net.Listener { return &socketListener{ln, n} }

type socketListener struct {
	net.Listener
	net *Network
}

func (ln *socketListener) Accept() (net.Conn, error) {
	for {
		sock, err := ln.Listener.Accept()
		if err != nil {
			return nil, err
		}
		_, plan := ln.net.number()
		if plan.Refuse {
			reset(sock)
			continue
		}
		ln.net.mu.Lock()
		near, far := ln.net.link(plan, sock.RemoteAddr(), sock.LocalAddr())
		ln.net.mu.Unlock()
		relay(near, sock)
		return far, nil
	}
}

// relay copies between one end of a link and a socket, so that the faults around
// sockets are those in memory. Its goroutines end when the other end of the link and
// the socket's peer have closed, or when the link is cut.
func relay(c *conn, sock net.Conn) {
	go func() { // owns the socket
		_, err := io.Copy(sock, c)
		if half, ok := sock.(interface{ CloseWrite() error }); ok && err == nil {
			half.CloseWrite()
		}
		cause := c.awaitEnd(err)
		c.Close() // before the socket, so that the link is closed when the socket is
		if cause == syscall.ECONNRESET {
			reset(sock)
		}
		sock.Close()
	}()
	go func() {
		if _, err := io.Copy(c, sock); err == nil {
			c.CloseWrite()
		} else {
			c.fail()
		}
	}()
}

// fail resets the link, unless the other end has closed: then its last bytes may still
// be on their way to the socket.
func (c *conn) fail() {
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	if !c.out.readerClosed {
		c.link.end(syscall.ECONNRESET)
	}
}

// awaitEnd waits until the other end has closed or the link has ended, and returns the
// cause of the link's end. An err that is not nil ends the link.
func (c *conn) awaitEnd(err error) error {
	if err != nil {
		c.fail()
	}
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	for !c.out.readerClosed && c.link.cause == nil {
		c.link.cond.Wait()
	}
	return c.link.cause
}

// reset closes a socket so that its peer gets an error, if the socket's type allows it.
func reset(sock net.Conn) {
	if l, ok := sock.(interface{ SetLinger(sec int) error }); ok {
		l.SetLinger(0)
	}
	sock.Close()
}
