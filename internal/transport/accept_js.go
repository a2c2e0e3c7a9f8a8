package transport

import (
	"errors"
	"net/http"
)

// Accept refuses a WebSocket handshake: a browser has no server.
func Accept(w http.ResponseWriter, _ *http.Request, _ string, _ bool, _ Options) (*WebSocket, error) {
	http.Error(w, "a server in a browser accepts no WebSocket", http.StatusNotImplemented)
	return nil, errors.ErrUnsupported
}
