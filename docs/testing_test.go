package docs_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func TestStat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := files.NewStoreClient(rpctest.Connect(t.Context(), t, files.StoreService(&files.Memory{})))
		size, err := store.Put(t.Context(), "a", 0, rpc.Of([]byte("one"), []byte("two")))
		if err != nil || size != 6 {
			t.Fatal(size, err)
		}
		_, err = store.Stat(t.Context(), "b")
		if e, ok := errors.AsType[*files.NotFound](err); !ok || e.Name != "b" {
			t.Error(err)
		}
	})
}

// serveInMemory serves srv on a network in memory until the test ends.
func serveInMemory(t *testing.T, srv *rpc.Server, network *rpctest.Network) {
	web := &http.Server{Handler: srv}
	go web.Serve(network.Listen())
	t.Cleanup(func() {
		web.Close() // closes neither WebSockets nor sessions that wait for their clients
		srv.Close()
	})
}

// A download continues behind the last byte that it has.
func TestGetOverCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content, memory := bytes.Repeat([]byte("0123456789"), 50_000), &files.Memory{}
		if _, err := memory.Put(t.Context(), "digits", 0, rpc.Of(content)); err != nil {
			t.Fatal(err)
		}
		srv, network := rpc.NewServer(nil), &rpctest.Network{}
		srv.Register(files.StoreService(memory))
		serveInMemory(t, srv, network)
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		chunks, err := files.NewStoreClient(conn).Get(t.Context(), "digits", 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for chunk, err := range chunks {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, chunk.Data...); len(got) > len(content)/2 && network.Stats().Cuts == 0 {
				network.Cut()
			}
		}
		if !bytes.Equal(got, content) || network.Stats().Cuts == 0 {
			t.Errorf("%d bytes of %d, after %+v", len(got), len(content), network.Stats())
		}
	})
}

// TestTokens checks that the client has another token when the first one expires, and
// that the server reads who it is from it.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, network := rpc.NewServer(&rpc.ServerOptions{Authenticate: func(ctx context.Context, token string) (context.Context, error) {
			if token == "" {
				return nil, rpc.Errorf(rpc.CodeUnauthenticated, "no token")
			}
			ctx, cancel := context.WithTimeout(context.WithValue(ctx, userKey{}, User{Name: token}), time.Minute)
			context.AfterFunc(ctx, cancel)
			return ctx, nil
		}}), &rpctest.Network{}
		srv.Register(rpc.Service{Methods: []*rpc.Method{{
			Name: "WhoAmI",
			New:  func() (any, any) { return nil, new(string) },
			Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
				*c.Result.(*string) = userOf(ctx).Name
				return nil
			},
		}}})
		serveInMemory(t, srv, network)

		tokens := []string{"ann", "bob"}
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial, Token: func(context.Context) (token string, err error) {
			token, tokens = tokens[0], tokens[1:]
			return token, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for i, want := range []string{"ann", "bob"} {
			time.Sleep(time.Duration(i) * 61 * time.Second) // takes no time in a bubble
			var name string
			if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "WhoAmI"}, Result: &name}); err != nil || name != want {
				t.Errorf("%q, %v, want %s", name, err, want)
			}
		}
		if _, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial}); !errors.Is(err, rpc.CodeUnauthenticated) {
			t.Error("without a token:", err)
		}
	})
}

// TestRecorded holds the service to what was recorded of it.
func TestRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rpctest.Replay(t, "testdata/store.txt", files.StoreService(&files.Memory{}))
	})
}

// TestRecordedClient holds a client to what was recorded of one.
func TestRecordedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := files.NewStoreClient(rpctest.ReplayServer(t.Context(), t, "testdata/store.txt", nil))
		if size, err := store.Put(t.Context(), "a", 0, rpc.Of([]byte("one"), []byte("two"))); err != nil || size != 6 {
			t.Error(size, err)
		}
		if _, err := store.Stat(t.Context(), "b"); err == nil {
			t.Error("b is there")
		}
	})
}
