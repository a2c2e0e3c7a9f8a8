// Package docs_test holds what the README and the pages beside it show, so that it
// is compiled and run. Each file belongs to the page of its name.
package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
)

// A User is who a connection belongs to.
type User struct {
	Name  string
	Roles []string
}

type userKey struct{}

// userOf returns the user whose call is served.
func userOf(ctx context.Context) User {
	u, _ := ctx.Value(userKey{}).(User)
	return u
}

// users are those who have a token.
var users = map[string]User{
	"Bearer ann's": {"ann", []string{"reader", "writer"}},
	"Bearer bob's": {"bob", []string{"reader"}},
}

// authenticate is a middleware: it refuses a handshake without a known token, and
// puts the user into the context of all calls of the connection.
func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := users[r.Header.Get("Authorization")]
		if !ok {
			http.Error(w, "no such user", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}

// allow refuses calls of methods whose role the user does not have. A method
// without a role is nobody's.
func allow(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
	if role := c.Method.Option("role"); role == "" || !slices.Contains(userOf(ctx).Roles, role) {
		return rpc.Errorf(rpc.CodePermissionDenied, "%s needs the role %q", c.Method.Name, role)
	}
	return next(ctx, c)
}

func Example() {
	srv := rpc.NewServer(&rpc.ServerOptions{
		Sessions:          &rpc.SessionOptions{}, // what is in flight outlives its socket
		MaxConnections:    10_000,                // one more is answered with 503
		ServeInterceptors: []rpc.Interceptor{allow},
	})
	srv.Register(files.StoreService(&files.Memory{}))
	web := &http.Server{Handler: authenticate(srv), ReadHeaderTimeout: 10 * time.Second}
	hs := httptest.NewServer(web.Handler)
	defer hs.Close()

	ctx, url, token := context.Background(), hs.URL, "bob's"
	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{
		Resume: true, // the other half of Sessions
		Header: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	store := files.NewStoreClient(conn)
	_, err = store.Stat(ctx, "report.pdf")
	if e, ok := errors.AsType[*files.NotFound](err); ok {
		fmt.Println("not found:", e.Name)
	}
	_, err = store.Put(ctx, "report.pdf", 0, rpc.Of([]byte("…")))
	fmt.Println(err)
	_, err = rpc.Dial(ctx, url, nil)
	fmt.Println(rpc.CodeOf(err))
	// Output:
	// not found: report.pdf
	// Store.Put needs the role "writer"
	// unauthenticated
}
