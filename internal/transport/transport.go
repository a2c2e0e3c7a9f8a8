// Package transport moves frames between this process and one peer: as the messages
// of a WebSocket, or as lines over any pair of byte streams. It does not look into
// frames, and knows nothing of calls and sessions.
//
// What is written is buffered until it is flushed: frames that are written together
// leave in one system call, and a peer that does not read blocks nobody but the
// goroutine that flushes and waits.
package transport

import (
	"net"
	"time"
)

// A Transport moves the frames of one connection.
//
// One goroutine at a time is its reader, which calls ReadFrame and TakeBuffer. One
// goroutine at a time is its flusher, which calls WriteFrame, Flush and Wrote. The
// other methods may be called from any goroutine. Only ReadFrame, Flush if it waits,
// Ping, Discard and CloseHandshake block; Close ends all of them, unless a byte stream
// that is no socket goes on with a Read or Write that it has begun.
type Transport interface {
	// ReadFrame waits for the next frame and returns it. The frame is valid until
	// the next ReadFrame. The error is a FrameError if the peer has sent what cannot
	// be a frame, and can still be told so, and a CloseError if it has sent a close
	// frame. If lines end without a line feed ReadFrame returns the last line and
	// io.ErrUnexpectedEOF: whether that is a complete frame is up to the caller.
	ReadFrame() ([]byte, error)

	// TakeBuffer passes the buffer of the frame that was read last to the caller,
	// who returns it to package buffers. It returns nil if its capacity is above
	// limit, if it has been taken, or if the frame has no buffer of its own.
	TakeBuffer(limit int) []byte

	// WriteFrame buffers a frame for the next Flush. It does not block.
	WriteFrame(frame []byte) error

	// Flush sends what is buffered. If wait is false it sends what the socket takes
	// without blocking. It reports whether everything has been sent.
	Flush(wait bool) (done bool, err error)

	// Wrote reports whether anything has been sent since a Flush last sent
	// everything.
	Wrote() bool

	// Pending reports whether bytes are buffered that no Flush has begun to send.
	Pending() bool

	// Progress returns how many bytes the peer has taken, as far as that can be
	// known, and whether the system holds more of them for it.
	Progress() (taken int64, more bool)

	// Ping sends a ping, and returns when the peer has answered it, or after
	// timeout. It returns false, and does nothing, if the transport has no pings.
	Ping(timeout time.Duration) bool

	// RemoteAddr returns the peer's address, or nil if the byte stream has none.
	RemoteAddr() net.Addr

	// Bind gives the transport to its owner. Before that nothing is flushed unless
	// somebody calls Flush. It may be bound again to another owner.
	Bind(Owner)

	// CloseWrite tells the peer that nothing more will be written. It reports
	// whether the byte stream can.
	CloseWrite() bool

	// Discard reads and drops bytes until the peer has closed. To close a socket that
	// holds unread bytes resets it, and what was written last is lost. There must be
	// no reader.
	Discard()

	// CloseHandshake sends a close frame, waits for the peer's, and closes. The
	// library below bounds the wait; Close ends it. It returns false, and does
	// nothing, if the transport has no close frames.
	CloseHandshake(code CloseCode, reason string) bool

	// Close closes at once. It does not block, and may be called repeatedly.
	Close()

	// Err returns the error that broke the byte stream, or net.ErrClosed if we have
	// closed it first. It is nil if the peer's own frames ended the transport.
	Err() error
}

// An Owner is what a transport is bound to. Its methods are called by the reader, by
// the flusher and by timers, and must not block.
type Owner interface {
	// Kick is called when bytes have been buffered that the owner may not have
	// written, such as the answer to a ping: the owner has them flushed.
	Kick()

	// Heard is called when bytes have been read, or a ping has been answered.
	Heard()
}

// Options are those of every transport.
type Options struct {
	// MaxFrame is the size in bytes of the largest frame that is read.
	MaxFrame int

	// Stall is how long a write may go without the peer taking anything. Then the
	// transport closes, with ErrNotReading.
	Stall time.Duration

	// OnClose is called once, when the byte stream has been closed. It may be nil.
	OnClose func()
}
