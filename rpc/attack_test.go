package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What a peer that means harm gets, and what it does not.

// drained lets everything come that does, and returns it.
func (p *peer) drained() (lines []string) {
	synctest.Wait()
	for len(p.lines) > 0 {
		lines = append(lines, <-p.lines)
	}
	return lines
}

// ints is a stream of n numbers.
func ints(n int) rpc.Service {
	return streamMethod("Test.Ints", func(context.Context) rpc.Stream {
		return rpc.From(func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		})
	})
}

// A consumer that grants without measure and never says what it has taken gets
// no more than 16,384 items, for the producer remembers each.
func TestCreditIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := greetedClientOf(t, server(nil, ints(100_000)))
		p.say(`{"jsonrpc":"2.0","id":2,"method":"Test.Ints"}`)
		p.hear(`"streams":[1]`)
		for range 3 {
			p.say(`{"jsonrpc":"2.0","method":"$/credit","params":[1,0,2147483647,2147483647]}`)
		}
		n := 0
		for _, line := range p.drained() {
			if strings.Contains(line, "$/items") {
				n += strings.Count(line, ",") - 2
			}
		}
		if n != 16<<10 {
			t.Errorf("%d items came", n)
		}
		p.conn.Close()
	})
}

// A window over the cap is one of the cap: the stream goes on.
func TestWindowOverTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t, server(nil, ints(100_000)), &rpc.DialOptions{Limits: rpc.Limits{Window: 1 << 20}})
		var s rpc.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Ints", Result: &s}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range rpc.To[int](s) {
			if n++; err != nil {
				t.Fatal(n, err)
			}
		}
		if n != 100_000 {
			t.Error(n)
		}
	})
}

// big is a service of one method, which returns a text of n bytes, or waits for
// the channel where it is asked to.
func big(n int, wait chan struct{}) rpc.Service {
	return method("Test.Big", func() (any, any) { return &addParams{}, new(string) }, func(ctx context.Context, c *rpc.Call) error {
		if c.Params.(*addParams).A > 0 {
			<-wait
		}
		*c.Result.(*string) = strings.Repeat("x", n)
		return nil
	})
}

// The answers to a batch wait for the last of them. What they take counts as
// buffered: a client cannot keep batch after batch waiting for one slow call each.
func TestBatchesHoldNoMoreThanBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := make(chan struct{})
		p := clientOf(t, server(&rpc.ServerOptions{Limits: rpc.Limits{Buffered: 100_000}}, big(10_000, wait)))
		for i := range 20 {
			p.say(`[{"jsonrpc":"2.0","id":"a%[1]d","method":"Test.Big"},{"jsonrpc":"2.0","id":"b%[1]d","method":"Test.Big","params":[1]}]`, i)
			synctest.Wait()
		}
		close(wait)
		full := 0
		for _, line := range p.drained() {
			full += strings.Count(line, `"result"`)
		}
		if full < 9 || full > 20+9 {
			t.Errorf("%d of 40 answers came; want those of the waiting batches that fit 100,000 bytes", full)
		}
		p.say(`[{"jsonrpc":"2.0","id":1,"method":"Test.Big"}]`)
		p.hear(`"result"`)
		p.conn.Close()
	})
}

// tooMany are the fields of a call or an answer with 17 streams.
type tooMany [17]rpc.Stream

func (s *tooMany) Fields() (fields []rpc.Field) {
	for i := range s {
		fields = append(fields, rpc.Field{Name: fmt.Sprint("s", i), Value: &s[i]})
	}
	return fields
}

// A message that lists more than 16 streams ends the connection, so none is sent:
// the call fails, and nothing else.
func TestStreamsOfAMessageAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var entered atomic.Int64
		fill := func(s *tooMany) {
			for i := range s {
				s[i] = rpc.From(func(yield func(int, error) bool) { entered.Add(1) })
			}
		}
		conn := rpctest.Pair(t, server(nil,
			method("Test.Take", func() (any, any) { return new(tooMany), nil }, nop),
			method("Test.Make", func() (any, any) { return nil, new(tooMany) }, func(_ context.Context, c *rpc.Call) error {
				fill(c.Result.(*tooMany))
				return nil
			})), nil)
		var params tooMany
		fill(&params)
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Take", Params: &params}); !rpc.NotRun(err) {
			t.Errorf("with 17 streams: %v", err)
		}
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Make", Result: new(tooMany)}); err == nil {
			t.Error("17 streams were returned")
		}
		synctest.Wait()
		if conn.Err() != nil || entered.Load() != 17 {
			t.Errorf("the connection: %v; %d streams were entered to clean up, want those that a handler made", conn.Err(), entered.Load())
		}
	})
}

// A testLog keeps what is written to it.
type testLog struct {
	mu sync.Mutex
	strings.Builder
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(p)
}

// lines takes what has been written.
func (l *testLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.SplitAfter(l.String(), "\n")
	l.Reset()
	return lines[:len(lines)-1]
}

// Who floods a server with what it logs gets a hundred lines a minute, and
// later hears how many were left out.
func TestLogIsNotFlooded(t *testing.T) {
	for name, line := range map[string]string{
		"unknown notification": `{"jsonrpc":"2.0","method":"Test.None"}`,
		"panic":                `{"jsonrpc":"2.0","method":"Test.Panic"}`,
		"wrong parameters":     `{"jsonrpc":"2.0","method":"Test.Big","params":{"a":1` + strings.Repeat("0", 50_000) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log testLog
				p := greetedClientOf(t, server(&rpc.ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))},
					big(1, nil), method("Test.Panic", nil, func(context.Context, *rpc.Call) error { panic("bang") })))
				for range 1000 {
					p.say("%s", line)
					synctest.Wait()
				}
				lines := log.lines()
				if len(lines) != 100 {
					t.Errorf("%d lines", len(lines))
				}
				time.Sleep(time.Minute)
				p.say("%s", line)
				synctest.Wait()
				if more := log.lines(); len(more) == 0 || !strings.Contains(strings.Join(more, ""), "omitted=") {
					t.Errorf("a minute later: %.1000q", more)
				}
				for _, line := range lines {
					if len(line) > 5000 {
						t.Fatalf("a line of %d bytes", len(line))
					}
				}
				p.conn.Close()
			})
		})
	}
}

// A name as long as a message may be is neither kept nor said back.
func TestLongNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := greetedClientOf(t, server(&rpc.ServerOptions{Logger: slog.New(slog.DiscardHandler)},
			method("Test.Wait", nil, func(context.Context, *rpc.Call) error { <-release; return nil })))
		name := strings.Repeat("ä", 100_000)
		p.say(`{"jsonrpc":"2.0","id":2,"method":"%s"}`, name)
		if line := p.hear(`-32601`); len(line) > 1000 || !utf8.ValidString(line) {
			t.Errorf("a refusal of %d bytes", len(line))
		}
		p.say(`{"jsonrpc":"2.0","method":"Test.Wait"}`)
		before := heap()
		for range 200 {
			p.say(`{"jsonrpc":"2.0","method":"%s"}`, name)
		}
		synctest.Wait()
		if grown := heap() - before; grown > 10<<20 {
			t.Errorf("200 notifications, which wait, hold %d bytes", grown)
		}
		close(release)
		p.say(`{"jsonrpc":"2.0","id":"%s","method":"Test.Wait"}`, name)
		for range p.lines {
		}
	})
}

// A ping is answered with its number, not with as many as it brings.
func TestPongIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := greetedClientOf(t, server(nil))
		p.say(`{"jsonrpc":"2.0","method":"$/ping","params":[7%s]}`, strings.Repeat(",7", 10_000))
		p.hear(`"method":"$/pong","params":[7]}`)
		p.conn.Close()
	})
}

// A peer that takes calls without end and answers none has no more than 16,384
// of them remembered.
func TestUnansweredCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := clientOf(t, server(nil, method("Test.Back", nil, func(ctx context.Context, _ *rpc.Call) error {
			for ; made < 20_000; made++ {
				ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
				err := rpc.Peer(ctx).Call(ctx, &rpc.Call{Method: "X"})
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
			}
			return nil
		})))
		p.say(`{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":9007199254740991,"streams":1,"message":65536}}`)
		p.hear(`"result"`)
		p.say(`{"jsonrpc":"2.0","id":2,"method":"Test.Back"}`)
		for line := range p.lines {
			if strings.Contains(line, `"id":2,"error"`) {
				break
			}
		}
		if made != 16<<10 {
			t.Errorf("%d calls", made)
		}
		p.conn.Close()
	})
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// paced reads n bytes a second, until there are no more, and returns how many
// seconds that took.
func paced(r io.Reader, n int) (seconds int) {
	for buf := make([]byte, n); ; seconds++ {
		if _, err := io.ReadFull(r, buf); err != nil {
			return seconds
		}
		time.Sleep(time.Second)
	}
}

// A client that reads slowly, but does, is not cut for it; one that reads a byte a
// second is.
func TestSlowReaders(t *testing.T) {
	for rate, least := range map[int]int{600: 300, 1: 29} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				var ended error
				go func() { ended = server(nil, big(200_000, nil)).ServeConn(context.Background(), far) }()
				fmt.Fprintln(near, `{"jsonrpc":"2.0","id":1,"method":"Test.Big"}`)
				time.AfterFunc(time.Hour, func() { near.Close() })
				seconds := paced(near, rate)
				synctest.Wait()
				if rate > 1 && seconds*rate < 200_000-rate || rate == 1 && seconds > 31 || seconds < least {
					t.Errorf("for %d s, then %v", seconds, ended)
				}
			})
		})
	}
}

// What comes of a message is a sign of life before all of it has come.
func TestSlowUpload(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, &rpc.DialOptions{Limits: rpc.Limits{Idle: -1}}, services()...)
		b.network.Plan = func(int) rpctest.Plan {
			return rpctest.Plan{Up: rpctest.Path{Drip: 1000, Tick: time.Second}}
		}
		b.network.Cut()
		synctest.Wait()
		text := strings.Repeat("x", 200_000)
		if got, err := NewSubjectClient(b).Say(t.Context(), text); err != nil || got != any(text) {
			t.Error(err)
		}
	})
}

// A server that has as many connections as it may refuses one more, and takes it
// when another has gone. A session without a socket is none.
func TestConnectionsAreCapped(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, &rpc.ServerOptions{Connections: 2, Sessions: &rpc.SessionOptions{}}, nil, services()...)
		dial := func() (*rpc.Conn, error) {
			return rpc.Dial(t.Context(), scheme+"://server", &rpc.DialOptions{NetDial: b.network.Dial})
		}
		second, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(); err == nil {
			t.Fatal("a third was let in")
		} else if scheme == "ws" && !strings.Contains(err.Error(), "503") {
			t.Error(err)
		}
		for range 3 {
			b.network.Cut()
			time.Sleep(time.Minute)
			if st := b.State(); st.Phase != rpc.Connected || st.Session != 1 {
				t.Fatalf("the session was not taken up: %+v", st)
			}
		}
		second.Close()
		synctest.Wait()
		third, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		third.Close()
	})
}
