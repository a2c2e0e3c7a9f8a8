package rpc

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// servePOST answers one message or one batch of JSON-RPC over HTTP, for curl and for
// clients without a WebSocket. The handlers' contexts end with the request.
func (s *Server) servePOST(w http.ResponseWriter, r *http.Request) {
	if !isJSON(r.Header.Get("Content-Type")) {
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	if s.stopping() {
		http.Error(w, fault.MessageShuttingDown, http.StatusServiceUnavailable)
		return
	}
	ctx, ok := s.authenticateHTTP(w, r)
	if !ok {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.config.Limits.MessageBytes)))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		http.Error(w, tooLarge.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the client has gone
	}
	msg, ok := session.AnswerPlain(withValues(r.Context(), ctx), &s.config.Settings, body)
	switch {
	case !ok:
	case len(msg) == 0:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(msg)
	}
}

// isJSON reports whether a content type is one that JSON-RPC clients send. A page of a
// foreign origin can send none of them without a preflight request.
func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/json-rpc", "application/jsonrequest":
		return true
	}
	return false
}
