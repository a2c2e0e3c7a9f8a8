// Package replay numbers the frames that one side of a session sends and keeps them
// until the peer has acknowledged them, so that they can be sent again over the next
// transport.
package replay

import (
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/wirecall/wirecall/internal/buffers"
)

// ErrCounting is in the error for an acknowledgment of frames that were never sent.
var ErrCounting = errors.New("the peers have counted differently")

// A Buffer numbers frames, from 1, and keeps those that the peer may not have. Its
// methods may be called from any goroutine; Init comes first.
//
// It is bounded in bytes. Where the peer has not acknowledged what fills it, the
// oldest frames are dropped and sending continues: the session can then not be
// resumed, until the peer acknowledges what was dropped.
type Buffer struct {
	limit int // bytes

	mu    sync.Mutex
	asked bool   // NeedsAck has returned true since the last acknowledgment
	skip  int    // frames still to come that are not counted
	sent  uint64 // the number of the last frame
	acked uint64 // the last that the peer has acknowledged
	buf   []byte // the kept frames, from head on
	head  int
	sizes []int // of each, from first on
	first int
}

// unpooled is how many bytes are kept without a pooled buffer: an idle session keeps
// its last ack, which is never acknowledged.
const unpooled = 512

// Init sets how many bytes are kept, and how many frames are not counted that are
// written next: those of the handshake.
func (b *Buffer) Init(limit, skip int) { b.limit, b.skip = limit, skip }

// Keep numbers a frame that is about to be written and keeps a copy of it.
func (b *Buffer) Keep(frame []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.skip > 0 {
		b.skip--
		return
	}
	b.sent++
	for len(b.buf)-b.head+len(frame) > b.limit && b.first < len(b.sizes) {
		b.drop()
	}
	if len(frame) > b.limit {
		return
	}
	b.compact(len(frame))
	if len(b.buf)+len(frame) > unpooled {
		b.buf = buffers.Grow(b.buf, len(frame))
	}
	b.buf = append(b.buf, frame...)
	b.sizes = append(b.sizes, len(frame))
}

// compact moves what is kept to the front where much has been dropped, for n bytes
// to come.
func (b *Buffer) compact(n int) {
	if b.first > 64 && b.first > len(b.sizes)/2 {
		b.sizes = append(b.sizes[:0], b.sizes[b.first:]...)
		b.first = 0
	}
	if b.head > 0 && len(b.buf)+n > cap(b.buf) && b.head > len(b.buf)/2 {
		b.buf = append(b.buf[:0], b.buf[b.head:]...)
		b.head = 0
	}
}

// drop forgets the oldest frame that is kept.
func (b *Buffer) drop() {
	b.head += b.sizes[b.first]
	b.first++
	if b.first == len(b.sizes) {
		buffers.Put(b.buf)
		b.buf, b.head = nil, 0
		if b.sizes, b.first = b.sizes[:0], 0; cap(b.sizes) > 1024 {
			b.sizes = nil
		}
	}
}

// NeedsAck reports whether the peer should be asked for an acknowledgment, because
// it leaves more than half of the limit unacknowledged. It returns true once until
// the peer acknowledges something. A browser's hidden page has no timers that would
// acknowledge by themselves.
func (b *Buffer) NeedsAck() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked || len(b.buf)-b.head <= b.limit/2 {
		return false
	}
	b.asked = true
	return true
}

// Ack drops the frames up to received, which the peer acknowledges. An older
// acknowledgment changes nothing. One of a frame that was not sent fails with an
// error that wraps ErrCounting.
func (b *Buffer) Ack(received uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if received > b.sent {
		return fmt.Errorf("%w: frame %d is acknowledged, of %d that were sent", ErrCounting, received, b.sent)
	}
	if received <= b.acked {
		return nil
	}
	b.acked, b.asked = received, false
	for b.lastDropped() < received && b.first < len(b.sizes) {
		b.drop()
	}
	return nil
}

// lastDropped is the number of the last frame that is not kept. The mutex is held.
func (b *Buffer) lastDropped() uint64 { return b.sent - uint64(len(b.sizes)-b.first) }

// Next returns the number of the next frame.
func (b *Buffer) Next() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent + 1
}

// Dropped returns the number of the last frame that is not kept.
func (b *Buffer) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lastDropped()
}

// Complete reports whether everything is kept that the peer has not acknowledged.
func (b *Buffer) Complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lastDropped() <= b.acked
}

// Held returns how many bytes are kept.
func (b *Buffer) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buf) - b.head
}

// After acknowledges the frames up to received, and returns those after it, which
// may be ranged over until the next call of Keep or Ack. It fails if they are not
// kept any more.
func (b *Buffer) After(received uint64) (iter.Seq[[]byte], error) {
	if err := b.Ack(received); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := b.lastDropped(); last > received {
		return nil, fmt.Errorf("frames %d to %d are no longer kept", received+1, last)
	}
	return func(yield func([]byte) bool) {
		from := b.head
		for _, n := range b.sizes[b.first:] {
			if !yield(b.buf[from : from+n]) {
				return
			}
			from += n
		}
	}, nil
}
