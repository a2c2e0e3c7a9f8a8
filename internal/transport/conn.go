package transport

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A conn is the layer between frames and the byte stream that carries them. It keeps
// written bytes until Flush, so that no writer waits for a peer that does not read, not
// even coder/websocket's reader, which answers pings.
//
// It reads ahead into a buffer that it holds only while the buffer has unread bytes.
type conn struct {
	rwc     io.ReadWriteCloser
	sock    *socket       // nil if it cannot be read and written without waiting
	remote  net.Addr      // nil if the byte stream has none
	unacked func() int    // how many written bytes the system holds; nil if the system does not report it
	stall   time.Duration // without progress
	onClose func()        // may be nil

	owner     atomic.Pointer[Owner] // nil before Bind
	broken    atomic.Pointer[error] // the first error
	accepted  atomic.Bool           // a WebSocket: its handshake has succeeded
	closeOnce sync.Once

	// Used by the reader and, in a closing handshake, by coder/websocket. See read.go.
	readMu     sync.Mutex
	direct     bool // rwc holds no bytes of its own: sock may be read in its place
	unbuffered bool // the reader above holds none either: see await
	buf        []byte
	unread     []byte // the rest of buf
	readErr    error  // the error that ended reading

	// See write.go.
	writeMu sync.Mutex
	ready   []byte      // what was written, for the next Flush
	pongs   int         // among ready
	writing atomic.Bool // WriteFrame runs

	// Used by the flusher.
	sending []byte // what Flush sends; the first sent bytes are sent
	sent    int
	wrote   bool

	written atomic.Int64 // bytes
}

func newConn(rwc io.ReadWriteCloser, sock any, o *Options) *conn {
	c := &conn{stall: o.Stall, onClose: o.OnClose}
	c.connect(rwc, sock)
	return c
}

// connect sets the byte stream of c and the socket below that.
func (c *conn) connect(rwc io.ReadWriteCloser, sock any) {
	c.rwc = rwc
	if addressed, ok := sock.(interface{ RemoteAddr() net.Addr }); ok {
		c.remote = addressed.RemoteAddr()
	}
	c.sock = socketOf(sock)
	c.unacked = unackedOf(sock)
	c.direct = socketOf(rwc) != nil
}

// socketOf returns nil for all types but those of package net: another type may have
// methods that must not be bypassed, or a socket that blocks.
func socketOf(conn any) *socket {
	switch conn := conn.(type) {
	case *net.TCPConn:
		return newSocket(conn)
	case *net.UnixConn:
		return newSocket(conn)
	}
	return nil
}

// Bind implements Transport.
func (c *conn) Bind(o Owner) {
	c.owner.Store(&o)
	if c.Pending() {
		o.Kick()
	}
}

// RemoteAddr implements Transport.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) heard() {
	if o := c.owner.Load(); o != nil {
		(*o).Heard()
	}
}

// Err implements Transport.
func (c *conn) Err() error {
	if err := c.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// fail sets the error that Err returns, unless it is set.
func (c *conn) fail(err error) { c.broken.CompareAndSwap(nil, &err) }

// CloseWrite implements Transport.
func (c *conn) CloseWrite() bool {
	half, ok := c.rwc.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// Discard implements Transport.
func (c *conn) Discard() { io.Copy(io.Discard, c.rwc) }

// Close implements Transport.
func (c *conn) Close() {
	c.fail(net.ErrClosed) // first, or the errors of interrupted reads and writes would be the cause
	c.closeOnce.Do(func() {
		c.rwc.Close()
		if c.onClose != nil {
			c.onClose()
		}
	})
}
