package rpc

import "sync"

// Chunks are the buffers of what is on its way from a socket or to one, and of
// parameters until they are decoded. A connection holds them only meanwhile, so
// that an idle one costs none. Each size is four times the one before: with fewer
// sizes small messages would hold what large ones have grown, and large ones grow
// what small ones have left.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10 // to read into, at most
	hugeChunk  = 1 << 20
)

var (
	chunks [5]sync.Pool                                        // from small to huge
	spent  = sync.Pool{New: func() any { return new([]byte) }} // a pool wants pointers: these are kept for reuse
)

// takeChunk lends a chunk that n bytes fit, if a huge one does.
func takeChunk(n int) []byte {
	i, size := 0, smallChunk
	for size < n && size < hugeChunk {
		i, size = i+1, 4*size
	}
	p, ok := chunks[i].Get().(*[]byte)
	if !ok {
		return make([]byte, 0, size)
	}
	b := (*p)[:0]
	*p = nil
	spent.Put(p)
	return b
}

// freeChunk takes one back, also one that append has grown, or none.
func freeChunk(b []byte) {
	if cap(b) < smallChunk || cap(b) > 2*hugeChunk {
		return
	}
	i := 0
	for size := 4 * smallChunk; size <= cap(b) && size <= hugeChunk; size *= 4 {
		i++
	}
	p := spent.Get().(*[]byte)
	*p = b
	chunks[i].Put(p)
}

// roomFor is b, or a larger chunk in its place, with room for n more bytes, as
// far as chunks go.
func roomFor(b []byte, n int) []byte {
	if n += len(b); n <= cap(b) || cap(b) >= hugeChunk {
		return b
	}
	larger := append(takeChunk(n), b...)
	freeChunk(b)
	return larger
}
