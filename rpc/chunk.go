package rpc

import "sync"

// Chunks are the buffers of what is on its way from a socket or to one, and of
// parameters until they are decoded. A connection holds them only meanwhile, so
// that an idle one costs none. There are two sizes, or small messages would hold
// what large ones have grown, and large ones grow what small ones have left.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

var (
	smallChunks = sync.Pool{New: func() any { return new(make([]byte, 0, smallChunk)) }}
	largeChunks = sync.Pool{New: func() any { return new(make([]byte, 0, largeChunk)) }}
	spent       = sync.Pool{New: func() any { return new([]byte) }} // a pool wants pointers: these are kept for reuse
)

// takeChunk lends a chunk that n bytes fit, if a large one does.
func takeChunk(n int) []byte {
	pool := &smallChunks
	if n > smallChunk {
		pool = &largeChunks
	}
	p := pool.Get().(*[]byte)
	b := (*p)[:0]
	*p = nil
	spent.Put(p)
	return b
}

// freeChunk takes one back, also one that append has grown, or none.
func freeChunk(b []byte) {
	if cap(b) == 0 {
		return
	}
	p := spent.Get().(*[]byte)
	*p = b
	if cap(b) >= largeChunk {
		largeChunks.Put(p)
	} else {
		smallChunks.Put(p)
	}
}

// roomFor is b, or a larger chunk in its place, with room for n more bytes, as
// far as chunks go.
func roomFor(b []byte, n int) []byte {
	if n += len(b); n <= cap(b) || cap(b) >= largeChunk {
		return b
	}
	larger := append(takeChunk(n), b...)
	freeChunk(b)
	return larger
}
