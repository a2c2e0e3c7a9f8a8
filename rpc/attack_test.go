package rpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/internal/wire"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What a peer that means harm gets, and what it does not.

// ints is a stream of n numbers.
func ints(n int) rpc.Service {
	return streamMethod("Test.Ints", func(context.Context) gen1.Stream {
		return gen1.Send(func(yield func(int, error) bool) {
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
		p := greetedLineClient(t, server(nil, ints(100_000)))
		p.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Ints"}`)
		p.receive(`"streams":[1]`)
		for range 3 {
			p.send(`{"jsonrpc":"2.0","method":"$/credit","params":[1,0,2147483647,2147483647]}`)
		}
		n := 0
		for _, line := range p.receiveAll() {
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
		conn := rpctest.Pair(t.Context(), t, server(nil, ints(100_000)), &rpc.ConnOptions{Limits: rpc.Limits{WindowItems: 1 << 20}})
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Ints"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range gen1.Receive[int](s) {
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
		p := lineClient(t, server(&rpc.ServerOptions{Limits: rpc.Limits{BufferedBytes: 100_000}}, big(10_000, wait)))
		for i := range 20 {
			p.send(`[{"jsonrpc":"2.0","id":"a%[1]d","method":"Test.Big"},{"jsonrpc":"2.0","id":"b%[1]d","method":"Test.Big","params":[1]}]`, i)
			synctest.Wait()
		}
		close(wait)
		full := 0
		for _, line := range p.receiveAll() {
			full += strings.Count(line, `"result"`)
		}
		if full < 9 || full > 20+9 {
			t.Errorf("%d of 40 answers came; want those of the waiting batches that fit 100,000 bytes", full)
		}
		p.send(`[{"jsonrpc":"2.0","id":1,"method":"Test.Big"}]`)
		p.receive(`"result"`)
		p.conn.Close()
	})
}

// tooMany are the fields of a call or an answer with 17 streams.
type tooMany [17]gen1.Stream

func (s *tooMany) names() (names []string) {
	for i := range s {
		names = append(names, fmt.Sprint("s", i))
	}
	return names
}

func (s *tooMany) Field(i int) any { return &s[i] }

// A message that lists more than 16 streams ends the connection, so none is sent:
// the call fails, and nothing else.
func TestStreamsOfAMessageAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var entered atomic.Int64
		fill := func(s *tooMany) {
			for i := range s {
				s[i] = gen1.Send(func(yield func(int, error) bool) { entered.Add(1) })
			}
		}
		conn := rpctest.Pair(t.Context(), t, server(nil,
			method("Test.Take", func() (any, any) { return new(tooMany), nil }, nop),
			method("Test.Make", func() (any, any) { return nil, new(tooMany) }, func(_ context.Context, c *rpc.Call) error {
				fill(c.Result.(*tooMany))
				return nil
			})), nil)
		var params tooMany
		fill(&params)
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Take", params.names()...), Params: &params}); !rpc.NotRun(err) {
			t.Errorf("with 17 streams: %v", err)
		}
		if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Make", Results: new(tooMany).names()}, Result: new(tooMany)}); err == nil {
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
// later logs how many were left out.
func TestLogIsNotFlooded(t *testing.T) {
	for name, line := range map[string]string{
		"unknown notification": `{"jsonrpc":"2.0","method":"Test.None"}`,
		"panic":                `{"jsonrpc":"2.0","method":"Test.Panic"}`,
		"wrong parameters":     `{"jsonrpc":"2.0","method":"Test.Big","params":{"a":1` + strings.Repeat("0", 50_000) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log testLog
				p := greetedLineClient(t, server(&rpc.ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))},
					big(1, nil), method("Test.Panic", nil, func(context.Context, *rpc.Call) error { panic("bang") })))
				for range 1000 {
					p.send("%s", line)
					synctest.Wait()
				}
				lines := log.lines()
				if len(lines) != 100 {
					t.Errorf("%d lines", len(lines))
				}
				time.Sleep(time.Minute)
				p.send("%s", line)
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

// A name as long as a message may be is neither kept nor sent back in full.
func TestLongNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := greetedLineClient(t, server(&rpc.ServerOptions{Logger: slog.New(slog.DiscardHandler)},
			method("Test.Wait", nil, func(context.Context, *rpc.Call) error { <-release; return nil })))
		name := strings.Repeat("ä", 100_000)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"%s"}`, name)
		if line := p.receive(`-32601`); len(line) > 1000 || !utf8.ValidString(line) {
			t.Errorf("a refusal of %d bytes", len(line))
		}
		p.send(`{"jsonrpc":"2.0","method":"Test.Wait"}`)
		before := heap()
		for range 3 { // which is what the credit for notifications allows
			p.send(`{"jsonrpc":"2.0","method":"%s"}`, name)
		}
		synctest.Wait()
		if grown := heap() - before; grown > 500_000 {
			t.Errorf("three notifications, which wait, hold %d bytes", grown)
		}
		close(release)
		p.send(`{"jsonrpc":"2.0","id":"%s","method":"Test.Wait"}`, name)
		for range p.lines {
		}
	})
}

// A ping is answered with its number, not with as many as it brings.
func TestPongIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := greetedLineClient(t, server(nil))
		p.send(`{"jsonrpc":"2.0","method":"$/ping","params":[7%s]}`, strings.Repeat(",7", 10_000))
		p.receive(`"method":"$/pong","params":[7]}`)
		p.conn.Close()
	})
}

// A peer that takes calls without end and answers none has no more than 16,384
// of them remembered.
func TestUnansweredCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := lineClient(t, server(nil, method("Test.Back", nil, func(ctx context.Context, _ *rpc.Call) error {
			for ; made < 20_000; made++ {
				ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
				err := rpc.Peer(ctx).Call(ctx, &rpc.Call{Method: to("X")})
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
			}
			return nil
		})))
		p.send(`{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":9007199254740991,"streams":1,"message":65536}}`)
		p.receive(`"result"`)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Back"}`)
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
	runtime.GC() // what is in a sync.Pool survives one
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
				near, ended := servePipe(context.Background(), server(nil, big(200_000, nil)))
				fmt.Fprintln(near, `{"jsonrpc":"2.0","id":1,"method":"Test.Big"}`)
				time.AfterFunc(time.Hour, func() { near.Close() })
				seconds := paced(near, rate)
				if err := <-ended; rate > 1 && seconds*rate < 200_000-rate || rate == 1 && seconds > 31 || seconds < least {
					t.Errorf("for %d s, then %v", seconds, err)
				}
			})
		})
	}
}

// What comes of a message is a sign of life before all of it has come.
func TestSlowUpload(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, &rpc.DialOptions{Limits: rpc.Limits{IdleTimeout: -1}}, services()...)
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
		b := breakable(t, scheme, &rpc.ServerOptions{MaxConnections: 2, Sessions: &rpc.SessionOptions{}}, nil, services()...)
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

// A handshake that fails counts for nothing.
func TestFailedHandshakesAreNoConnections(t *testing.T) {
	hs := httptest.NewServer(server(&rpc.ServerOptions{MaxConnections: 1}))
	defer hs.Close()
	for range 5 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", hs.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"12"}}
		resp, err := http.DefaultClient.Do(r)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	conn, err := rpc.Dial(t.Context(), hs.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// An attack is what a peer of a server does in wirecall mode, behind hello, and
// what it gets.
type attack struct {
	frames []string
	limits rpc.Limits
	want   string // the code and reason that the server closes with
	say    string // or what the last frame that comes holds, and the connection stays
}

// What a frame can do at worst is end its own connection: another's calls go on.
func TestFramesThatMeanHarm(t *testing.T) {
	request := func(member string) string { return `{"jsonrpc":"2.0","id":2,"method":"Test.Say",` + member + `}` }
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	repeat := func(n int, f func(i int) string) string {
		lines := make([]string, n)
		for i := range lines {
			lines[i] = f(i)
		}
		return strings.Join(lines, "\n")
	}
	control := func(n int, method, params string) string {
		return repeat(n, func(int) string { return `{"jsonrpc":"2.0","method":"$/` + method + `","params":` + params + `}` })
	}
	manyKeys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%x":""`, i)
		}
		return b.String()[1:]
	}
	handles := func(n int) string { return strings.Repeat(",7", n)[1:] }
	open := `{"jsonrpc":"2.0","id":2,"method":"Test.Endless"}`
	for name, a := range map[string]attack{
		"nested":               {frames: []string{request(`"params":[` + deep(400_000) + `]`)}, want: "4500 parse error: nested deeper than 1024"},
		"nested less":          {frames: []string{request(`"params":[` + deep(500) + `]`)}, say: strings.Repeat("[", 500)},
		"a deep parameter":     {frames: []string{request(`"params":[` + deep(900) + `]`)}, say: `"code":-32602`},
		"never closed":         {frames: []string{request(`"params":` + strings.Repeat("[", 900_000))}, want: "4500 parse error: nested deeper than 1024"},
		"id 2^63":              {frames: []string{`{"jsonrpc":"2.0","id":9223372036854775808,"method":"Test.Nothing"}`}, want: "4500 request id 9223372036854775808 is not an integer from 0 to 2^53-1"},
		"id 2^53":              {frames: []string{`{"jsonrpc":"2.0","id":9007199254740992,"method":"Test.Nothing"}`}, want: "4500 request id 9007199254740992 is not an integer from 0 to 2^53-1"},
		"id 1e400":             {frames: []string{`{"jsonrpc":"2.0","id":1e400,"method":"Test.Nothing"}`}, want: "4500 request id 1e400 is not an integer"},
		"id of 1 MB":           {frames: []string{`{"jsonrpc":"2.0","id":1` + strings.Repeat("0", 1_000_000) + `,"method":"Test.Nothing"}`}, want: "4500 request id 1" + strings.Repeat("0", 108)},
		"timeout 2^53":         {frames: []string{request(`"timeout":9007199254740992`)}, want: "4500 invalid request: timeout is not an integer from 0 to 2^53-1"},
		"timeout 1e400":        {frames: []string{request(`"timeout":1e400`)}, want: "4500 invalid request: timeout is not an integer from 0 to 2^53-1"},
		"number of 1 MB":       {frames: []string{`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1` + strings.Repeat("0", 1_000_000) + `]}`}, say: `-3260`},
		"1e400 to a method":    {frames: []string{`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1e400]}`}, say: `-32602`},
		"thousands of handles": {frames: []string{request(`"streams":[` + handles(10_000) + `]`)}, want: "4500 invalid request: streams is not a list of at most 16 different handles from 1"},
		"handle 2^63":          {frames: []string{request(`"streams":[9223372036854775808]`)}, want: "4500 invalid request: streams is not a list of at most 16 different handles from 1"},
		"many keys":            {frames: []string{request(`"meta":{` + manyKeys(80_000) + `}`)}, say: `"result":null`},
		"many members":         {frames: []string{request(manyKeys(80_000))}, say: `"result":null`},
		"items for nobody":     {frames: []string{control(1, "items", `[9,[1]]`)}, want: "4500 items of stream 9, which is not open"},
		"end of nothing":       {frames: []string{control(1, "end", `[9]`)}, want: "4500 the end of stream 9, which is not open"},
		"credit for nobody":    {frames: []string{control(10_000, "credit", `[9,0,2147483647,2147483647]`), request(`"params":[1]`)}, say: `"result":1`},
		"credit of 2^53":       {frames: []string{control(1, "credit", `[1,0,9007199254740992,1]`)}, want: "4500 a control message is malformed"},
		"credit below nothing": {frames: []string{control(1, "credit", `[1,0,-1,1]`)}, want: "4500 a control message is malformed"},
		"credit never sent":    {frames: []string{open, control(1, "credit", `[1,9007199254740991,1,1]`)}, want: "4500 credit for item 9007199254740991 of a stream that has sent 64"},
		"cancels":              {frames: []string{control(10_000, "cancel", `[9]`), request(`"params":[1]`)}, say: `"result":1`},
		"cancels of calls":     {frames: []string{control(10_000, "cancelRequest", `{"id":9}`), request(`"params":[1]`)}, say: `"result":1`},
		"unknown controls":     {frames: []string{control(10_000, "none", `[1]`), request(`"params":[1]`)}, say: `"result":1`},
		"acks without session": {frames: []string{control(10_000, "ack", `[99,99]`), request(`"params":[1]`)}, say: `"result":1`},
		"goaways":              {frames: []string{control(10_000, "goaway", `[0]`), request(`"params":[1]`)}, say: `"result":1`},
		"empty frames":         {frames: []string{"", ""}, want: "4500 parse error: empty line in a frame"},
		"answers to nobody":    {frames: []string{repeat(10_000, func(i int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":1}`, i) })}, want: "4500 an answer to a call that is not open: id 0"},
		"an id twice":          {frames: []string{`{"jsonrpc":"2.0","id":2,"method":"Test.Sleep","params":[1000]}`, `{"jsonrpc":"2.0","id":2,"method":"Test.Nothing"}`}, want: "4500 id 2 is open already"},
		"streams never ended": {limits: rpc.Limits{Streams: 16}, frames: []string{repeat(20, func(i int) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"Test.Nothing","streams":[%d,%d,%d,%d]}`, i+2, 4*i+1, 4*i+2, 4*i+3, 4*i+4)
		})}, want: "4500 far more streams than the limit allows"},
		"notifications": {frames: []string{repeat(5_000, func(i int) string { return `{"jsonrpc":"2.0","method":"Test.Note","params":["x",1000]}` })},
			want: "4500 too many notifications wait: the peer sends them faster than they are handled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newTestServer(a.limits)
				bystander := NewSubjectClient(rpctest.Pair(t.Context(), t, srv, nil))
				p := frameClient(t, srv, jsonProtocol)
				p.send(websocket.MessageText, helloRequest)
				before := heap()
				for _, frame := range a.frames {
					p.ws.Write(context.Background(), websocket.MessageText, []byte(frame))
					synctest.Wait()
				}
				frames := p.receiveAll()
				if closed := p.closeStatus(); !strings.HasPrefix(closed, a.want) || a.want == "" && closed != "<nil>" {
					t.Errorf("closed with %q, want %q", closed, a.want)
				}
				if last := frames[len(frames)-1]; !strings.Contains(last, a.say) {
					t.Errorf("it sent %.200q, want %.100q", last, a.say)
				}
				if said := len(strings.Join(frames, "")); said > 20_000 {
					t.Errorf("it sent %d bytes", said)
				}
				if grown := heap() - before; grown > 16<<20 {
					t.Errorf("the heap has grown by %d bytes", grown)
				}
				if sum, err := bystander.Add(t.Context(), 1, 2); sum != 3 || err != nil {
					t.Errorf("a bystander got %d, %v", sum, err)
				}
				time.Sleep(time.Hour) // until the handlers have returned
			})
		})
	}
}

// Lengths that lie, and nesting, in CBOR.
func TestCBORThatMeansHarm(t *testing.T) {
	msg := func(params string) string {
		return string(wire.CBOR.AppendToFrame(nil, []byte("\xa3\x62id\x02\x66method\x68Test.Say\x66params"+params), true))
	}
	for name, frame := range map[string]string{
		"a frame of 2^64-1":      "\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
		"a map of 2^62":          msg("\xbb\x40\x00\x00\x00\x00\x00\x00\x00"),
		"an array of 2^64-1":     msg("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
		"an array of 2^32-1":     msg("\x81\x9a\xff\xff\xff\xff"),
		"a text of 2^63":         msg("\x81\x7b\x80\x00\x00\x00\x00\x00\x00\x00"),
		"a text of 1 GiB":        msg("\x81\x7a\x40\x00\x00\x00"),
		"a message of 2^62":      string(wire.CBOR.AppendToFrame(nil, []byte("\xbb\x40\x00\x00\x00\x00\x00\x00\x00"), true)),
		"an indefinite length":   msg("\x9f\x01\xff"),
		"nested":                 msg(strings.Repeat("\x81", 500_000) + "\x00"),
		"nested tags":            msg("\x81" + strings.Repeat("\xc1", 500_000) + "\x00"),
		"one byte of two":        "\x42\xa0",
		"a reserved information": msg("\x81\x1c"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newTestServer(rpc.Limits{})
				bystander := NewSubjectClient(rpctest.Pair(t.Context(), t, srv, nil))
				p := frameClient(t, srv, cborProtocol)
				p.send(websocket.MessageBinary, string(wire.CBOR.AppendToFrame(nil, []byte(
					"\xa3\x62id\x01\x66method\x69rpc.hello\x66params\xa4\x61v\x01\x65calls\x18\x20\x67streams\x18\x20\x67message\x1a\x00\x01\x00\x00"), true)))
				synctest.Wait()
				before := heap()
				p.ws.Write(context.Background(), websocket.MessageBinary, []byte(frame))
				if closed := p.closeStatus(); !strings.HasPrefix(closed, "4500 parse error") {
					t.Errorf("closed with %q", closed)
				}
				if grown := heap() - before; grown > 16<<20 {
					t.Errorf("the heap has grown by %d bytes", grown)
				}
				if sum, err := bystander.Add(t.Context(), 1, 2); sum != 3 || err != nil {
					t.Errorf("a bystander got %d, %v", sum, err)
				}
			})
		})
	}
}

// Whoever asks for answers and reads none is cut when what waits for it is twice
// Limits.SendQueueBytes.
func TestFloodsThatAreNotRead(t *testing.T) {
	for name, line := range map[string]string{
		"calls":             `{"jsonrpc":"2.0","id":%d,"method":"Test.Linger","params":[1000]}`,
		"calls with cancel": `{"jsonrpc":"2.0","id":%[1]d,"method":"Test.Linger","params":[1000]}` + "\n" + `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%[1]d}}`,
		"unknown methods":   `{"jsonrpc":"2.0","id":%d,"method":"None"}`,
		"pings":             `{"jsonrpc":"2.0","method":"$/ping","params":[%d]}`,
		"streams":           `{"jsonrpc":"2.0","id":%[1]d,"method":"None","streams":[%[1]d]}` + "\n" + `{"jsonrpc":"2.0","method":"$/end","params":[%[1]d]}`,
		"plain calls":       `{"jsonrpc":"2.0","id":%d,"method":"Test.Linger","params":[1000]}`,
		"plain batches":     `[{"jsonrpc":"2.0","id":%[1]d,"method":"None"},{"jsonrpc":"2.0","id":"%[1]d","method":"None"}]`,
		"plain nonsense":    `nonsense %d`,
		"plain unsubscribe": `{"jsonrpc":"2.0","id":%d,"method":"rpc.unsubscribe","params":["0x1"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(&rpc.ServerOptions{Limits: rpc.Limits{SendQueueBytes: 100_000, IdleTimeout: -1}}, services()...)
				bystander := NewSubjectClient(rpctest.Pair(t.Context(), t, srv, nil))
				near, ended := servePipe(context.Background(), srv)
				if !strings.HasPrefix(name, "plain") {
					fmt.Fprintln(near, helloLine)
					io.ReadFull(near, make([]byte, 1))
				}
				before := heap()
				for i := range 10_000 {
					if _, err := fmt.Fprintf(near, line+"\n", i+2); err != nil {
						break
					}
				}
				time.Sleep(2 * time.Second)
				if _, err := fmt.Fprintln(near); err == nil {
					t.Error("the connection is still there")
				}
				if grown := heap() - before; grown > 4<<20 {
					t.Errorf("the heap has grown by %d bytes", grown)
				}
				if sum, err := bystander.Add(t.Context(), 1, 2); sum != 3 || err != nil {
					t.Errorf("a bystander got %d, %v", sum, err)
				}
				if err := <-ended; fmt.Sprint(err) != "the peer does not read" {
					t.Errorf("the connection ended with: %v", err)
				}
			})
		})
	}
}

// Rapid reset: a call that is cancelled at once takes its place until its handler
// has returned, so that no more run than the limit allows.
func TestRapidReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var run, most atomic.Int64
		p := greetedLineClient(t, server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 8}}, method("Test.Work", nil, func(context.Context, *rpc.Call) error {
			most.Store(max(most.Load(), run.Add(1)))
			time.Sleep(time.Second)
			run.Add(-1)
			return nil
		})))
		go func() {
			for range p.lines {
			}
		}()
		for id := range 10_000 {
			p.send(`{"jsonrpc":"2.0","id":%d,"method":"Test.Work"}`, id+2)
			p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}`, id+2)
			if id%100 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		if most.Load() != 8 {
			t.Errorf("%d handlers at once", most.Load())
		}
		p.conn.Close()
		time.Sleep(time.Second)
	})
}

// Streams that are opened and not read, in either mode: the producers stand still
// at their windows, there are no more than the limit allows, and those of a plain
// client end after a while.
func TestStreamsOpenedAndNotRead(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprint("plain=", plain), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var open, most, items atomic.Int64
				srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Streams: 100, IdleTimeout: -1}}, streamMethod("Test.Ints", func(context.Context) gen1.Stream {
					return gen1.Send(func(yield func(string, error) bool) {
						most.Store(max(most.Load(), open.Add(1)))
						defer open.Add(-1)
						for yield(strings.Repeat("x", 1000), nil) {
							items.Add(1)
						}
					})
				}))
				near, ended := servePipe(context.Background(), srv)
				if !plain {
					fmt.Fprintln(near, helloLine)
					io.ReadFull(near, make([]byte, 1))
				}
				before := heap()
				for i := range 1000 {
					fmt.Fprintf(near, `{"jsonrpc":"2.0","id":%d,"method":"Test.Ints"}`+"\n", i+2)
					synctest.Wait()
				}
				if grown := heap() - before; grown > 16<<20 || most.Load() > 100+1 || items.Load() > 200 {
					t.Errorf("%d streams, %d items, %d bytes", most.Load(), items.Load(), grown)
				}
				time.Sleep(10 * time.Second)
				if plain && open.Load() > 0 {
					t.Errorf("%d subscriptions still run", open.Load())
				}
				time.Sleep(time.Minute)
				if err := <-ended; fmt.Sprint(err) != "the peer does not read" || open.Load() > 0 {
					t.Errorf("the connection ended with %v; %d streams still run", err, open.Load())
				}
			})
		})
	}
}

// A handshake that does not come to its end is cut in time, whatever drips in.
func TestHelloThatDrips(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil)
		b.network.Plan = func(int) rpctest.Plan {
			return rpctest.Plan{Up: rpctest.Path{Drip: 1, Tick: time.Second}}
		}
		sock, err := b.network.Dial(t.Context(), "tcp", "any")
		if err != nil {
			t.Fatal(err)
		}
		var text string
		if scheme == "ws" { // the bytes of the handshake drip as well, which is the http.Server's matter
			text = "GET / HTTP/1.1\r\nHost:x\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Version:13\r\nSec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol:" + jsonProtocol + "\r\n\r\n\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00"
		}
		start := time.Now()
		sock.Write([]byte(text + helloLine[:50]))
		if _, err := io.Copy(io.Discard, sock); err == io.EOF {
			t.Error(err)
		}
		if d, want := time.Since(start), time.Duration(len(text)+12)*time.Second; d > want {
			t.Errorf("cut after %v, want within %v", d, want)
		}
	})
}

// Compression is not offered, and so there are no bombs: a frame that claims to be
// compressed breaks WebSocket's rules.
func TestCompressionIsNotOffered(t *testing.T) {
	hs := httptest.NewServer(server(nil))
	defer hs.Close()
	sock, resp := rawWebSocket(t, hs.Listener.Addr().String(), "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
	if resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatal(resp)
	}
	sock.Write([]byte("\xc1\x81\x00\x00\x00\x00x")) // FIN, RSV1, text
	frame := make([]byte, 4)
	if _, err := io.ReadFull(sock, frame); err != nil || frame[0] != 0x88 || binary.BigEndian.Uint16(frame[2:]) != 1002 {
		t.Errorf("% x, %v; want a close frame with 1002", frame, err)
	}
}

// A fullListener has no descriptors left at first.
type fullListener struct {
	net.Listener
	fails int
}

func (l *fullListener) Accept() (net.Conn, error) {
	if l.fails--; l.fails >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// Whoever uses up the descriptors of the process stops its listeners for no longer
// than that lasts.
func TestServeOutlivesFullProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		ln := network.Listen()
		srv := server(nil, services()...)
		done := make(chan error, 1)
		go func() { done <- srv.Serve(context.Background(), &fullListener{ln, 10}) }()
		conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		ln.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		srv.Close()
	})
}

// A hello whose numbers are absurd is refused, or does no harm.
func TestHelloWithAbsurdNumbers(t *testing.T) {
	for params, want := range map[string]string{
		`"calls":-1,"streams":1,"message":65536`:                                                                   "4500 hello: -1 is not from 0 to 2^53-1",
		`"calls":1e400,"streams":1,"message":65536`:                                                                "4500 hello: ",
		`"calls":9223372036854775808,"streams":1,"message":65536`:                                                  "4500 hello: ",
		`"calls":1` + strings.Repeat("0", 100_000) + `,"streams":1,"message":65536`:                                "4500 hello: ",
		`"calls":1,"streams":1,"message":0`:                                                                        "4500 hello {Version:1 Message:0}: want version 1",
		`"calls":9007199254740991,"streams":9007199254740991,"message":9007199254740991,"replay":9007199254740991`: "<nil>",
		`"calls":0,"streams":0,"message":65536,"replay":-9223372036854775808`:                                      "4500 hello: -9223372036854775808 is not from 0 to 2^53-1",
		`"calls":9007199254740992,"streams":1,"message":65536`:                                                     "4500 hello: 9007199254740992 is not from 0 to 2^53-1",
		`"calls":1,"streams":1,"message":65536,"replay":1`:                                                         "<nil>",
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := server(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Limits: rpc.Limits{IdleTimeout: -1}}, services()...)
			p := frameClient(t, srv, jsonProtocol)
			p.send(websocket.MessageText, `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,`+params+`}}`)
			synctest.Wait()
			if want == "<nil>" {
				p.send(websocket.MessageText, `{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`)
				if got := strings.Join(p.receiveAll(), ""); !strings.Contains(got, `"result":3`) {
					t.Errorf("%.100s: got %q", params, got)
				}
			}
			if got := p.closeStatus(); !strings.HasPrefix(got, want) {
				t.Errorf("%.100s: closed with %q, want %q", params, got, want)
			}
			p.ws.CloseNow()
			srv.Close()
		})
	}
}
