package docs_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/inspector"
)

// newInspected returns a handler of a chat room, with its inspector at /inspect/.
func newInspected() http.Handler {
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true, Sessions: &rpc.SessionOptions{}})
	srv.Register(chat.RoomService(chat.InMemory()))
	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(srv, nil)))
	return mux
}

// The inspector is where the page says.
func TestInspected(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/inspect/", nil)
	r.Host = "localhost:8080"
	w := httptest.NewRecorder()
	if newInspected().ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Error(w.Code, w.Body)
	}
}
