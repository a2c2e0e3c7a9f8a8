package rpc_test

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// A connection over which nothing goes holds no buffers, nothing of the request
// that opened it but its context, and a stack that the collector could shrink.
func TestIdleConnectionIsSmall(t *testing.T) {
	const conns, most = 200, 14 << 10
	ts := serveHTTP(t, server(nil, method("Test.Nop", nil, nop)))
	held := func() int64 {
		var m runtime.MemStats
		for range 4 { // a collection halves a stack at most
			debug.FreeOSMemory()
		}
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := held()
	for range conns {
		rawWebSocket(t, ts.Listener.Addr().String())
	}
	if each := (held() - before) / conns; each > most {
		t.Errorf("a connection holds %d bytes, want at most %d", each, most)
	}
}
