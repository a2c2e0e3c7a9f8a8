// Package transport moves frames between this process and one peer: as the messages
// of a WebSocket, or as lines over any pair of byte streams. It does not parse frames,
// and is independent of calls and sessions.
//
// Frames are buffered until they are flushed: frames that are written together are sent
// in one system call, and a peer that does not read blocks only a goroutine that flushes
// and waits.
package transport

import (
	"net"
	"net/http"
	"time"
)

// A Transport moves the frames of one connection.
//
// One goroutine at a time is its reader, which calls ReadFrame and TakeBuffer. One
// goroutine at a time is its flusher, which calls WriteFrame, Flush and Wrote. The
// other methods may be called by any goroutine. Only ReadFrame, Flush if it waits,
// Ping, Discard and CloseHandshake block. Close ends all of them, except for a Read or
// Write of a byte stream that is not a socket and does not return when it is closed.
type Transport interface {
	// ReadFrame waits for the next frame and returns it. The frame is valid until the
	// next ReadFrame. The error is a FrameError if the peer has sent something that
	// cannot be a frame and can still receive a reason, and a CloseError if it has sent a
	// close frame. If the last line has no line feed, ReadFrame returns it with
	// io.ErrUnexpectedEOF, and the caller decides whether it is a complete frame.
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

	// Wrote reports whether anything has been sent since a Flush last sent everything.
	Wrote() bool

	// Pending reports whether bytes are buffered that no Flush has begun to send.
	Pending() bool

	// Progress returns how many bytes the peer has taken, as far as the system reports
	// it, and whether the system holds more of them for the peer.
	Progress() (taken int64, more bool)

	// Ping sends a ping, and returns when the peer has answered it, or after
	// timeout. It returns false, and does nothing, if the transport has no pings.
	Ping(timeout time.Duration) bool

	// RemoteAddr returns the peer's address, or nil if the byte stream has none.
	RemoteAddr() net.Addr

	// Bind sets the owner. Before that nothing is flushed unless Flush is called. It may
	// be called again with another owner.
	Bind(Owner)

	// CloseWrite closes the writing side of the byte stream, and returns false if it has
	// none that can be closed.
	CloseWrite() bool

	// Discard reads and drops bytes until the peer has closed. If a socket with unread
	// bytes were closed instead, it would be reset, and what was written last would be
	// lost. There must be no reader.
	Discard()

	// CloseHandshake sends a close frame, waits for the peer's, and closes.
	// coder/websocket bounds the wait; Close ends it. It returns false, and does nothing,
	// if the transport has no close frames.
	CloseHandshake(code CloseCode, reason string) bool

	// Close closes at once. It does not block, and may be called repeatedly.
	Close()

	// Err returns the error that broke the byte stream, or net.ErrClosed if this side
	// closed it first. It is nil if a close frame of the peer ended the transport.
	Err() error
}

// An Owner receives the events of a transport. Its methods are called by the reader, by
// the flusher and by timers, and must not block.
type Owner interface {
	// Kick is called when bytes have been buffered that the owner may not have written,
	// such as the answer to a ping. The owner must have them flushed.
	Kick()

	// Heard is called when bytes have been read, or a ping has been answered.
	Heard()
}

// frameOverhead is how many bytes a WebSocket message may have beside a frame's largest
// message: line feeds, a header.
const frameOverhead = 64

// Options are the options of every transport.
type Options struct {
	// MaxFrame is the size in bytes of the largest frame that is read.
	MaxFrame int

	// Stall is how long a write may wait without progress. Then the transport closes with
	// ErrNotReading.
	Stall time.Duration

	// OnClose is called once, when the byte stream has been closed. It may be nil.
	OnClose func()

	// Remote replaces the peer's address, unless it is nil.
	Remote net.Addr
}

// DialOptions are the options of a WebSocket that Dial opens.
type DialOptions struct {
	Options

	// Client makes the handshake. Its Timeout bounds only the handshake. A browser makes
	// the handshake itself, and ignores it.
	Client http.Client

	// Header is sent with the handshake. Its Host, if any, replaces the URL's. A browser
	// ignores it.
	Header http.Header

	// Subprotocols are offered to the server, which may select none.
	Subprotocols []string

	// Binary makes frames binary messages instead of text. Without it the first frame may
	// be of either type, since a server that selects any subprotocol may send both.
	Binary bool
}
