package rpc_test

import (
	"net/http/httptest"
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
	srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Message: 100}})
	for range 100 {
		ws := strange(t, srv)
		if err := ws.Write(t.Context(), websocket.MessageText, make([]byte, 40_000)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Fatal(err)
		}
	}
}
