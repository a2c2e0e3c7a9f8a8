package rpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

// A POST whose client has gone ends its handler, whichever of those that hear
// of it is first. They race, hence many.
func TestAbandonedPOSTEndsItsHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newInteropServer(t, nil)
		for range 500 {
			ctx, cancel := context.WithCancel(t.Context())
			r := post(`{"jsonrpc":"2.0","id":1,"method":"Interop.Wait"}`)
			go srv.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
			callPOST(t, srv, "Interop.Begun")
			cancel()
			if answer := callPOST(t, srv, "Interop.Left"); !strings.Contains(answer, "context canceled") {
				t.Fatal(answer)
			}
		}
	})
}

// callPOST makes a call without parameters by POST and returns the answer.
func callPOST(t *testing.T, srv http.Handler, method string) string {
	t.Helper()
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, post(`{"jsonrpc":"2.0","id":1,"method":"`+method+`"}`))
	return w.Body.String()
}
