package buffers_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/wirecall/wirecall/internal/buffers"
)

func TestGet(t *testing.T) {
	for n, room := range map[int]int{
		0: buffers.Small, 1: buffers.Small, buffers.Small: buffers.Small, buffers.Small + 1: 4 * buffers.Small,
		buffers.Read: buffers.Read, buffers.Huge: buffers.Huge, buffers.Huge + 1: buffers.Huge,
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := buffers.Get(n)
			defer buffers.Put(b)
			if len(b) != 0 || cap(b) < room {
				t.Errorf("len %d, cap %d, want 0 and at least %d", len(b), cap(b), room)
			}
		})
	}
}

// A buffer that comes back may be lent again whatever became of it, so each has the
// room that it was asked for.
func TestPutOfAnySize(t *testing.T) {
	for _, size := range []int{0, 1, buffers.Small - 1, buffers.Small, buffers.Small + 1, 5 * buffers.Small, buffers.Huge, 2 * buffers.Huge, 2*buffers.Huge + 1} {
		buffers.Put(make([]byte, size))
	}
	buffers.Put(nil)
	for n := 1; n <= buffers.Huge; n *= 2 {
		if b := buffers.Get(n); len(b) != 0 || cap(b) < n {
			t.Errorf("Get(%d): len %d, cap %d", n, len(b), cap(b))
		}
	}
}

func TestGrowKeepsContents(t *testing.T) {
	b := append(buffers.Get(0), "contents"...)
	for _, n := range []int{0, buffers.Small, buffers.Read, buffers.Huge} {
		b = buffers.Grow(b, n)
		if !bytes.Equal(b, []byte("contents")) || cap(b) < min(n, buffers.Huge) {
			t.Errorf("after Grow(%d): %q with room for %d", n, b, cap(b))
		}
	}
}
