package session

import (
	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/replay"
)

// A frameBatch is a sequence of frames to be written. Small messages share a buffer;
// each large one has a frame of its own, in the buffer that it was encoded in.
type frameBatch struct {
	buf         []byte
	frameEnds   []int // the end in buf of each frame but the last
	largeFrames []largeFrame
	largeBytes  int // bytes in largeFrames

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

// addLarge appends a frame and takes over its buffer.
func (b *frameBatch) addLarge(frame, buf []byte) {
	b.endFrame()
	b.largeFrames = append(b.largeFrames, largeFrame{len(b.buf), frame, buf})
	b.largeBytes += len(frame)
}

func (b *frameBatch) frameStart() int {
	if len(b.frameEnds) == 0 {
		return 0
	}
	return b.frameEnds[len(b.frameEnds)-1]
}

func (b *frameBatch) endFrame() {
	if len(b.buf) > b.frameStart() {
		b.frameEnds = append(b.frameEnds, len(b.buf))
	}
}

// count returns how many frames there are, written or not.
func (b *frameBatch) count() int {
	n := len(b.frameEnds) + len(b.largeFrames)
	if len(b.buf) > b.frameStart() {
		n++
	}
	return n
}

// written returns how many frames have been given to the transport.
func (b *frameBatch) written() int { return b.next + b.nextLarge }

// hasMore reports whether something is left to write.
func (b *frameBatch) hasMore() bool { return b.ack || b.hasFrames() }

func (b *frameBatch) hasFrames() bool {
	return b.offset < len(b.buf) || b.nextLarge < len(b.largeFrames)
}

// nextFrame returns the next frame to write.
func (b *frameBatch) nextFrame() []byte {
	if b.nextLarge < len(b.largeFrames) && b.largeFrames[b.nextLarge].at == b.offset {
		b.nextLarge++
		return b.largeFrames[b.nextLarge-1].frame
	}
	from, to := b.offset, len(b.buf)
	if b.next < len(b.frameEnds) {
		to = b.frameEnds[b.next]
	}
	b.offset = to
	b.next++
	return b.buf[from:to]
}

// write calls f with frame after frame until f fails or enough bytes have been written.
// The bound keeps the data between here and the socket within a CPU cache.
func (b *frameBatch) write(enough int, f func([]byte) error) error {
	for n := 0; n < enough && b.hasFrames(); {
		frame := b.nextFrame()
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
