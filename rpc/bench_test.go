package rpc

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
		if len(o.first.buf) > frameSize {
			o.take(&taken, nothing)
			if err := taken.write(1<<20, written); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What credit costs an item, both sides together.
func BenchmarkCredit(b *testing.B) {
	c := credit{limit: initialItems, bytes: initialBytes}
	w := newWindow(initialItems, initialBytes)
	const size = 50
	b.ReportAllocs()
	for b.Loop() {
		if !c.allows(size) {
			b.Fatal("no credit")
		}
		c.spend(size)
		if !w.receive(size) {
			b.Fatal("overrun")
		}
		if w.take(size) {
			taken, items, bytes := w.grant()
			if err := c.grant(taken, items, bytes); err != nil {
				b.Fatal(err)
			}
		}
	}
}
