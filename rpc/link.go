package rpc

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
)

// A link moves the frames of a connection. Its reader is one goroutine; write
// and flush belong to whoever flushes.
type link interface {
	// read returns the next frame, which is good until the next read. Where the
	// peer is to blame, and can still be told so, the error is a breachError.
	read() ([]byte, error)

	// keep gives the chunk with the frame that was read last to the reader, who
	// returns it to the others, where it is of no more than so many bytes. It is
	// nil where it is larger, given away already, or no chunk.
	keep(most int) []byte

	// write makes a frame ready for flush. It never waits.
	write(frame []byte) error

	// flush sends what is ready. Without wait it sends what the socket takes at
	// once, and reports whether that was everything.
	flush(wait bool) (done bool, err error)

	// pending reports whether something is ready and not sent.
	pending() bool

	// progress returns how many bytes the peer has taken, as far as that can be
	// known, and whether the system holds more of them for it.
	progress() (taken int64, more bool)

	// wrote reports whether anything has been written since flush was last done
	// with everything. It is for the flusher.
	wrote() bool

	// shut says goodbye with a code and a reason where the transport has
	// words for that, waits for the peer's at most for closeGrace, and closes.
	shut(code closeCode, reason string)

	// linger says that nothing more will be written, where the socket can be
	// told, and waits until the peer has closed: to close a socket that holds
	// unread bytes resets it, and what was written last is lost. It is for the
	// reader, and ends with cut.
	linger()

	// cut closes at once.
	cut()

	// broken returns how the socket has failed, nil where what ended the link is
	// something that the peer has said.
	broken() error

	// bind gives the link to its owner, or another one. Until then nothing is
	// flushed that nobody asks for.
	bind(linkOwner)
}

// A linkOwner is who flushes a link: an opening, then a session.
type linkOwner interface {
	// kick has what is ready flushed, by another goroutine.
	kick()

	// alive is called for what comes outside of frames.
	alive()

	// wirecall reports whether frames are those of wirecall mode.
	wirecall() bool

	// goodbye returns the message that says why the owner closes the link, on
	// lines; nil where the peer needs none.
	goodbye(code closeCode, reason string) []byte

	// awaitTorn waits, within bounds, until nobody reads from the link.
	awaitTorn()
}

// A breachError is a frame that cannot be a message, whatever is in it.
type breachError struct {
	code Code
	what string
}

func (e breachError) Error() string { return e.what }

// A closedError is the peer's goodbye.
type closedError struct {
	code   closeCode
	reason string
	cause  error // the transport's own
}

func (e closedError) Error() string {
	if e.reason == "" {
		return fmt.Sprintf("the peer closed it (%d)", e.code)
	}
	return fmt.Sprintf("the peer closed it: %s (%d)", e.reason, e.code)
}

func (e closedError) Unwrap() error { return e.cause }

// A wireConn stands between a link and the socket. What is written to it is
// kept until flush: frames written together leave in one system call, and a
// peer that does not read never holds up the one who writes, not even
// coder/websocket's reader when it answers a ping.
//
// It reads ahead, into a chunk that it holds only while something in it is
// unread.
type wireConn struct {
	rwc   io.ReadWriteCloser
	sock  *socket       // nil where the socket cannot be asked without waiting
	stall time.Duration // without progress

	unsent  func() int   // how many bytes the system holds that were written; nil where that is not known
	written atomic.Int64 // bytes

	accepted atomic.Bool // the WebSocket handshake has succeeded

	owner  atomic.Pointer[linkOwner] // nil before bind
	failed atomic.Pointer[error]     // how the socket has, first

	reading sync.Mutex // by the reader and, in a closing handshake, coder/websocket
	through bool       // rwc holds nothing back: sock may be read in its place
	lean    bool       // and neither does who reads from this
	chunk   []byte
	ahead   []byte // what is unread of it
	end     error  // what reading ended with

	mu    sync.Mutex
	ready []byte
	pongs int // among ready

	sending []byte // the flusher's, from sent on
	sent    int
	some    bool // has been written of what was ready since nothing was
	shutter sync.Once
	closed  func() // called then; may be nil
}

func newWireConn(rwc io.ReadWriteCloser, sock any, stall time.Duration) *wireConn {
	w := &wireConn{stall: stall}
	w.connect(rwc, sock)
	return w
}

// connect gives w its connection, and the socket under that.
func (w *wireConn) connect(rwc io.ReadWriteCloser, sock any) {
	w.rwc = rwc
	w.sock = socketOf(sock)
	w.unsent = unsentOf(sock)
	w.through = socketOf(rwc) != nil
}

// socketOf is nil for all but what package net makes: another type may have
// methods that must not be gone round, or a socket that blocks.
func socketOf(conn any) *socket {
	switch conn := conn.(type) {
	case *net.TCPConn:
		return newSocket(conn)
	case *net.UnixConn:
		return newSocket(conn)
	}
	return nil
}

func (w *wireConn) fail(err error) { w.failed.CompareAndSwap(nil, &err) }

func (w *wireConn) broken() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// tiny is the size of the smallest bufio.Reader there is. One around a lean
// wireConn gets a byte at a time, so that nothing is ever left in it.
const tiny = 16

func (w *wireConn) Read(p []byte) (int, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	if len(w.ahead) == 0 && w.end == nil && (!w.chunked() || len(p) >= buffers.Read) {
		n, err := w.rwc.Read(p)
		w.through = w.through || n > 0 && n < len(p)
		if err != nil {
			w.end = err
			w.fail(err)
		}
		if n > 0 {
			w.heard()
		}
		return n, err
	}
	if !w.fill() {
		return 0, w.end
	}
	if w.lean && len(p) <= tiny {
		p = p[:1]
	}
	n := copy(p, w.ahead)
	w.ahead = w.ahead[n:]
	if len(w.ahead) == 0 {
		buffers.Put(w.chunk)
		w.chunk, w.ahead = nil, nil
	}
	return n, nil
}

// chunked reports whether chunks are read.
func (w *wireConn) chunked() bool { return w.through && w.sock != nil }

// fill waits until something is ahead, and reports whether there is.
func (w *wireConn) fill() bool {
	if len(w.ahead) == 0 && w.end == nil {
		w.chunk, w.end = w.sock.read()
		w.ahead = w.chunk
		if w.end != nil {
			w.fail(w.end)
		}
		if len(w.ahead) > 0 {
			w.heard()
		}
	}
	return len(w.ahead) > 0
}

// over reports whether nothing more can be read.
func (w *wireConn) over() bool {
	w.reading.Lock()
	defer w.reading.Unlock()
	return w.end != nil
}

// await waits until there is something to read, or a reason why there will not
// be, where it can be waited for without a buffer.
func (w *wireConn) await() {
	if !w.lean {
		return
	}
	w.reading.Lock()
	w.fill()
	w.reading.Unlock()
}

func (w *wireConn) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.append(p)
	w.mu.Unlock()
	if o := w.owner.Load(); o != nil {
		(*o).kick()
	}
	return len(p), nil
}

func (w *wireConn) bind(o linkOwner) {
	w.owner.Store(&o)
	if w.pending() {
		o.kick()
	}
}

// ponged hears an answer to our ping. coder/websocket calls it.
func (w *wireConn) ponged(context.Context, []byte) { w.heard() }

// heard is a sign of life.
func (w *wireConn) heard() {
	if o := w.owner.Load(); o != nil {
		(*o).alive()
	}
}

// stalled leaves a peer that does not read.
func (w *wireConn) stalled() {
	w.fail(errNotReading)
	w.shut()
}

// append makes p ready to be sent. The mutex is held.
func (w *wireConn) append(p []byte) {
	w.ready = append(buffers.Grow(w.ready, len(p)), p...)
}

// maxPongs is how many pongs may wait while the peer does not read. It may leave
// out those that nobody waits for any more: RFC 6455, section 5.5.3.
const maxPongs = 64

// pong reports whether a ping is to be answered. coder/websocket asks it.
func (w *wireConn) pong(context.Context, []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pongs++
	return w.pongs <= maxPongs
}

// Close is what coder/websocket calls. It closes a connection whose handshake has
// failed. Later it does nothing: coder/websocket closes as soon as it has seen both
// close frames, when ours may not have been flushed. See shut.
func (w *wireConn) Close() error {
	if !w.accepted.Load() {
		w.shut()
	}
	return nil
}

func (w *wireConn) linger() {
	if w.closeWrite() {
		io.Copy(io.Discard, w.rwc)
	}
}

// closeWrite says that nothing more will be written, and reports whether the
// socket can be told.
func (w *wireConn) closeWrite() bool {
	half, ok := w.rwc.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

func (w *wireConn) shut() {
	w.fail(net.ErrClosed) // by us: whoever reads or writes may hear of it elsewhere first
	w.shutter.Do(func() {
		w.rwc.Close()
		if w.closed != nil {
			w.closed()
		}
	})
}

func (w *wireConn) keep(int) []byte { return nil }

func (w *wireConn) pending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ready) > 0
}

func (w *wireConn) wrote() bool { return w.some }

func (w *wireConn) flush(wait bool) (done bool, err error) {
	for {
		if w.sent == len(w.sending) && !w.refill() {
			w.some = false
			return true, nil
		}
		if err := w.writeSome(wait); err != nil {
			w.fail(err)
			return false, w.broken()
		}
		if w.sent < len(w.sending) && !wait {
			return false, nil
		}
	}
}

// refill takes what has become ready.
func (w *wireConn) refill() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ready) == 0 {
		buffers.Put(w.sending)
		buffers.Put(w.ready)
		w.sending, w.ready, w.sent = nil, nil, 0
	} else {
		w.sending, w.ready, w.sent = w.ready, w.sending[:0], 0
	}
	w.pongs = 0
	return len(w.sending) > 0
}

// The stall timer judges one write, which is small, so that it judges progress.
// What a socket takes at once is offered it whole, but when there is no room it
// is enough to see some of it go. Any other kind gets as much as a TLS record
// holds.
const (
	socketPiece = 1 << 10
	streamPiece = 16 << 10
)

// writeSome writes what the socket takes at once, or where it may wait, the
// next piece.
func (w *wireConn) writeSome(wait bool) error {
	rest := w.sending[w.sent:]
	if w.sock != nil {
		n, err := w.sock.write(rest)
		w.advance(n)
		if err != nil || n > 0 || !wait {
			return err
		}
	}
	if !wait {
		return nil
	}
	piece := streamPiece
	if w.sock != nil {
		piece = socketPiece
	}
	rest = rest[:min(piece, len(rest))]
	watch := w.watchStall()
	defer watch.stop()
	n, err := w.rwc.Write(rest)
	w.advance(n)
	return err
}

// advance counts bytes that have been written.
func (w *wireConn) advance(n int) {
	w.sent += n
	w.some = w.some || n > 0
	w.written.Add(int64(n))
}
