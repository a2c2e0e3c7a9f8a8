package docs_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What goes wrong in an ordinary way is on the page on troubleshooting, under the
// message that one then sees.
func TestTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []*regexp.Regexp
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllSubmatch(page, -1) {
		for message := range strings.SplitSeq(strings.Trim(string(row[1]), "`"), "`, `") {
			explained = append(explained, regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(message), "…", "(?s:.*)")))
		}
	}
	for name, fail := range mishaps {
		t.Run(name, func(t *testing.T) {
			err := fail(t)
			if err == nil {
				t.Fatal("nothing went wrong")
			}
			for _, message := range explained {
				if message.MatchString(err.Error()) {
					return
				}
			}
			t.Error("not explained: ", err)
		})
	}
}

var mishaps = map[string]func(*testing.T) error{
	"path": func(t *testing.T) error { return dialing(t, http.NotFoundHandler(), nil) },
	"codec": func(t *testing.T) error {
		return dialing(t, rpc.NewServer(nil), &rpc.DialOptions{Codec: cbor.Codec})
	},
	"origin": func(t *testing.T) error {
		return dialing(t, rpc.NewServer(nil), &rpc.DialOptions{Header: http.Header{"Origin": {"https://elsewhere.example"}}})
	},
	"middleware": func(t *testing.T) error {
		return dialing(t, http.TimeoutHandler(rpc.NewServer(quiet()), time.Minute, ""), nil)
	},
	"credentials": func(t *testing.T) error {
		return dialing(t, rpc.NewServer(&rpc.ServerOptions{Authenticate: func(ctx context.Context, _ string) (context.Context, error) {
			return nil, fmt.Errorf("a reason for the log")
		}}), nil)
	},
	"scheme": func(t *testing.T) error {
		_, err := rpc.Dial(t.Context(), "localhost:8080", nil)
		return err
	},
	"contradiction": func(*testing.T) error {
		return (&rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{Disabled: true}}).Validate()
	},
	"unit": func(*testing.T) error { return rpc.Limits{IdleTimeout: 5}.Validate() },
	"method": func(t *testing.T) error {
		return connect(t, nil).Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Store.Nonsense"}})
	},
	"parameters": func(t *testing.T) error {
		return connect(t, nil).Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Store.Stat"}, Params: object{"name": 7}})
	},
	"encoding": func(t *testing.T) error {
		return connect(t, nil).Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Store.Stat"}, Params: object{"name": math.NaN()}})
	},
	"large request": func(t *testing.T) error {
		_, err := files.NewStoreClient(connect(t, nil)).Stat(t.Context(), strings.Repeat("x", 2<<20))
		return err
	},
	"large result": func(t *testing.T) error {
		return connect(t, large).Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Large"}, Result: new(string)})
	},
	"large item": func(t *testing.T) error {
		_, err := files.NewStoreClient(connect(t, nil)).Put(t.Context(), "a", 0, rpc.Of(make([]byte, 2<<20)))
		return err
	},
	"panic": func(t *testing.T) error {
		return connect(t, func(context.Context, *rpc.Call) error { panic("a bug") }).Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Large"}})
	},
	"nobody to call": func(t *testing.T) error {
		_, err := files.NewStoreClient(rpc.Peer(t.Context())).Stat(t.Context(), "a")
		return err
	},
	"closed": func(t *testing.T) error {
		conn := connect(t, nil)
		conn.Close()
		return conn.Err()
	},
	"sent away": func(t *testing.T) error {
		srv := rpc.NewServer(nil)
		hs := httptest.NewServer(srv)
		defer hs.Close()
		conn, err := rpc.Dial(t.Context(), hs.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for peer := range srv.Connections() {
			if err := peer.CloseWithReason("enough"); err != nil {
				t.Error(err)
			}
		}
		<-conn.Done()
		return conn.Err()
	},
	"two ranges": func(t *testing.T) error {
		store := files.NewStoreClient(connect(t, nil))
		if _, err := store.Put(t.Context(), "a", 0, rpc.Of([]byte("one"))); err != nil {
			t.Fatal(err)
		}
		changes, err := store.Changes(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for range changes {
			break
		}
		_, err = rpc.Collect(changes)
		return err
	},
	"one name twice": func(*testing.T) (err error) {
		defer func() { err = fmt.Errorf("%v", recover()) }()
		srv := rpc.NewServer(nil)
		srv.Register(files.StoreService(&files.Memory{}), files.StoreService(&files.Memory{}))
		return nil
	},
}

// dialing returns the error of a dial to a handler.
func dialing(t *testing.T, h http.Handler, opts *rpc.DialOptions) error {
	hs := httptest.NewServer(h)
	defer hs.Close()
	conn, err := rpc.Dial(t.Context(), hs.URL, opts)
	if err == nil {
		conn.Close()
	}
	return err
}

// connect connects to a store, and to a method Large that serve serves.
func connect(t *testing.T, serve func(context.Context, *rpc.Call) error) *rpc.Conn {
	srv := rpc.NewServer(quiet())
	srv.Register(files.StoreService(&files.Memory{}), rpc.Service{Methods: []*rpc.Method{{
		Name:  "Large",
		New:   func() (any, any) { return nil, new(string) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error { return serve(ctx, c) },
	}}})
	return rpctest.Pair(t.Context(), t, srv, nil)
}

func quiet() *rpc.ServerOptions { return &rpc.ServerOptions{Logger: slog.New(slog.DiscardHandler)} }

func large(_ context.Context, c *rpc.Call) error {
	*c.Result.(*string) = strings.Repeat("x", 2<<20)
	return nil
}
