package tscheck

import (
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/tscheck/ledger"
	"github.com/wirecall/wirecall/rpc"
)

var long = flag.Bool("long", false, "run the model test with 20,000 operations and at least 1,000 cuts")

// A told is what a program says that it was told.
type told struct {
	Posts, Notes, Asks []int64
	Uploads            map[string]int64
	Items, Left        int
	Reflected          int64
	Sessions           int
}

// TestModel runs random programs against a server of package rpc, over sockets that break
// after a random number of bytes, and compares what was counted at both sides: nothing is
// lost, and nothing happens twice.
func TestModel(t *testing.T) {
	operations, cuts := 500, 30
	if *long {
		operations, cuts = 20_000, 1000
	}
	book := ledger.NewBook()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	srv.Register(ledger.LedgerService(book))
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ln := &fragile{Listener: inner}
	web := &http.Server{Handler: srv}
	go web.Serve(ln)
	t.Cleanup(func() { web.Close(); srv.Close() })

	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	w := open(t)
	cmd := exec.Command(node(), "testdata/model.mjs", filepath.Join(w.out, "ledger"), "ws://"+inner.Addr().String(), strconv.Itoa(seed), strconv.Itoa(operations))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var got told
	check(t, json.Unmarshal(out, &got))
	t.Logf("%d cuts, %d operations, %d items, %d sessions", ln.cuts.Load(), operations, got.Items, got.Sessions)
	if int(ln.cuts.Load()) < cuts {
		t.Errorf("%d cuts, want %d", ln.cuts.Load(), cuts)
	}
	if got.Sessions != 1 {
		t.Errorf("%d sessions: one was lost", got.Sessions)
	}
	compare(t, book, &got)
}

func compare(t *testing.T, book *ledger.Book, got *told) {
	book.Read(func() {
		for _, list := range []struct {
			name string
			told []int64
			here map[int64]int
		}{{"posts", got.Posts, book.Posts}, {"notes", got.Notes, book.Notes}, {"asks", got.Asks, book.Asks}} {
			if len(list.told) == 0 || len(list.told) != len(list.here) {
				t.Errorf("%s: %d there, %d here", list.name, len(list.told), len(list.here))
			}
			for _, id := range list.told {
				if list.here[id] != 1 {
					t.Errorf("%s: %d was done %d times", list.name, id, list.here[id])
				}
			}
		}
		for id, n := range got.Uploads {
			i, err := strconv.ParseInt(id, 10, 64)
			check(t, err)
			if book.Uploads[i] != n {
				t.Errorf("upload %d: %d entries there, %d here", i, n, book.Uploads[i])
			}
		}
		if want := int64(3 * len(got.Asks)); got.Reflected != want {
			t.Errorf("%d calls of the client, want %d", got.Reflected, want)
		}
		for _, what := range book.Disorder {
			t.Errorf("%s is out of order", what)
		}
	})
	idle, waiting := book.Idle()
	select {
	case <-idle:
	case <-time.After(10 * time.Second):
		t.Errorf("of %d handlers some still wait for callers that have left", waiting)
	}
}

// A fragile listener has sockets that break after a random number of bytes in either
// direction, without a close.
type fragile struct {
	net.Listener
	cuts atomic.Int64
}

func (l *fragile) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &fragileConn{Conn: conn, cuts: &l.cuts}
	c.left.Store(1000 + rand.Int64N(100_000)) // often more than a frame, or none would ever pass
	return c, nil
}

type fragileConn struct {
	net.Conn
	left atomic.Int64
	cut  atomic.Bool
	cuts *atomic.Int64
}

var errCut = errors.New("the socket is cut")

func (c *fragileConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.spend(n) {
		return 0, errCut
	}
	return n, err
}

// Write writes what is left, so that frames are cut within.
func (c *fragileConn) Write(b []byte) (int, error) {
	if left := c.left.Load(); left >= int64(len(b)) {
		n, err := c.Conn.Write(b)
		c.spend(n)
		return n, err
	} else if left > 0 {
		c.Conn.Write(b[:left])
	}
	c.spend(len(b))
	return 0, errCut
}

// spend counts bytes, and reports whether the socket is cut.
func (c *fragileConn) spend(n int) bool {
	if c.left.Add(-int64(n)) >= 0 {
		return false
	}
	if !c.cut.Swap(true) {
		c.cuts.Add(1)
		c.Conn.Close()
	}
	return true
}
