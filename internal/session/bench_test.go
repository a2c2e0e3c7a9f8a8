package session

import (
	"testing"

	"github.com/wirecall/wirecall/internal/wire"
)

// A message of a hundred bytes through the outbox, taken by the frame.
func BenchmarkOutbox(b *testing.B) {
	o := &outbox{form: wire.JSON, soft: 1 << 20}
	msg := make([]byte, 100)
	nothing := func() bool { return false }
	written := func([]byte) error { return nil }
	var taken batch
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		o.post(msg, false)
		if len(o.first.buf) > FrameSize {
			o.take(&taken, nothing)
			if err := taken.write(1<<20, written); err != nil {
				b.Fatal(err)
			}
		}
	}
}
