package files

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// chunks returns content as a stream of n bytes an item.
func chunks(content []byte, n int) func(func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		for len(content) > 0 {
			item := content[:min(n, len(content))]
			if content = content[len(item):]; !yield(item, nil) {
				return
			}
		}
	}
}

// A file is what was put, in any number of calls, also if the last of them begins
// in its middle.
func TestPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewStoreClient(rpctest.Connect(t.Context(), t, StoreService(&Memory{})))
		content := bytes.Repeat([]byte("0123456789"), 10_000)
		for _, part := range []struct{ at, end int }{{0, 0}, {0, 50_000}, {50_000, 90_000}, {30_000, 100_000}} {
			size, err := store.Put(t.Context(), "digits", int64(part.at), chunks(content[part.at:part.end], 999))
			if err != nil || size != int64(part.end) {
				t.Fatalf("put %d to %d: %d, %v", part.at, part.end, size, err)
			}
		}
		_, err := store.Put(t.Context(), "digits", 100_001, chunks(nil, 1))
		if !errors.Is(err, rpc.CodeInvalidParams) {
			t.Error("put behind the end:", err)
		}
		if got := read(t, store, "digits", 0); !bytes.Equal(got, content) {
			t.Errorf("%d bytes that differ", len(got))
		}
		if got := read(t, store, "digits", 99_990); string(got) != "0123456789" {
			t.Errorf("behind 99,990 bytes there is %q", got)
		}
	})
}

func read(t *testing.T, store Store, name string, after int64) (content []byte) {
	t.Helper()
	stream, err := store.Get(t.Context(), name, after)
	if err != nil {
		t.Fatal(err)
	}
	for chunk, err := range stream {
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, chunk.Data...)
	}
	return content
}

func TestNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewStoreClient(rpctest.Connect(t.Context(), t, StoreService(&Memory{})))
		_, err := store.Stat(t.Context(), "nothing")
		if e, ok := errors.AsType[*NotFound](err); !ok || e.Name != "nothing" {
			t.Error(err)
		}
		if _, err := store.Get(t.Context(), "nothing", 0); err == nil {
			t.Error("got nothing")
		}
	})
}

// A download goes on behind the last byte that it has, on connections that are cut
// and have no session.
func TestGetOverCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		memory := &Memory{}
		srv.Register(StoreService(memory))
		network := &rpctest.Network{}
		web := &http.Server{Handler: srv}
		go web.Serve(network.Listen())
		defer web.Close()
		defer srv.Close()

		content := bytes.Repeat([]byte("0123456789"), 50_000)
		if _, err := memory.Put(t.Context(), "digits", 0, rpc.Of(content)); err != nil {
			t.Fatal(err)
		}
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		stream, err := NewStoreClient(conn).Get(t.Context(), "digits", 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for chunk, err := range stream {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, chunk.Data...); len(got) == 5*chunkSize {
				network.Cut()
			}
		}
		if !bytes.Equal(got, content) {
			t.Errorf("%d bytes of %d", len(got), len(content))
		}
		if s := network.Stats(); s.Cuts == 0 || s.Conns < 2 {
			t.Errorf("nothing was cut: %+v", s)
		}
	})
}

// Changes come in order, those from before the call first.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		store := NewStoreClient(rpctest.Connect(t.Context(), t, StoreService(memory)))
		put := func(name string) {
			if _, err := memory.Put(t.Context(), name, 0, rpc.Of([]byte(name))); err != nil {
				t.Error(err)
			}
		}
		put("a")
		put("bb")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		changes, err := store.Changes(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := []Change{{2, "bb", 2}, {3, "ccc", 3}}
		for c, err := range changes {
			if errors.Is(err, context.Canceled) && len(want) == 0 {
				break
			}
			if err != nil || len(want) == 0 || c != want[0] {
				t.Fatalf("%+v, %v; want %v", c, err, want)
			}
			if want = want[1:]; len(want) == 1 {
				synctest.Wait() // until the stream waits for the next change
				put("ccc")
			} else {
				cancel()
			}
		}
	})
}
