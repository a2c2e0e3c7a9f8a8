package rpc

import (
	"fmt"
	"iter"
	"sync"

	"github.com/wirecall/wirecall/internal/buffers"
)

// A replay numbers the frames that this side sends, from 1, and keeps those that
// the peer may not have, to send them again on the next socket.
//
// It is bounded in bytes. Where the peer has not acknowledged what fills it, the
// oldest frames are dropped and sending goes on: the session can then not be
// resumed, until the peer is heard to have had what was dropped.
type replay struct {
	limit int // bytes

	mu    sync.Mutex
	asked bool   // the peer was pinged because more than half of limit is kept
	skip  int    // frames still to come of those that a connection begins with, which do not count
	sent  uint64 // the number of the last frame
	acked uint64 // the last that the peer has said to have
	buf   []byte // the last frames, from head on
	head  int
	sizes []int // of each, from first on
	first int
}

// handful is how many bytes are kept without a chunk for them: an idle session
// keeps its last ack, which nobody acknowledges.
const handful = 512

// keep numbers a frame that is about to be written, and keeps a copy.
func (r *replay) keep(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.skip > 0 {
		r.skip--
		return
	}
	r.sent++
	for len(r.buf)-r.head+len(frame) > r.limit && r.first < len(r.sizes) {
		r.drop()
	}
	if len(frame) > r.limit {
		return
	}
	if r.first > 64 && r.first > len(r.sizes)/2 {
		r.sizes = append(r.sizes[:0], r.sizes[r.first:]...)
		r.first = 0
	}
	if r.head > 0 && len(r.buf)+len(frame) > cap(r.buf) && r.head > len(r.buf)/2 {
		r.buf = append(r.buf[:0], r.buf[r.head:]...)
		r.head = 0
	}
	if len(r.buf)+len(frame) > handful {
		r.buf = buffers.Grow(r.buf, len(frame))
	}
	r.buf = append(r.buf, frame...)
	r.sizes = append(r.sizes, len(frame))
}

// wantsAck reports whether the peer is to be pinged for an ack, because it leaves more
// than half of what may be kept unacknowledged: once until it has acknowledged some. A
// page that is hidden has no timer for its acks.
func (r *replay) wantsAck() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked || len(r.buf)-r.head <= r.limit/2 {
		return false
	}
	r.asked = true
	return true
}

// drop forgets the oldest frame that is kept.
func (r *replay) drop() {
	r.head += r.sizes[r.first]
	r.first++
	if r.first == len(r.sizes) {
		buffers.Put(r.buf)
		r.buf, r.head = nil, 0
		if r.sizes, r.first = r.sizes[:0], 0; cap(r.sizes) > 1024 {
			r.sizes = nil
		}
	}
}

// kept is how many frames are.
func (r *replay) kept() uint64 { return uint64(len(r.sizes) - r.first) }

// ack hears that the peer has had the frames up to received. An older one changes
// nothing.
func (r *replay) ack(received uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if received > r.sent {
		return fmt.Errorf("%w: frame %d is acknowledged, of %d that were sent", errCounting, received, r.sent)
	}
	if received <= r.acked {
		return nil
	}
	r.acked, r.asked = received, false
	for r.sent-r.kept() < received && r.first < len(r.sizes) {
		r.drop()
	}
	return nil
}

// next is the number that the next frame will have.
func (r *replay) next() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent + 1
}

// dropped is the number of the last frame that is not kept.
func (r *replay) dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent - r.kept()
}

// whole reports whether everything is kept that the peer may not have.
func (r *replay) whole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent-r.kept() <= r.acked
}

// held is how many bytes are kept.
func (r *replay) held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.buf) - r.head
}

// after returns the frames behind the one with number received, which is the last
// that the peer has. It fails where they are not kept any more. Nobody may send
// meanwhile.
func (r *replay) after(received uint64) (iter.Seq[[]byte], error) {
	if err := r.ack(received); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if have := r.sent - r.kept(); have > received {
		return nil, fmt.Errorf("frames %d to %d are no longer kept", received+1, have)
	}
	return func(yield func([]byte) bool) {
		from := r.head
		for _, n := range r.sizes[r.first:] {
			if !yield(r.buf[from : from+n]) {
				return
			}
			from += n
		}
	}, nil
}
