package rpctest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A conn is one end of a link. It implements net.Conn.
type conn struct {
	link          *link
	in, out       *path
	local, remote net.Addr

	closed  bool
	readBy  deadline
	writeBy deadline
}

// link makes a connection with a plan and returns its two ends. The mutex is held.
func (n *Network) link(plan Plan, client, server net.Addr) (near, far *conn) {
	l := &link{net: n, cond: sync.Cond{L: &n.mu}}
	if n.open == nil {
		n.open = make(map[*link]struct{})
	}
	n.open[l] = struct{}{}
	n.stats.Conns++
	l.up.init(l, plan.Up, &n.stats.Up)
	l.down.init(l, plan.Down, &n.stats.Down)
	l.up.advance() // apply events at 0
	l.down.advance()
	near = &conn{link: l, in: &l.down, out: &l.up, local: client, remote: server}
	far = &conn{link: l, in: &l.up, out: &l.down, local: server, remote: client}
	return near, far
}

func (c *conn) Read(b []byte) (int, error) {
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case c.readBy.passed():
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case len(c.in.unread) > 0:
			n := copy(b, c.in.unread)
			c.in.unread = c.in.unread[n:]
			c.link.cond.Broadcast() // there is room
			return n, nil
		case c.in.eof || c.link.cause == io.EOF:
			return 0, io.EOF
		case c.link.cause != nil:
			return 0, c.opError("read", c.link.cause)
		}
		c.link.cond.Wait()
	}
}

// Write implements net.Conn. It returns when b is in the buffer; b may still be lost
// after that.
func (c *conn) Write(b []byte) (n int, err error) {
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	for c.out.busy { // concurrent writes are not interleaved
		c.link.cond.Wait()
	}
	c.out.busy = true
	defer func() {
		c.out.busy = false
		c.link.cond.Broadcast()
	}()
	for {
		if err := c.unwritable(); err != nil {
			return n, c.opError("write", err)
		}
		sent := c.out.send(b[n:])
		if n += sent; n == len(b) {
			return n, nil
		}
		if sent == 0 {
			c.link.cond.Wait()
		}
	}
}

// unwritable returns the error of a write, or nil if bytes can be written.
func (c *conn) unwritable() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.writeBy.passed():
		return os.ErrDeadlineExceeded
	case c.link.cause == syscall.ECONNRESET:
		return syscall.ECONNRESET
	case c.link.cause != nil, c.out.writerClosed, c.out.readerClosed && c.in.eof: // if the peer has closed, that must have arrived
		return syscall.EPIPE
	}
	return nil
}

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// CloseWrite closes the writing side: the peer's reads return io.EOF behind what was
// written.
func (c *conn) CloseWrite() error {
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.out.finish()
	return nil
}

// Close implements net.Conn. What was written before still arrives, unless a fault
// prevents it.
func (c *conn) Close() error {
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	c.readBy.set(c.link, time.Time{})
	c.writeBy.set(c.link, time.Time{})
	c.in.readerClosed, c.in.unread = true, nil
	c.out.finish()
	if c.out.readerClosed {
		c.link.end(io.EOF)
	}
	c.link.cond.Broadcast()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error      { return c.setDeadlines(t, &c.readBy, &c.writeBy) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.setDeadlines(t, &c.readBy) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writeBy) }

func (c *conn) setDeadlines(t time.Time, which ...*deadline) error {
	c.link.net.mu.Lock()
	defer c.link.net.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	for _, d := range which {
		d.set(c.link, t)
	}
	return nil
}

// A deadline is a read or write deadline of a conn. Its zero value is no deadline.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) set(l *link, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.at = t; !t.IsZero() {
		wait := time.Until(t)
		d.at = time.Now().Add(wait) // on the timer's clock
		d.timer = time.AfterFunc(wait, func() {
			l.net.mu.Lock()
			defer l.net.mu.Unlock()
			l.cond.Broadcast()
		})
	}
	l.cond.Broadcast()
}

func (d *deadline) passed() bool { return !d.at.IsZero() && time.Until(d.at) <= 0 }
