package session

import (
	"slices"
	"sync"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/wire"
)

// A messageBuffer holds a message until the send queue has copied it or, if it is large,
// has taken over its bytes. It begins with room for the head of a frame.
type messageBuffer struct{ Bytes []byte }

var messagePool = sync.Pool{New: func() any { return new(messageBuffer) }}

// begin returns the empty buffer, to which the message is appended.
func (b *messageBuffer) begin(form wire.Format) []byte {
	return slices.Grow(b.Bytes[:0], smallBuffer)[:form.FrameRoom()]
}

const smallBuffer = 256

// release returns b, which has held a message of n bytes, to the pool. If its bytes were
// taken over, it gets as many again.
func (b *messageBuffer) release(n int) {
	switch {
	case b.Bytes == nil && n <= 2*FrameSize:
		b.Bytes = buffers.Get(n)
	case cap(b.Bytes) > 2*FrameSize:
		buffers.Put(b.Bytes)
		b.Bytes = nil
	}
	messagePool.Put(b)
}
