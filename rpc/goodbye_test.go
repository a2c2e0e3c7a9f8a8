package rpc_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/rpc"
)

// strange is a WebSocket client of srv that knows nothing of wirecall.
func strange(t *testing.T, srv *rpc.Server) *websocket.Conn {
	hs := httptest.NewServer(srv)
	t.Cleanup(hs.Close)
	ws, _, err := websocket.Dial(t.Context(), hs.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws
}

// A client that says goodbye is answered in kind before the socket closes.
func TestCloseIsAnswered(t *testing.T) {
	srv := server(nil)
	for range 100 {
		if err := strange(t, srv).Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// A client whose message is too large hears that.
func TestTooLargeIsSaid(t *testing.T) {
	srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Message: 64 << 10}})
	for range 100 {
		ws := strange(t, srv)
		if err := ws.Write(t.Context(), websocket.MessageText, make([]byte, 70_000)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Fatal(err)
		}
	}
}

// A client that sends pings and reads no pong takes no more than its share of
// memory.
func TestUnreadPongsAreBounded(t *testing.T) {
	heard := make(chan struct{})
	hs := httptest.NewServer(server(nil, method("Test.Heard", nil, func(context.Context, *rpc.Call) error { heard <- struct{}{}; return nil })))
	defer hs.Close()
	sock, err := net.Dial("tcp", hs.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	fmt.Fprint(sock, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReaderSize(sock, 16), nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	ping := append([]byte{0x89, 0x80 | 125, 0, 0, 0, 0}, make([]byte, 125)...)
	pings := bytes.Repeat(ping, 1000)
	for range 60 { // 8 MB of them
		if _, err := sock.Write(pings); err != nil {
			t.Fatal(err)
		}
	}
	call := `{"jsonrpc":"2.0","method":"Test.Heard"}`
	sock.Write(append([]byte{0x81, 0x80 | byte(len(call)), 0, 0, 0, 0}, call...))
	<-heard
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}
