package transport

import "github.com/wirecall/wirecall/internal/buffers"

// minBuffer is the size of the smallest possible bufio.Reader. One that reads from an
// unbuffered conn gets one byte at a time, so that it never holds any.
const minBuffer = 16

// Read implements io.Reader for a bufio.Reader above s.
func (s *byteStream) Read(p []byte) (int, error) {
	c := (*conn)(s)
	c.readMu.Lock()
	defer c.readMu.Unlock()
	if len(c.unread) == 0 && c.readErr == nil && (!c.direct || c.sock == nil || len(p) >= buffers.Read) {
		return c.readInto(p)
	}
	if !c.fill() {
		return 0, c.readErr
	}
	if c.unbuffered && len(p) <= minBuffer {
		p = p[:1]
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	if len(c.unread) == 0 {
		buffers.Put(c.buf)
		c.buf, c.unread = nil, nil
	}
	return n, nil
}

// readInto reads from rwc. After a read that returns less than fits, rwc holds no bytes
// from before the upgrade. The mutex is held.
func (c *conn) readInto(p []byte) (int, error) {
	n, err := c.rwc.Read(p)
	c.direct = c.direct || n > 0 && n < len(p)
	if err != nil {
		c.readErr = err
		c.fail(err)
	}
	if n > 0 {
		c.heard()
	}
	return n, err
}

// fill waits until there are unread bytes, and returns false at the end. The mutex is
// held.
func (c *conn) fill() bool {
	if len(c.unread) == 0 && c.readErr == nil {
		c.buf, c.readErr = c.sock.read()
		c.unread = c.buf
		if c.readErr != nil {
			c.fail(c.readErr)
		}
		if len(c.unread) > 0 {
			c.heard()
		}
	}
	return len(c.unread) > 0
}

// await waits until bytes can be read or the end is reached, if that needs no buffer.
func (c *conn) await() {
	if !c.unbuffered {
		return
	}
	c.readMu.Lock()
	c.fill()
	c.readMu.Unlock()
}

// readEnded reports whether no more bytes can be read.
func (c *conn) readEnded() bool {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	return c.readErr != nil
}
