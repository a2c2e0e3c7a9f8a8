package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A logbook is an observer that writes a line for each event.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *logbook) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func (l *logbook) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	if got := l.take(); !slices.Equal(got, lines) {
		t.Errorf("noted:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

type observedKey struct{}

func (l *logbook) calls() *rpc.Observer {
	return &rpc.Observer{Call: func(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
		if c.Params != nil && c.Served {
			l.note("%s has parameters already", c.Method.Name)
		}
		return context.WithValue(ctx, observedKey{}, c.Method.Name), func(r rpc.CallResult) {
			code := "ok"
			if r.Err != nil {
				code = rpc.CodeOf(r.Err).String()
			}
			l.note("%s: %s, panic %v, ran %v, %d and %d bytes", c.Method.Name, code, r.Panic, r.Ran, r.ParamBytes, r.ResultBytes)
		}
	}}
}

// On both sides an observer gets the result of each call as its caller gets it.
func TestObserveCalls(t *testing.T) {
	refuse := errors.New("refused by an interceptor")
	for name, test := range map[string]struct {
		call         func(context.Context, *SubjectClient, rpc.Caller) error
		served, made string
	}{
		"a result": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error {
			_, err := s.Add(ctx, 1, 2)
			return err
		},
			"Test.Add: ok, panic <nil>, ran true, 13 and 1 bytes", "Test.Add: ok, panic <nil>, ran true, 13 and 1 bytes"},
		"an error": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error { return s.Fail(ctx, "plain") },
			"Test.Fail: unknown error, panic <nil>, ran true, 15 and 0 bytes", "Test.Fail: unknown error, panic <nil>, ran true, 15 and 0 bytes"},
		"a panic": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error { return s.Panic(ctx) },
			"Test.Panic: internal error, panic a secret, ran true, 0 and 0 bytes", "Test.Panic: internal error, panic <nil>, ran true, 0 and 0 bytes"},
		"a result over the limit": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error {
			_, err := s.Big(ctx, 2<<20)
			return err
		},
			"Test.Big: too large, panic <nil>, ran true, 13 and 2097154 bytes", "Test.Big: too large, panic <nil>, ran true, 13 and 0 bytes"},
		"a result that cannot be encoded": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error { _, err := s.Odd(ctx); return err },
			"Test.Odd: internal error, panic <nil>, ran true, 0 and 0 bytes", "Test.Odd: internal error, panic <nil>, ran true, 0 and 0 bytes"},
		"a result whose encoding panics": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error { _, err := s.Bomb(ctx); return err },
			"Test.Bomb: internal error, panic a secret, ran true, 0 and 0 bytes", "Test.Bomb: internal error, panic <nil>, ran true, 0 and 0 bytes"},
		"no such method": {func(ctx context.Context, _ *SubjectClient, c rpc.Caller) error {
			return c.Call(ctx, &rpc.Call{Method: to("No.Such")})
		},
			"No.Such: method not found, panic <nil>, ran false, 0 and 0 bytes", "No.Such: method not found, panic <nil>, ran false, 0 and 0 bytes"},
		"parameters that do not fit": {func(ctx context.Context, _ *SubjectClient, c rpc.Caller) error {
			return c.Call(ctx, &rpc.Call{Method: to("Test.Add"), Params: &map[string]string{"a": "x"}})
		}, "Test.Add: invalid params, panic <nil>, ran false, 9 and 0 bytes", "Test.Add: invalid params, panic <nil>, ran true, 9 and 0 bytes"},
		"an interceptor's refusal": {func(ctx context.Context, s *SubjectClient, _ rpc.Caller) error { return s.Nothing(ctx) },
			"Test.Nothing: unknown error, panic <nil>, ran false, 0 and 0 bytes", "Test.Nothing: unknown error, panic <nil>, ran true, 0 and 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var served, made logbook
				interceptor := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
					if ctx.Value(observedKey{}) != c.Method.Name {
						t.Error("the interceptor is not under the observer's context")
					}
					if c.Method.Name == "Test.Nothing" {
						return refuse
					}
					return next(ctx, c)
				}
				conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Observers: []*rpc.Observer{served.calls()}, ServeInterceptors: []rpc.Interceptor{interceptor}}, services()...),
					&rpc.ConnOptions{Observers: []*rpc.Observer{made.calls()}})
				test.call(t.Context(), NewSubjectClient(conn), conn)
				served.want(t, test.served)
				made.want(t, test.made)
			})
		})
	}
}

// A call over the limit is observed although no handler knows of it, and an error
// whose text is withheld says what it was to the observer alone.
func TestObserveWhatCallersAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		secret := errors.New("a secret")
		var got error
		goOn := make(chan struct{})
		errs := &rpc.Observer{Call: func(_ context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
			return nil, func(r rpc.CallResult) { got = r.Err }
		}}
		p := greetedLineClient(t, server(&rpc.ServerOptions{HideErrors: true, Limits: rpc.Limits{Calls: 1}, Observers: []*rpc.Observer{book.calls(), errs}},
			method("Test.Hang", nil, func(context.Context, *rpc.Call) error { <-goOn; return secret })))
		p.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Hang"}`)
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","id":3,"method":"Test.Hang"}`)
		book.want(t, "Test.Hang: limit reached, panic <nil>, ran false, 0 and 0 bytes")
		if !rpc.NotRun(got) {
			t.Errorf("%v may have run", got)
		}
		close(goOn)
		book.want(t, "Test.Hang: internal error, panic <nil>, ran true, 0 and 0 bytes")
		if got.Error() != "internal error" || !errors.Is(got, secret) {
			t.Errorf("%v", got)
		}
	})
}

// An observer that panics is logged, and the call goes on.
func TestObserverPanics(t *testing.T) {
	var log strings.Builder
	panics := &rpc.Observer{
		Conn:   func(context.Context, *rpc.Conn, *http.Request) func(error) { panic("conn") },
		Call:   func(context.Context, *rpc.Call) (context.Context, func(rpc.CallResult)) { panic("call") },
		Stream: func(context.Context, *rpc.StreamInfo) (func(int, int), func(rpc.StreamResult)) { panic("stream") },
	}
	conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Observers: []*rpc.Observer{panics}, Logger: slog.New(slog.NewTextHandler(&log, nil))}, services()...), nil)
	seq, err := NewSubjectClient(conn).Count(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := collect(seq); err != nil || len(all) != 3 {
		t.Errorf("%v, %v", all, err)
	}
	for _, what := range []string{"panic=conn", "panic=call", "panic=stream"} {
		if !strings.Contains(log.String(), what) {
			t.Errorf("the log has no %s", what)
		}
	}
}

func (l *logbook) streams() *rpc.Observer {
	return &rpc.Observer{Stream: func(_ context.Context, s *rpc.StreamInfo) (func(int, int), func(rpc.StreamResult)) {
		name := strings.Trim(s.Call.Method.Name+" "+s.Name, " ")
		var n, bytes int
		return func(items, size int) { n += items; bytes += size }, func(r rpc.StreamResult) {
			if int64(n) != r.Items || int64(bytes) != r.Bytes {
				l.note("%s: told of %d items and %d bytes, in the end %d and %d", name, n, bytes, r.Items, r.Bytes)
			}
			l.note("%s: %d items, %d bytes, %v", name, r.Items, r.Bytes, r.Err)
		}
	}}
}

// An observer gets how many items each stream had and how it ended, on both sides.
func TestObserveStreams(t *testing.T) {
	left := func(seq iter.Seq2[int, error], err error) {
		for range seq {
			break
		}
	}
	drain := func(seq iter.Seq2[int, error], err error) { collect(seq) }
	failed := iter.Seq2[int, error](func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, errors.New("broken")) })
	for name, test := range map[string]struct {
		call           func(context.Context, *SubjectClient)
		sent, received []string
	}{
		"complete": {func(ctx context.Context, s *SubjectClient) { drain(s.Count(ctx, 3)) },
			[]string{"Test.Count: 3 items, 3 bytes, <nil>"}, []string{"Test.Count: 3 items, 3 bytes, <nil>"}},
		"an upload": {func(ctx context.Context, s *SubjectClient) { s.Sum(ctx, items(1, 22, 333)) },
			[]string{"Test.Sum nums: 3 items, 6 bytes, <nil>"}, []string{"Test.Sum nums: 3 items, 6 bytes, <nil>"}},
		"a broken upload": {func(ctx context.Context, s *SubjectClient) { s.Sum(ctx, failed) },
			[]string{"Test.Sum nums: 1 items, 1 bytes, broken"}, []string{"Test.Sum nums: 1 items, 1 bytes, broken"}},
		"left": {func(ctx context.Context, s *SubjectClient) { left(s.Tick(ctx, 3)) },
			[]string{"Test.Tick: 1 items, 1 bytes, context canceled"}, []string{"Test.Tick: 1 items, 1 bytes, context canceled"}},
		"not ranged over": {func(ctx context.Context, s *SubjectClient) {
			ctx, cancel := context.WithCancelCause(ctx)
			s.Tick(ctx, 3)
			cancel(errors.New("enough"))
		}, []string{"Test.Tick: 0 items, 0 bytes, context canceled"}, []string{"Test.Tick: 0 items, 0 bytes, enough"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var near, far logbook
				srv := server(&rpc.ServerOptions{Observers: []*rpc.Observer{far.streams()}}, services()...)
				conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Observers: []*rpc.Observer{near.streams()}})
				test.call(t.Context(), NewSubjectClient(conn))
				sent, received := &far, &near
				if strings.Contains(name, "upload") {
					sent, received = &near, &far
				}
				sent.want(t, test.sent...)
				received.want(t, test.received...)
			})
		})
	}
}

// The context of each stream is made of the one that the observer of its call returned,
// on both sides and in both directions.
func TestObserveStreamsUnderTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var near, far logbook
		observers := func(l *logbook) []*rpc.Observer {
			return []*rpc.Observer{{
				Call: func(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
					return context.WithValue(ctx, observedKey{}, c.Method.Name), nil
				},
				Stream: func(ctx context.Context, s *rpc.StreamInfo) (func(int, int), func(rpc.StreamResult)) {
					l.note("sent %v, under %v", s.Sent, ctx.Value(observedKey{}))
					return nil, nil
				},
			}}
		}
		conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Observers: observers(&far)}, services()...), &rpc.ConnOptions{Observers: observers(&near)})
		client := NewSubjectClient(conn)
		client.Count(t.Context(), 1)
		near.want(t, "sent false, under Test.Count")
		far.want(t, "sent true, under Test.Count")
		client.Sum(t.Context(), items(1))
		near.want(t, "sent true, under Test.Sum")
		far.want(t, "sent false, under Test.Sum")
	})
}

// A stream whose end was observed can be ranged over all the same, and passes its
// interceptors.
func TestObserveStreamEndedBeforeItsRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		checked := 0
		srv := server(nil, services()...)
		conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Observers: []*rpc.Observer{book.streams()},
			StreamInterceptors: []rpc.StreamInterceptor{func(context.Context, *rpc.StreamInfo) func(any) error {
				return func(any) error { checked++; return nil }
			}}})
		seq, err := NewSubjectClient(conn).Count(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		srv.Close()
		book.want(t, "Test.Count: 0 items, 0 bytes, context canceled")
		if all, err := collect(seq); err != nil || len(all) != 3 || checked != 3 {
			t.Errorf("%v, %v, %d passed the interceptor", all, err, checked)
		}
		book.want(t)
	})
}

// A parameter over which its handler never ranged ends with the session as one that was
// left: what ended the session is no error of the stream.
func TestObserveUploadThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Observers: []*rpc.Observer{book.streams()}}, services()...), nil)
		go NewSubjectClient(conn).Ignore(t.Context(), items(1, 2), 60_000)
		book.want(t)
		conn.Close()
		book.want(t, "Test.Ignore nums: 0 items, 0 bytes, context canceled")
	})
}

// The result of a producer has how long it has waited for its consumer.
func TestObserveBlockedProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var blocked, starved time.Duration
		timing := func(d *time.Duration) []*rpc.Observer {
			return []*rpc.Observer{{Stream: func(context.Context, *rpc.StreamInfo) (func(int, int), func(rpc.StreamResult)) {
				return nil, func(r rpc.StreamResult) { *d = r.Blocked }
			}}}
		}
		conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Observers: timing(&blocked)}, services()...), &rpc.ConnOptions{Observers: timing(&starved)})
		seq, err := NewSubjectClient(conn).Endless(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range seq {
			time.Sleep(time.Minute)
			break
		}
		synctest.Wait()
		if blocked != time.Minute || starved != 0 {
			t.Errorf("the producer was blocked for %v, the consumer for %v", blocked, starved)
		}
	})
}

// Items pass interceptors on both sides, which may change them and end the stream.
func TestStreamInterceptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doubled := func(_ context.Context, s *rpc.StreamInfo) func(any) error {
			if !s.Sent {
				return nil
			}
			return func(item any) error { *item.(*int) *= 2; return nil }
		}
		limited := func(_ context.Context, s *rpc.StreamInfo) func(any) error {
			return func(item any) error {
				if *item.(*int) > 4 {
					return rpc.Errorf(77, "over four")
				}
				return nil
			}
		}
		srv := server(&rpc.ServerOptions{StreamInterceptors: []rpc.StreamInterceptor{doubled}}, services()...)
		conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{StreamInterceptors: []rpc.StreamInterceptor{limited}})
		client := NewSubjectClient(conn)
		seq, err := client.Count(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := collect(seq); !slices.Equal(all, []int{2, 4}) || rpc.CodeOf(err) != 77 {
			t.Errorf("received %v, %v", all, err)
		}
		if _, err := client.Sum(t.Context(), items(1, 5)); rpc.CodeOf(err) != 77 {
			t.Errorf("sent: %v", err)
		}
	})
}

// An observer is called once for each session, with its handshake, and of its end.
func TestObserveConns(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var book logbook
		b := breakable(t, scheme, &rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Observers: []*rpc.Observer{{
			Conn: func(_ context.Context, conn *rpc.Conn, r *http.Request) func(error) {
				book.note("%v begins, with a request: %v", conn.RemoteAddr(), r != nil)
				return func(err error) { book.note("it ends: %v", err) }
			}}}}, nil, services()...)
		book.want(t, fmt.Sprintf("client:0 begins, with a request: %v", scheme == "ws"))
		b.refuse.Store(true)
		b.network.Cut()
		b.await(t, rpc.Detached)
		b.refuse.Store(false)
		b.await(t, rpc.Connected)
		book.want(t) // the session goes on
		b.CloseWithReason("enough")
		book.want(t, "it ends: the peer closed it: enough (1000)")
	})
}

// The connection that an observer is called with is in its new session already, on both
// sides: in the first one, and in one that follows a server that has lost it.
func TestObserveConnsInTheirSessions(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var near, far logbook
		observers := func(l *logbook) []*rpc.Observer {
			return []*rpc.Observer{{Conn: func(_ context.Context, conn *rpc.Conn, _ *http.Request) func(error) {
				st := conn.State()
				l.note("%v in session %d, plain %v, %v, holding %+v", st.Phase, st.Session, conn.Plain(), conn.RemoteAddr(), conn.Stats().CallsMade)
				return nil
			}}}
		}
		b := breakable(t, scheme, &rpc.ServerOptions{Observers: observers(&far)}, &rpc.DialOptions{Observers: observers(&near)}, services()...)
		near.want(t, "connected in session 1, plain false, server:80, holding 0")
		far.want(t, "connected in session 1, plain false, client:0, holding 0")
		b.restart(services()...)
		time.Sleep(time.Minute)
		near.want(t, "connected in session 2, plain false, server:80, holding 0")
	})
}

// An observer is called with the states that a watcher sees.
func TestObserveStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		b := breakable(t, "tcp", nil, &rpc.DialOptions{Resume: true, Observers: []*rpc.Observer{{
			State: func(_ *rpc.Conn, st rpc.State) { book.note("%v", st.Phase) }}}}, services()...)
		book.want(t, "connected")
		b.refuse.Store(true)
		b.network.Cut()
		b.await(t, rpc.Detached)
		b.refuse.Store(false)
		b.await(t, rpc.Connected)
		synctest.Wait()
		if seen := slices.Compact(book.take()); !slices.Equal(seen, []string{"detached", "connected"}) {
			t.Error(seen)
		}
		b.Close()
		book.want(t, "closed")
	})
}

// An observer of a server is called when a session loses its socket, is resumed, and
// ends. A POST has no session.
func TestObserveStatesOfServer(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var book logbook
		srv := &rpc.ServerOptions{Sessions: &rpc.SessionOptions{Window: time.Hour}, Observers: []*rpc.Observer{{
			State: func(_ *rpc.Conn, st rpc.State) { book.note("%v: %v", st.Phase, st.Cause) }}}}
		b := breakable(t, scheme, srv, nil, services()...)
		post := httptest.NewRequest("POST", "/", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"Test.Nothing"}`))
		post.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		b.srv.Load().ServeHTTP(answer, post)
		if answer.Code != http.StatusOK {
			t.Errorf("the POST is answered with %d", answer.Code)
		}
		book.want(t)
		b.refuse.Store(true)
		b.network.Cut()
		b.await(t, rpc.Detached)
		synctest.Wait()
		if lost := book.take(); len(lost) != 1 || !strings.HasPrefix(lost[0], "detached: ") || strings.HasSuffix(lost[0], "<nil>") {
			t.Errorf("noted %q", lost)
		}
		b.refuse.Store(false)
		b.await(t, rpc.Connected)
		book.want(t, "connected: <nil>")
		b.CloseWithReason("enough")
		book.want(t, "closed: the peer closed it: enough (1000)")
	})
}
