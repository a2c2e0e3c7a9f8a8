package session

import (
	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/replay"
)

// A batch is a run of frames. Small messages share a buffer; a large one is in a
// frame of its own, in the buffer that it was encoded in.
type batch struct {
	buf   []byte
	cuts  []int // where each frame but the last ends
	large []large
	bytes int // that large has

	from, next, nextLarge int // what has been written: bytes, and frames

	ack    bool           // is to be written first
	replay *replay.Buffer // keeps what is written
	starts []*SendStream  // produced once all of it has been written
}

// A large is a frame with a buffer of its own, a chunk.
type large struct {
	at         int // in the batch's buffer: it comes before what is there
	frame, buf []byte
}

// largeMessage is from where on a message gets a frame of its own, as copying it
// costs more than a frame.
const largeMessage = 8 << 10

// size is how many bytes there are.
func (b *batch) size() int { return len(b.buf) + b.bytes }

// own takes over buf with the frame in it.
func (b *batch) own(frame, buf []byte) {
	b.cut()
	b.large = append(b.large, large{len(b.buf), frame, buf})
	b.bytes += len(frame)
}

func (b *batch) start() int {
	if len(b.cuts) == 0 {
		return 0
	}
	return b.cuts[len(b.cuts)-1]
}

func (b *batch) cut() {
	if len(b.buf) > b.start() {
		b.cuts = append(b.cuts, len(b.buf))
	}
}

// count is how many frames there are, left how many of them are to be written.
func (b *batch) count() int {
	n := len(b.cuts) + len(b.large)
	if len(b.buf) > b.start() {
		n++
	}
	return n
}

// written is how many frames have been given to the transport.
func (b *batch) written() int { return b.next + b.nextLarge }

// left reports whether there are frames to write.
func (b *batch) left() bool { return b.ack || b.frames() }

func (b *batch) frames() bool { return b.from < len(b.buf) || b.nextLarge < len(b.large) }

// frame is the next one to write.
func (b *batch) frame() []byte {
	if b.nextLarge < len(b.large) && b.large[b.nextLarge].at == b.from {
		b.nextLarge++
		return b.large[b.nextLarge-1].frame
	}
	from, to := b.from, len(b.buf)
	if b.next < len(b.cuts) {
		to = b.cuts[b.next]
	}
	b.from = to
	b.next++
	return b.buf[from:to]
}

// write calls f with one frame after the other, until it fails or enough has
// been written: what is between here and the socket should fit a cache.
func (b *batch) write(enough int, f func([]byte) error) error {
	for n := 0; n < enough && b.frames(); {
		frame := b.frame()
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
func (b *batch) reset() {
	for i := range b.large {
		buffers.Put(b.large[i].buf)
		b.large[i] = large{}
	}
	clear(b.starts)
	*b = batch{buf: b.buf[:0], cuts: b.cuts[:0], large: b.large[:0], starts: b.starts[:0]}
}
