package transport

import (
	"syscall/js"
	"time"
)

// WriteFrame implements Transport.
func (w *WebSocket) WriteFrame(frame []byte) error {
	select {
	case <-w.closed:
		return w.endErr
	default:
	}
	if w.binary {
		data := js.Global().Get("Uint8Array").New(len(frame))
		js.CopyBytesToJS(data, frame)
		w.socket.Call("send", data)
	} else {
		w.socket.Call("send", string(frame))
	}
	w.written.Add(int64(len(frame)))
	return nil
}

// Flush implements Transport. What the socket buffers counts as sent, up to maxBuffered.
func (w *WebSocket) Flush(wait bool) (done bool, err error) {
	taken, since := w.taken(), time.Now()
	for w.written.Load()-w.taken() > maxBuffered {
		if !wait {
			return false, nil
		}
		if !w.awaitProgress() {
			return false, w.endErr
		}
		switch now := w.taken(); {
		case now != taken:
			taken, since = now, time.Now()
		case time.Since(since) >= w.stall:
			w.fail(ErrNotReading)
			w.Close()
			return false, ErrNotReading
		}
	}
	w.flushedAt = w.written.Load()
	return true, nil
}

const (
	// maxBuffered is how many bytes a socket may have in its own buffer before a flush
	// waits.
	maxBuffered = 64 << 10

	// sentCheck is how often is looked whether it has sent some: there is no event.
	sentCheck = 5 * time.Millisecond
)

// awaitProgress waits until the socket may have sent something, and returns false if it
// is closed.
func (w *WebSocket) awaitProgress() bool {
	t := time.NewTimer(sentCheck)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.moved:
	case <-w.closed:
		return false
	}
	return true
}

// taken returns how many bytes the socket has sent.
func (w *WebSocket) taken() int64 {
	return w.written.Load() - int64(w.socket.Get("bufferedAmount").Int())
}

// Wrote implements Transport.
func (w *WebSocket) Wrote() bool { return w.taken() > w.flushedAt }

// Pending implements Transport. The browser sends by itself what it buffers.
func (w *WebSocket) Pending() bool { return false }

// Progress implements Transport.
func (w *WebSocket) Progress() (taken int64, more bool) {
	taken = w.taken()
	return taken, taken < w.written.Load()
}
