package rpc_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
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
		conn := upgrade(t, ts.Listener.Addr().String())
		defer conn.Close()
	}
	if each := (held() - before) / conns; each > most {
		t.Errorf("a connection holds %d bytes, want at most %d", each, most)
	}
}

// upgrade makes a WebSocket of a connection by hand.
func upgrade(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	return conn
}
