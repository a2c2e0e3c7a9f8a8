package rpc_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/rpc"
)

// A client that says goodbye is answered in kind before the socket closes.
func TestCloseIsAnswered(t *testing.T) {
	ts := serveHTTP(t, server(nil))
	for range 100 {
		if err := dialWebSocket(t, ts.URL).Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// A client whose message is too large receives the close code for that.
func TestTooLargeIsSaid(t *testing.T) {
	ts := serveHTTP(t, server(&rpc.ServerOptions{Limits: rpc.Limits{MessageBytes: 64 << 10}}))
	for range 100 {
		ws := dialWebSocket(t, ts.URL)
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
	sock, _ := rawWebSocket(t, hs.Listener.Addr().String())
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
