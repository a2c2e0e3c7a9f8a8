package mcprpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Headers of the protocol.
const (
	versionHeader = "Mcp-Protocol-Version"
	sessionHeader = "Mcp-Session-Id"
)

// sessionless is the version since which a client cancels a call by closing its request.
// One of an earlier version says so in another request, a notification.
const sessionless = "2026-07-28"

// A cancelTable finds the calls that clients of earlier versions cancel. Such a client is
// given the name of a session, which belongs to nothing but its calls in flight here. The
// name is random, so that no client can cancel those of another.
type cancelTable struct {
	mu    sync.Mutex
	calls map[callName]context.CancelFunc
}

// A callName is a client's session and the id of a request in it, as JSON.
type callName struct{ session, id string }

// serve serves a request, whose context cancel ends, by next.
func (t *cancelTable) serve(w http.ResponseWriter, r *http.Request, cancel context.CancelFunc, next http.Handler) {
	session := r.Header.Get(sessionHeader)
	switch version := r.Header.Get(versionHeader); {
	case version >= sessionless:
	case session == "" && version == "": // it begins
		w.Header().Set(sessionHeader, rand.Text())
	case session != "":
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mcp.DefaultMaxRequestBodyBytes))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		defer t.read(session, body, cancel)()
	}
	next.ServeHTTP(w, r)
}

// read enters a call, until the result is called, or cancels the call that a notification
// names. A batch, which the oldest version has, does neither.
func (t *cancelTable) read(session string, body []byte, cancel context.CancelFunc) (leave func()) {
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct{ RequestID json.RawMessage }
	}
	if json.Unmarshal(body, &m) != nil {
		return func() {}
	}
	name := callName{session, string(m.ID)}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch m.Method {
	case "notifications/cancelled":
		if cancel := t.calls[callName{session, string(m.Params.RequestID)}]; cancel != nil {
			cancel()
		}
	case "tools/call":
		if t.calls[name] != nil {
			break // the SDK answers both: neither has a name of its own
		}
		t.calls[name] = cancel
		return func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.calls, name)
		}
	}
	return func() {}
}
