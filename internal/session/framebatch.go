package session

import (
	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/replay"
)

// A batch is a run of frames. Small messages share a buffer; a large one is in a
// frame of its own, in the buffer that it was encoded in.
type frameBatch struct {
	buf         []byte
	frameEnds   []int // where each frame but the last ends
	largeFrames []largeFrame
	largeBytes  int // that large has

	offset, next, nextLarge int // what has been written: bytes, and frames

	ack     bool           // is to be written first
	replay  *replay.Buffer // keeps what is written
	streams []*SendStream  // produced once all of it has been written
}

// A large is a frame with a buffer of its own, a chunk.
type largeFrame struct {
	at         int // in the batch's buffer: it comes before what is there
	frame, buf []byte
}

// largeMessage is from where on a message gets a frame of its own, as copying it
// costs more than a frame.
const largeMessage = 8 << 10

// size is how many bytes there are.
func (b *frameBatch) size() int { return len(b.buf) + b.largeBytes }

// own takes over buf with the frame in it.
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

// count is how many frames there are, left how many of them are to be written.
func (b *frameBatch) count() int {
	n := len(b.frameEnds) + len(b.largeFrames)
	if len(b.buf) > b.frameStart() {
		n++
	}
	return n
}

// written is how many frames have been given to the transport.
func (b *frameBatch) written() int { return b.next + b.nextLarge }

// left reports whether there are frames to write.
func (b *frameBatch) hasMore() bool { return b.ack || b.hasFrames() }

func (b *frameBatch) hasFrames() bool {
	return b.offset < len(b.buf) || b.nextLarge < len(b.largeFrames)
}

// frame is the next one to write.
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

// write calls f with one frame after the other, until it fails or enough has
// been written: what is between here and the socket should fit a cache.
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

// reset empties b, whose buffer is for the next one.
func (b *frameBatch) reset() {
	for i := range b.largeFrames {
		buffers.Put(b.largeFrames[i].buf)
		b.largeFrames[i] = largeFrame{}
	}
	clear(b.streams)
	*b = frameBatch{buf: b.buf[:0], frameEnds: b.frameEnds[:0], largeFrames: b.largeFrames[:0], streams: b.streams[:0]}
}
