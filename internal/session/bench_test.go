package session

import (
	"testing"

	"github.com/wirecall/wirecall/internal/wire"
)

// A message of a hundred bytes through the send queue, taken by the frame.
func BenchmarkSendQueue(b *testing.B) {
	q := &sendQueue{form: wire.JSON, soft: 1 << 20, detached: true}
	msg := make([]byte, 100)
	nothing := func() bool { return false }
	written := func([]byte) error { return nil }
	var taken frameBatch
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		q.post(msg)
		if len(q.messages.buf) > FrameSize {
			q.take(&taken, nothing)
			if err := taken.write(1<<20, written); err != nil {
				b.Fatal(err)
			}
		}
	}
}
