// Package nodelink makes connections of numbered messages: a Conn is one end of a link
// between two nodes, over whatever carries messages between them.
//
// A message that is lost, doubled or overtaken breaks the link: what was read before is
// what was written, in order, and nothing of it is missing. Credit bounds what waits at an
// end that does not read, so that it holds up nothing but its own writer. Messages are
// neither authenticated nor encrypted, which TLS is for, over a Conn: see Identity.
package nodelink

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
)

// Window is how many bytes may wait at an end to be read.
const Window = 256 << 10

// Options says what a Conn needs.
type Options struct {
	// Send sends a message to the other end. It is called by one goroutine at a time. It
	// may block while what carries messages does, whatever the deadline of a Write is.
	Send func(message []byte) error

	// Ended is called once, when the link was closed or has broken, and needs no
	// messages any more.
	Ended func()

	Local, Remote net.Addr

	// MaxMessage is the size of the largest message.
	MaxMessage int

	// Beat is after how long what was sent is followed by another message, so that the
	// other end finds out if it was lost. An end that sends nothing shows every twelve
	// beats that it is there, and breaks the link when the other has not for twice that.
	Beat time.Duration
}

// idleBeats are the beats after which an end that sends nothing shows that it is there.
const idleBeats = 12

// A Conn is one end of a link. It is a net.Conn.
type Conn struct {
	opts Options

	sending sync.Mutex // held while a message is sent, without mu
	sent    uint64     // messages

	mu       sync.Mutex
	change   sync.Cond // of what Read and Write wait for
	received uint64    // messages
	in       buffer    // to be read
	granted  int       // bytes that the other end may still send
	taken    int       // bytes read and not granted again
	credit   int       // bytes that this end may still send
	writing  bool      // a Write is under way; others wait
	reads    deadline
	writes   deadline

	closed bool  // by Close
	ended  bool  // closed by the other end
	err    error // what broke the link

	timer  *time.Timer
	spoken bool // something was sent since the last beat
	idle   int  // beats since the last message to the other end
	silent int  // beats since the last message of the other end
}

var _ net.Conn = (*Conn)(nil)

var (
	errEnded  = fmt.Errorf("the other end of the link is closed: %w", io.ErrClosedPipe)
	errSilent = errors.New("the link broke: the other end is silent")
)

// New returns an end of a link. Receive must get each message of the other end, in order.
func New(opts Options) *Conn {
	c := &Conn{opts: opts, granted: Window, credit: Window}
	c.change.L = &c.mu
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.expire, c.writes.expire = c.change.Broadcast, c.change.Broadcast
	c.timer = time.AfterFunc(opts.Beat, c.beat)
	return c
}

// Read returns what the other end has written, and io.EOF when it was closed after that.
func (c *Conn) Read(p []byte) (int, error) {
	n, grant, err := c.take(p)
	if grant > 0 {
		c.send(kindCredit, creditOf(grant))
	}
	return n, err
}

// take waits for what can be read, and returns how much is to be granted again.
func (c *Conn) take(p []byte) (n, grant int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, 0, net.ErrClosed
		case c.reads.passed():
			return 0, 0, os.ErrDeadlineExceeded
		case c.in.len() > 0 || len(p) == 0 && c.err == nil:
			n = c.in.read(p)
			c.taken += n
			return n, c.grant(), nil
		case c.err != nil:
			return 0, 0, c.err
		case c.ended:
			return 0, 0, io.EOF
		}
		c.change.Wait()
	}
}

// grant returns what is to be granted, which is counted as granted.
func (c *Conn) grant() int {
	if c.taken < Window/2 || c.ended {
		return 0
	}
	n := c.taken
	c.granted += n
	c.taken = 0
	return n
}

// Write sends what the other end may be sent, and waits until it has read so much that all
// can be.
func (c *Conn) Write(p []byte) (n int, err error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	defer c.finish()
	for n < len(p) {
		room, err := c.reserve(len(p) - n)
		if err != nil {
			return n, err
		}
		if err := c.send(kindData, p[n:n+room]); err != nil {
			return n, err
		}
		n += room
	}
	return n, nil
}

// begin waits until no other Write is under way.
func (c *Conn) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.unwritable(); err != nil {
			return err
		}
		if !c.writing {
			c.writing = true
			return nil
		}
		c.change.Wait()
	}
}

func (c *Conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	c.change.Broadcast()
}

// reserve waits for credit and returns how many of n bytes are to be sent in one message.
func (c *Conn) reserve(n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.unwritable(); err != nil {
			return 0, err
		}
		if c.credit > 0 {
			n = min(n, c.credit, c.opts.MaxMessage-headerSize)
			c.credit -= n
			return n, nil
		}
		c.change.Wait()
	}
}

// unwritable returns why nothing can be written, if so.
func (c *Conn) unwritable() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.writes.passed():
		return os.ErrDeadlineExceeded
	case c.err != nil:
		return c.err
	case c.ended:
		return errEnded
	}
	return nil
}

// Close ends the link. The other end reads what was written, and then io.EOF.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	broken := c.err != nil
	c.closed = true
	c.stop()
	c.mu.Unlock()
	if !broken {
		c.send(kindClose, nil)
		c.opts.Ended()
	}
	return nil
}

// Break ends the link with an error, at this end and at the other.
func (c *Conn) Break(err error) {
	if c.fail(err) {
		c.sending.Lock()
		defer c.sending.Unlock()
		c.opts.Send(Reset(nil))
	}
}

// Err returns what has broken the link, or nil.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the link at this end with an error, unless it has ended.
func (c *Conn) fail(err error) bool {
	c.mu.Lock()
	if c.err != nil || c.closed {
		c.mu.Unlock()
		return false
	}
	c.err = err
	c.stop()
	c.mu.Unlock()
	c.opts.Ended()
	return true
}

// stop wakes who waits, and stops the timers, of a link that has ended.
func (c *Conn) stop() {
	c.timer.Stop()
	c.reads.stop()
	c.writes.stop()
	if c.closed {
		c.in.free()
	}
	c.change.Broadcast()
}

// beat shows that this end is there, if it is time, and looks whether the other is.
func (c *Conn) beat() {
	c.mu.Lock()
	if c.closed || c.ended || c.err != nil {
		c.mu.Unlock()
		return
	}
	c.idle++
	c.silent++
	show, silent := c.spoken || c.idle >= idleBeats, c.silent > 2*idleBeats
	c.timer.Reset(c.opts.Beat)
	c.mu.Unlock()
	switch {
	case silent:
		c.Break(errSilent)
	case show:
		c.send(kindAlive, nil)
	}
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.opts.Local }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.opts.Remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.setDeadline(&c.reads, t), c.setDeadline(&c.writes, t))
}

// SetReadDeadline sets until when Read waits, that under way included.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.reads, t) }

// SetWriteDeadline sets until when Write waits for credit, that under way included.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writes, t) }

func (c *Conn) setDeadline(d *deadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	d.set(t)
	return nil
}

// A deadline is when waiting ends.
type deadline struct {
	at     time.Time
	timer  *time.Timer
	expire func() // wakes who waits
}

func (d *deadline) set(t time.Time) {
	d.stop()
	d.at = t
	d.expire()
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), d.expire)
	}
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// A buffer holds what has arrived and was not read, and no memory while there is nothing.
type buffer struct {
	data []byte
	from int // what is before it was read
}

func (b *buffer) len() int { return len(b.data) - b.from }

func (b *buffer) write(p []byte) {
	if b.from > 0 && len(b.data)+len(p) > cap(b.data) {
		b.data = b.data[:copy(b.data, b.data[b.from:])]
		b.from = 0
	}
	b.data = append(buffers.Grow(b.data, len(p)), p...)
}

func (b *buffer) read(p []byte) int {
	n := copy(p, b.data[b.from:])
	if b.from += n; b.from == len(b.data) {
		b.free()
	}
	return n
}

func (b *buffer) free() {
	buffers.Put(b.data)
	*b = buffer{}
}
