package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpclog"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// newLogged returns a server that logs its sessions and what fails.
func newLogged(log *slog.Logger) *rpc.Server {
	return rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{rpclog.NewObserver(log)}})
}

// The page shows what is logged.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		srv := newLogged(slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{ReplaceAttr: withoutTime})))
		srv.Register(files.StoreService(&files.Memory{}))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		files.NewStoreClient(conn).Stat(t.Context(), "b")
		synctest.Wait() // the record follows the answer
		conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Store.Nonsense"}})
		time.Sleep(time.Minute)
		conn.Close()
		synctest.Wait()
		page, err := os.ReadFile("metrics.md")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "<!-- log -->\n```\n"+lines.String()+"```\n") {
			t.Errorf("the page does not show\n%s", lines.String())
		}
	})
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// label names a method in metrics. Methods that nobody has registered share a name, or
// a stranger could make as many counters as it likes.
func label(m *rpc.Method) string {
	if m.Service == "" {
		return "unknown"
	}
	return m.Name
}

// outcome names how a call or a stream has ended.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return rpc.CodeOf(err).String()
}

// countIn counts calls by method and code, and items while streams run.
func countIn(m *expvar.Map) *rpc.Observer {
	return &rpc.Observer{
		Conn: func(context.Context, *rpc.Conn, *http.Request) func(error) {
			m.Add("sessions", 1)
			return func(error) { m.Add("sessions", -1) }
		},
		Call: func(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
			start := time.Now()
			return ctx, func(r rpc.CallResult) {
				m.Add("calls "+label(c.Method)+" "+outcome(r.Err), 1)
				m.Add("milliseconds "+label(c.Method), time.Since(start).Milliseconds())
			}
		},
		Stream: func(ctx context.Context, s *rpc.StreamInfo) (func(n, bytes int), func(rpc.StreamResult)) {
			name := strings.TrimSpace(label(s.Call.Method) + " " + s.Name) // a single result has no name
			items := func(n, bytes int) {
				m.Add("items "+name, int64(n))
				m.Add("bytes "+name, int64(bytes))
			}
			return items, func(r rpc.StreamResult) {
				m.Add("streams "+name+" "+outcome(r.Err), 1)
			}
		},
	}
}

// open sums up what the connections of a server hold now.
func open(srv *rpc.Server) (sum rpc.Stats) {
	for conn := range srv.Connections() {
		stats := conn.Stats()
		sum.CallsServed += stats.CallsServed
		sum.StreamsSent += stats.StreamsSent
		sum.QueuedBytes += stats.QueuedBytes
		sum.BufferedBytes += stats.BufferedBytes
	}
	return sum
}

// newServer returns a server that counts and logs, and a handler of its numbers.
func newServer(log *slog.Logger) (*rpc.Server, http.HandlerFunc) {
	counters := new(expvar.Map)
	srv := rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{countIn(counters), rpclog.NewObserver(log)}})
	return srv, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"counters": %s, "served": %d, "sent": %d}`, counters, open(srv).CallsServed, open(srv).StreamsSent)
	}
}

// A stranger's calls, a call that fails and streams in both directions are counted
// and logged.
func TestObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
		srv, numbers := newServer(log)
		srv.Register(files.StoreService(&files.Memory{}))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		store := files.NewStoreClient(conn)

		store.Put(t.Context(), "a", 0, rpc.Of([]byte("one"), []byte("two")))
		store.Stat(t.Context(), "b")
		chunks, err := store.Get(t.Context(), "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rpc.Collect(chunks); err != nil {
			t.Error(err)
		}
		conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Store.Nonsense"}})
		conn.Close()
		synctest.Wait()

		page := httptest.NewRecorder()
		numbers(page, nil)
		var shown struct {
			Counters     map[string]int64
			Served, Sent int
		}
		if err := json.Unmarshal(page.Body.Bytes(), &shown); err != nil || shown.Served+shown.Sent > 0 {
			t.Errorf("%s: %v", page.Body, err)
		}
		var counted []string
		for _, name := range slices.Sorted(maps.Keys(shown.Counters)) {
			if n := shown.Counters[name]; !strings.HasPrefix(name, "bytes ") && n != 0 {
				counted = append(counted, fmt.Sprint(name, " ", n))
			}
		}
		want := []string{
			"calls Store.Get ok 1", "calls Store.Put ok 1", "calls Store.Stat code 404 1", "calls unknown method not found 1",
			"items Store.Get 1", "items Store.Put content 2", "streams Store.Get ok 1", "streams Store.Put content ok 1",
		}
		if !slices.Equal(counted, want) {
			t.Errorf("counted\n%s\nwant\n%s", strings.Join(counted, "\n"), strings.Join(want, "\n"))
		}
		if !strings.Contains(lines.String(), `msg="call failed" conn=1 peer=pipe method=Store.Stat`) {
			t.Errorf("the log has no failed call:\n%s", lines.String())
		}
	})
}

// traced begins a span for each call, on the side that makes it and on the side that
// serves it. begin stands for a library: it returns a context with the span, what
// traceparent is to be sent for it, and what ends it.
func traced(begin func(ctx context.Context, name, parent string) (context.Context, string, func(error))) *rpc.Observer {
	return &rpc.Observer{Call: func(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
		parent := ""
		if c.Served {
			parent = rpc.Metadata(ctx)["traceparent"]
		}
		ctx, id, end := begin(ctx, c.Method.Name, parent)
		if !c.Served {
			ctx = rpc.WithMetadata(ctx, map[string]string{"traceparent": id})
		}
		return ctx, func(r rpc.CallResult) { end(r.Err) }
	}}
}

// The span of the side that serves is a child of that of the caller.
func TestTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var spans []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			spans = append(spans, fmt.Sprintf(format, args...))
		}
		begin := func(side string) func(ctx context.Context, name, parent string) (context.Context, string, func(error)) {
			return func(ctx context.Context, name, parent string) (context.Context, string, func(error)) {
				note("%s begins %s under %q", side, name, parent)
				return ctx, side, func(err error) { note("%s ends: %v", side, err) }
			}
		}
		srv := rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{traced(begin("server"))}})
		srv.Register(files.StoreService(&files.Memory{}))
		conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Observers: []*rpc.Observer{traced(begin("client"))}})
		files.NewStoreClient(conn).Stat(t.Context(), "a")
		synctest.Wait()
		want := []string{
			`client begins Store.Stat under ""`, `server begins Store.Stat under "client"`,
			`server ends: there is no file "a"`, `client ends: there is no file "a"`,
		}
		slices.Sort(spans[2:]) // the answer may arrive before the server's observer has returned
		slices.Sort(want[2:])
		if !slices.Equal(spans, want) {
			t.Errorf("spans:\n%s", strings.Join(spans, "\n"))
		}
	})
}
