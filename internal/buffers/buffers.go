// Package buffers lends byte slices for messages on their way to or from a
// transport, and for parameters until they are decoded. A connection holds buffers
// only meanwhile, so that an idle one costs none.
//
// All functions may be called from any goroutine.
package buffers

import "sync"

// Each size is four times the one before: with fewer sizes small messages would
// hold buffers that large ones have grown, and large messages would grow buffers
// that small ones have returned.
const (
	Small = 4 << 10  // the smallest buffer
	Read  = 64 << 10 // the largest buffer to read into
	Huge  = 1 << 20  // the largest buffer that Get makes
)

var (
	pools   [5]sync.Pool                                        // by size, from Small to Huge
	headers = sync.Pool{New: func() any { return new([]byte) }} // a sync.Pool holds pointers: these are reused
)

// Get returns an empty buffer with room for at least n bytes, or for Huge if n is
// more. The caller should Put it when nothing refers to it any more.
func Get(n int) []byte {
	i, size := 0, Small
	for size < n && size < Huge {
		i, size = i+1, 4*size
	}
	p, ok := pools[i].Get().(*[]byte)
	if !ok {
		return make([]byte, 0, size)
	}
	b := (*p)[:0]
	*p = nil
	headers.Put(p)
	return b
}

// Put returns a buffer that Get made, also if append has replaced it by a larger
// one. A slice that is nil, or of another size, is left to the garbage collector.
func Put(b []byte) {
	if cap(b) < Small || cap(b) > 2*Huge {
		return
	}
	i := 0
	for size := 4 * Small; size <= cap(b) && size <= Huge; size *= 4 {
		i++
	}
	p := headers.Get().(*[]byte)
	*p = b
	pools[i].Put(p)
}

// Grow returns b, or a larger buffer with its contents, with room for n more bytes,
// up to Huge in all. It puts b back if it returns another.
func Grow(b []byte, n int) []byte {
	if n += len(b); n <= cap(b) || cap(b) >= Huge {
		return b
	}
	larger := append(Get(n), b...)
	Put(b)
	return larger
}
