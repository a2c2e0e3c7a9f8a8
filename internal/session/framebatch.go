package session

import (
	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/wire"
)

// A frameBatch is a sequence of frames to be written. Small messages share a buffer;
// each large one has a frame of its own, in the buffer that it was encoded in.
type frameBatch struct {
	buf         []byte
	start       int   // where the last frame in buf begins
	frameEnds   []int // the end in buf of each frame but the last
	largeFrames []largeFrame
	largeBytes  int // bytes in largeFrames
	count       int // frames, written or not

	offset, next, nextLarge int // written so far: bytes of buf, frames of buf, large frames

	ack     bool           // an ack is to be written first
	replay  *replay.Buffer // keeps the frames that are written; may be nil
	streams []*SendStream  // started once all frames have been written
}

// A largeFrame is a frame with a buffer of its own.
type largeFrame struct {
	at         int // its position: before this offset of the shared buffer
	frame, buf []byte
}

// largeMessage is the size from which a message gets a frame of its own, since copying
// it would cost more than a frame.
const largeMessage = 8 << 10

// size returns how many bytes the frames have.
func (b *frameBatch) size() int { return len(b.buf) + b.largeBytes }

// add appends a message to the last frame, or to a new one if single is true or the
// frame is full.
func (b *frameBatch) add(form wire.Format, msg []byte, single bool) {
	n, size := len(b.buf)-b.start, form.FrameSize(len(msg))
	if n > 0 && (single || n+size > FrameSize) {
		b.endFrame()
		n = 0
	}
	if n == 0 {
		b.count++
	}
	b.buf = form.AppendToFrame(buffers.Grow(b.buf, size), msg, n == 0)
}

// addLarge appends a frame and takes over its buffer.
func (b *frameBatch) addLarge(frame, buf []byte) {
	b.endFrame()
	b.largeFrames = append(b.largeFrames, largeFrame{len(b.buf), frame, buf})
	b.largeBytes += len(frame)
	b.count++
}

// endFrame makes the next message begin a frame.
func (b *frameBatch) endFrame() {
	if len(b.buf) > b.start {
		b.frameEnds = append(b.frameEnds, len(b.buf))
		b.start = len(b.buf)
	}
}

// written returns how many frames have been given to the transport.
func (b *frameBatch) written() int { return b.next + b.nextLarge }

// write calls f with frame after frame until f fails or enough bytes have been written.
// The bound keeps the data between here and the socket within a CPU cache.
func (b *frameBatch) write(enough int, f func([]byte) error) error {
	for n := 0; n < enough && b.written() < b.count; {
		var frame []byte
		if b.nextLarge < len(b.largeFrames) && b.largeFrames[b.nextLarge].at == b.offset {
			frame = b.largeFrames[b.nextLarge].frame
			b.nextLarge++
		} else {
			to := len(b.buf)
			if b.next < len(b.frameEnds) {
				to = b.frameEnds[b.next]
			}
			frame = b.buf[b.offset:to]
			b.offset = to
			b.next++
		}
		n += len(frame)
		if b.replay != nil {
			b.replay.Keep(frame)
		}
		if err := f(frame); err != nil {
			return err
		}
	}
	return nil
}

// reset empties b and keeps its buffers for reuse.
func (b *frameBatch) reset() {
	for i := range b.largeFrames {
		buffers.Put(b.largeFrames[i].buf)
		b.largeFrames[i] = largeFrame{}
	}
	clear(b.streams)
	*b = frameBatch{buf: b.buf[:0], frameEnds: b.frameEnds[:0], largeFrames: b.largeFrames[:0], streams: b.streams[:0]}
}
