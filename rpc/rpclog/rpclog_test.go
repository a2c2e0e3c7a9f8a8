package rpclog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpclog"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A book is a log that a test reads.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// observers returns an observer that writes to the book, from a level up.
func (b *book) observers(level slog.Level) []*rpc.Observer {
	handler := slog.NewTextHandler(b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			return slog.Attr{}
		case "retry", "cut": // are random
			return slog.String(a.Key, "*")
		}
		return a
	}})
	return []*rpc.Observer{rpclog.NewObserver(slog.New(handler))}
}

// want compares the records since the last call with those wanted, in any order and
// without repetitions.
func (b *book) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	text := b.text.String()
	b.text.Reset()
	b.mu.Unlock()
	text = regexp.MustCompile(`resumed" (.*) peer=client:\d+`).ReplaceAllString(text, `resumed" $1 peer=*`) // by the number of attempts
	var got []string
	if text != "" {
		got = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	slices.Sort(got)
	got = slices.Compact(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A store fails in several ways.
type store struct {
	files.Store
	err error
}

func (s *store) Stat(_ context.Context, name string) (int64, error) {
	if s.err == nil {
		time.Sleep(time.Second)
		panic("no disk")
	}
	return 0, s.err
}

// The record of a call that failed has the connection, the method, how long it took, the
// code and why. Its level says whose fault it is.
func TestCalls(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"an application's error": {&files.NotFound{Name: "a"}, `level=INFO msg="call failed" conn=1 peer=pipe method=Store.Stat duration=0s code="code 404" why="there is no file \"a\"" ran=true`},
		"an ordinary error":      {errors.New("disk full"), `level=WARN msg="call failed" conn=1 peer=pipe method=Store.Stat duration=0s code="unknown error" why="disk full" ran=true`},
		"a long text":            {errors.New(strings.Repeat("é", 200)), `level=WARN msg="call failed" conn=1 peer=pipe method=Store.Stat duration=0s code="unknown error" why=` + strings.Repeat("é", 150) + `… ran=true`},
		"a panic":                {nil, `level=ERROR msg="call panicked" conn=1 peer=pipe method=Store.Stat duration=1s code="internal error" why="internal error" ran=true panic="no disk"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b book
				srv := rpc.NewServer(&rpc.ServerOptions{Observers: b.observers(slog.LevelInfo), Logger: slog.New(slog.DiscardHandler)})
				srv.Register(files.StoreService(&store{err: test.err}))
				conn := rpctest.Pair(t.Context(), t, srv, nil)
				b.want(t, `level=INFO msg="session begins" conn=1 session=1 peer=pipe`)
				files.NewStoreClient(conn).Stat(t.Context(), "a")
				b.want(t, test.want)
			})
		})
	}
}

// What a stranger gets wrong is logged as such.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		conn := rpctest.Pair(t.Context(), t, rpc.NewServer(&rpc.ServerOptions{Observers: b.observers(slog.LevelInfo)}), nil)
		b.want(t, `level=INFO msg="session begins" conn=1 session=1 peer=pipe`)
		conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "No.Such"}})
		b.want(t, `level=INFO msg="call failed" conn=1 peer=pipe method=No.Such duration=0s code="method not found" why="method not found: No.Such" ran=false`)
	})
}

// Calls and streams that succeed are logged at level Debug, and a stream that fails with
// what was transferred.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		srv := rpc.NewServer(&rpc.ServerOptions{Observers: b.observers(slog.LevelDebug)})
		srv.Register(telemetry.IntakeService(telemetry.NewHub()))
		intake := telemetry.NewIntakeClient(rpctest.Pair(t.Context(), t, srv, nil))
		b.want(t, `level=INFO msg="session begins" conn=1 session=1 peer=pipe`)
		intake.Report(t.Context(), "attic", time.Second, readings(nil))
		b.want(t,
			`level=DEBUG msg="stream ended" conn=1 peer=pipe method=Intake.Report stream=readings duration=1s items=1 bytes=41 blocked=1s`,
			`level=DEBUG msg="call answered" conn=1 peer=pipe method=Intake.Report duration=1s`)
		intake.Report(t.Context(), "attic", time.Second, readings(errors.New("no sensor")))
		b.want(t,
			`level=WARN msg="stream failed" conn=1 peer=pipe method=Intake.Report stream=readings duration=1s items=1 bytes=41 blocked=1s code="unknown error" why="no sensor"`,
			`level=WARN msg="call failed" conn=1 peer=pipe method=Intake.Report duration=1s code="unknown error" why="no sensor" ran=true`)
	})
}

// readings are one reading after a second, and an error.
func readings(err error) func(yield func(telemetry.Reading, error) bool) {
	return func(yield func(telemetry.Reading, error) bool) {
		time.Sleep(time.Second)
		if yield(telemetry.Reading{}, nil) && err != nil {
			yield(telemetry.Reading{}, err)
		}
	}
}

// Both sides log a cut, its resume and the end. The side that dials logs why it cannot
// connect.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var server, client book
		var refuse atomic.Bool
		network := &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Refuse: refuse.Load()} }}
		srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Observers: server.observers(slog.LevelInfo)})
		go srv.Serve(context.Background(), network.Listen())
		defer srv.Close()
		conn, err := rpc.Dial(t.Context(), "tcp://hub", &rpc.DialOptions{Resume: true, NetDial: network.Dial, Observers: client.observers(slog.LevelInfo)})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		server.want(t, `level=INFO msg="session begins" conn=1 session=1 peer=client:0`)
		client.want(t, `level=INFO msg="session begins" conn=1 session=1 peer=server:80`)

		refuse.Store(true)
		network.Cut()
		time.Sleep(10 * time.Second) // with several attempts
		server.want(t, `level=INFO msg="socket lost" conn=1 session=1 peer=client:0 why="read rpctest server:80->client:0: connection reset by peer" resumable=true`)
		client.want(t,
			`level=INFO msg="socket lost" conn=1 session=1 peer=server:80 why="read rpctest client:0->server:80: connection reset by peer" resumable=true`,
			`level=WARN msg="cannot connect" conn=1 session=1 peer=server:80 why="dial tcp hub: connection refused" retry=*`)

		refuse.Store(false)
		time.Sleep(20 * time.Second)
		server.want(t, `level=INFO msg="session resumed" conn=1 session=1 peer=* cut=*`)
		client.want(t, `level=INFO msg="session resumed" conn=1 session=1 peer=server:80 cut=*`)

		time.Sleep(time.Minute)
		conn.CloseWithReason("good night")
		server.want(t, `level=INFO msg="session ends" conn=1 session=1 peer=client:0 duration=1m30s why="the peer closed it: good night (1000)"`)
		client.want(t, `level=INFO msg="session ends" conn=1 session=1 peer=server:80 duration=1m30s why="rpc: connection closed: good night"`)
	})
}

// A connection whose credentials are refused says so, and that it is closed.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var client book
		network := &rpctest.Network{}
		var known atomic.Bool
		known.Store(true)
		srv := rpc.NewServer(&rpc.ServerOptions{Authenticate: func(ctx context.Context, token string) (context.Context, error) {
			if !known.Load() {
				return nil, rpc.Errorf(rpc.CodeUnauthenticated, "the token is not valid")
			}
			return ctx, nil
		}})
		go srv.Serve(context.Background(), network.Listen())
		defer srv.Close()
		conn, err := rpc.Dial(t.Context(), "tcp://hub", &rpc.DialOptions{NetDial: network.Dial, Observers: client.observers(slog.LevelInfo),
			Token: func(context.Context) (string, error) { return "ann", nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client.want(t, `level=INFO msg="session begins" conn=1 session=1 peer=server:80`)
		known.Store(false)
		network.Cut()
		time.Sleep(time.Minute)
		client.want(t,
			`level=INFO msg="session ends" conn=1 session=1 peer=server:80 duration=0s why="read rpctest client:0->server:80: connection reset by peer"`,
			`level=ERROR msg="credentials refused" conn=1 session=1 peer=server:80 why="the token is not valid"`)
		conn.Close()
		client.want(t, `level=INFO msg="connection closed" conn=1 session=1 peer=server:80 why="rpc: connection closed"`)
	})
}
