package transport

import (
	"context"

	"github.com/wirecall/wirecall/internal/buffers"
)

// Write implements io.Writer for coder/websocket. It buffers p for Flush. What the library
// writes by itself, a pong or a close frame, makes the owner flush; the owner that is
// writing a frame flushes in any case.
func (s *byteStream) Write(p []byte) (int, error) {
	s.writeMu.Lock()
	s.ready = append(buffers.Grow(s.ready, len(p)), p...)
	s.writeMu.Unlock()
	if o := s.owner.Load(); o != nil && !s.writing.Load() {
		(*o).Kick()
	}
	return len(p), nil
}

// maxPongs is how many pongs may wait while the peer does not read. All but the last
// may be omitted: RFC 6455, section 5.5.3.
const maxPongs = 64

// onPing reports whether a ping must be answered. coder/websocket calls it.
func (c *conn) onPing(context.Context, []byte) bool {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.pongs++
	return c.pongs <= maxPongs
}

// onPong is called by coder/websocket for the answer to a ping of this side.
func (c *conn) onPong(context.Context, []byte) { c.heard() }

// Pending implements Transport.
func (c *conn) Pending() bool {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return len(c.ready) > 0
}

// Wrote implements Transport.
func (c *conn) Wrote() bool { return c.wrote }

// Flush implements Transport.
func (c *conn) Flush(wait bool) (done bool, err error) {
	for {
		if c.sent == len(c.sending) && !c.refill() {
			c.wrote = false
			return true, nil
		}
		if err := c.send(wait); err != nil {
			c.fail(err)
			c.release()
			return false, c.Err()
		}
		if c.sent < len(c.sending) && !wait {
			return false, nil
		}
	}
}

// refill moves the buffered bytes to sending, and reports whether there are any.
func (c *conn) refill() bool {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.pongs = 0
	if len(c.ready) == 0 {
		c.releaseLocked()
		return false
	}
	c.sending, c.ready, c.sent = c.ready, c.sending[:0], 0
	return true
}

// release drops what is buffered once the byte stream has failed: a session may hold
// its last transport until it is resumed.
func (c *conn) release() {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.releaseLocked()
}

func (c *conn) releaseLocked() {
	buffers.Put(c.sending)
	buffers.Put(c.ready)
	c.sending, c.ready, c.sent = nil, nil, 0
}

// A stallWatch observes one write, so writes that wait are small. A socket has taken
// everything that it takes without waiting before one, and so a small piece shows
// progress. Any other byte stream gets as much as fits a TLS record.
const (
	socketPiece = 1 << 10
	streamPiece = 16 << 10
)

// send writes what the socket takes without waiting or, if that is nothing and wait is
// set, one piece.
func (c *conn) send(wait bool) error {
	rest := c.sending[c.sent:]
	if c.sock != nil {
		n, err := c.sock.write(rest)
		c.sent += n
		c.wrote = c.wrote || n > 0
		c.written.Add(int64(n))
		if err != nil || n > 0 || !wait {
			return err
		}
	}
	if !wait {
		return nil
	}
	piece := streamPiece
	if c.sock != nil {
		piece = socketPiece
	}
	return c.sendPiece(rest[:min(piece, len(rest))])
}

// sendPiece writes p and waits until it is written.
func (c *conn) sendPiece(p []byte) error {
	watch := c.watchStall()
	defer watch.stop()
	n, err := c.rwc.Write(p)
	c.sent += n
	c.wrote = c.wrote || n > 0
	c.written.Add(int64(n))
	return err
}
