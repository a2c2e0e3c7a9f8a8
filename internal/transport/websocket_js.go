package transport

import (
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall/js"
	"time"

	"github.com/wirecall/wirecall/internal/buffers"
)

var (
	errLost            = errors.New("the WebSocket was lost")
	errMessageTooLarge = FrameError{TooLarge: true, Message: "a WebSocket message is over the limit of a message"}
)

// A WebSocket is a Transport over a WebSocket object of the browser or of Node, whose
// messages are its frames. The object answers pings, and buffers what is sent without a
// limit: Flush waits until it has sent most of that.
//
// The implementation for browsers of coder/websocket does not suffice: it drops the
// code of a close frame, and messages received before one, and closes with codes that a
// page may not send, so that the socket stays open.
type WebSocket struct {
	socket   js.Value
	listener js.Func // of the socket's events, until its last one
	binary   bool    // the type of frames; otherwise text
	plain    bool    // see Plain
	first    bool    // the next frame is the first of a server, which may speak plain JSON-RPC
	maxFrame int
	stall    time.Duration
	onClose  func() // may be nil

	owner  atomic.Pointer[Owner] // nil before Bind
	broken atomic.Pointer[error] // the first error

	opened  chan struct{} // closed by the event
	closed  chan struct{} // closed by the event, or by Close
	arrived chan struct{} // a message, for ReadFrame
	moved   chan struct{} // a message, for Flush: timers of a page that is hidden are slow

	mu       sync.Mutex
	received []js.Value // messages that have not been read
	endErr   error      // why closed is closed

	frame []byte // used by the reader

	written   atomic.Int64 // bytes given to the socket
	flushedAt int64        // written when a Flush last sent everything; used by the flusher
}

func newWebSocket(socket js.Value, o *DialOptions) *WebSocket {
	w := &WebSocket{
		socket:   socket,
		binary:   o.Binary,
		first:    !o.Binary,
		maxFrame: o.MaxFrame,
		stall:    o.Stall,
		onClose:  o.OnClose,
		opened:   make(chan struct{}),
		closed:   make(chan struct{}),
		arrived:  make(chan struct{}, 1),
		moved:    make(chan struct{}, 1),
	}
	socket.Set("binaryType", "arraybuffer")
	w.listener = js.FuncOf(func(_ js.Value, args []js.Value) any {
		w.handle(args[0])
		return nil
	})
	for _, event := range []string{"open", "message", "close"} { // an error is followed by close
		socket.Call("addEventListener", event, w.listener)
	}
	return w
}

// handle is called with the events of the socket. It must not block.
func (w *WebSocket) handle(event js.Value) {
	switch event.Get("type").String() {
	case "open":
		close(w.opened)
	case "message":
		w.receive(event.Get("data"))
	case "close":
		w.end(w.closeError(event))
		w.listener.Release()
	}
}

func (w *WebSocket) receive(data js.Value) {
	w.mu.Lock()
	w.received = append(w.received, data)
	w.mu.Unlock()
	for _, waiting := range []chan struct{}{w.arrived, w.moved} {
		select {
		case waiting <- struct{}{}:
		default:
		}
	}
	if o := w.owner.Load(); o != nil {
		(*o).Heard()
	}
}

// closeError returns the error for a close event. Its code is 1006 if no close frame was
// received (RFC 6455, section 7.1.5).
func (w *WebSocket) closeError(event js.Value) error {
	code := CloseCode(event.Get("code").Int())
	if code == closeAbnormal {
		w.fail(errLost)
		return errLost
	}
	return CloseError{Code: code, Reason: event.Get("reason").String()}
}

// end sets the error that ReadFrame returns after the messages received, unless it is
// set, and ends all that wait.
func (w *WebSocket) end(err error) {
	w.mu.Lock()
	first := w.endErr == nil
	if first {
		w.endErr = err
		close(w.closed)
	}
	w.mu.Unlock()
	if first && w.onClose != nil {
		w.onClose()
	}
}

// fail sets the error that Err returns, unless it is set.
func (w *WebSocket) fail(err error) { w.broken.CompareAndSwap(nil, &err) }

// Subprotocol returns the subprotocol that the handshake selected, or "" if none.
func (w *WebSocket) Subprotocol() string { return w.socket.Get("protocol").String() }

// Plain sets the transport up for a peer that speaks plain JSON-RPC: frames are read as
// text or binary. It must be called before the first ReadFrame. The codes of close
// frames stay wirecall's, since a page may send no other but 1000.
func (w *WebSocket) Plain() { w.plain = true }

// ReadFrame implements Transport.
func (w *WebSocket) ReadFrame() ([]byte, error) {
	buffers.Put(w.frame)
	w.frame = nil
	for {
		if data, ok := w.next(); ok {
			return w.decode(data)
		}
		select {
		case <-w.arrived:
			continue
		case <-w.closed:
		}
		if data, ok := w.next(); ok {
			return w.decode(data)
		}
		return nil, w.endErr
	}
}

// next returns the first of the messages received, unless this side has closed.
func (w *WebSocket) next() (data js.Value, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.received) == 0 || w.endErr == net.ErrClosed {
		return data, false
	}
	data = w.received[0]
	w.received[0] = js.Value{}
	if w.received = w.received[1:]; len(w.received) == 0 {
		w.received = nil
	}
	return data, true
}

// decode returns a message, a string or an ArrayBuffer, as a frame.
func (w *WebSocket) decode(data js.Value) ([]byte, error) {
	binary := data.Type() != js.TypeString
	first := w.first
	w.first = false
	if binary != w.binary && !w.plain && !first {
		return nil, wrongType(binary)
	}
	if binary {
		w.readBytes(js.Global().Get("Uint8Array").New(data))
	} else {
		text := data.String()
		w.frame = append(buffers.Get(len(text)), text...)
	}
	if len(w.frame) > w.maxFrame+frameOverhead {
		return nil, errMessageTooLarge
	}
	return w.frame, nil
}

// readBytes copies a Uint8Array into frame.
func (w *WebSocket) readBytes(data js.Value) {
	n := data.Length()
	w.frame = slices.Grow(buffers.Get(n), n)[:n]
	js.CopyBytesToGo(w.frame, data)
}

// TakeBuffer implements Transport.
func (w *WebSocket) TakeBuffer(limit int) []byte {
	b := w.frame
	if cap(b) > limit {
		return nil
	}
	w.frame = nil
	return b
}

// Ping implements Transport. A page cannot send pings.
func (w *WebSocket) Ping(time.Duration) bool { return false }

// RemoteAddr implements Transport. A page does not know it.
func (w *WebSocket) RemoteAddr() net.Addr { return nil }

// Bind implements Transport.
func (w *WebSocket) Bind(o Owner) { w.owner.Store(&o) }

// CloseWrite implements Transport.
func (w *WebSocket) CloseWrite() bool { return false }

// Discard implements Transport.
func (w *WebSocket) Discard() {}

// CloseHandshake implements Transport. The browser bounds the wait.
func (w *WebSocket) CloseHandshake(code CloseCode, reason string) bool {
	w.socket.Call("close", int(code), closeReason(reason))
	<-w.closed
	w.Close()
	return true
}

// Close implements Transport. A browser closes no socket without a handshake: the peer
// receives CloseCut, and this side does not wait for its answer.
func (w *WebSocket) Close() {
	w.fail(net.ErrClosed)
	w.end(net.ErrClosed)
	w.socket.Call("close", int(CloseCut))
}

// Err implements Transport.
func (w *WebSocket) Err() error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	return nil
}
