package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/wire"
	"github.com/wirecall/wirecall/rpc"
)

// sessionServer keeps the sessions of principals.
func sessionServer(opts rpc.SessionOptions) *rpc.Server {
	opts.Principal = func(ctx context.Context) string {
		who, _ := ctx.Value(callerKey{}).(string)
		return who
	}
	return server(&rpc.ServerOptions{Sessions: &opts, Limits: rpc.Limits{IdleTimeout: -1}, Codecs: []codec.Codec{cbor.Codec}}, services()...)
}

const resumed = `"result":{"received":`

// A client that may not resume a session is answered that there is none, in the same
// words whatever is wrong, and the session continues for its owner.
func TestTokensThatAreNoGood(t *testing.T) {
	for name, forge := range map[string]struct {
		who   string
		token func(token, id, secret string) string
	}{
		"nothing":           {"ann", func(string, string, string) string { return "" }},
		"the public part":   {"ann", func(_, id, _ string) string { return id }},
		"no secret":         {"ann", func(_, id, _ string) string { return id + "." }},
		"another secret":    {"ann", func(_, id, secret string) string { return id + "." + strings.ToUpper(secret) }},
		"another id":        {"ann", func(_, id, secret string) string { return strings.ToUpper(id) + "." + secret }},
		"more":              {"ann", func(token, _, _ string) string { return token + "x" }},
		"much more":         {"ann", func(token, _, _ string) string { return token + strings.Repeat("x", 60_000) }},
		"another principal": {"bob", func(token, _, _ string) string { return token }},
		"no principal":      {"", func(token, _, _ string) string { return token }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := sessionServer(rpc.SessionOptions{})
				ann := lineClientAs(t, srv, "ann")
				token := ann.openSession()
				id, secret, _ := strings.Cut(token, ".")
				thief := lineClientAs(t, srv, forge.who)
				if got := thief.resume(forge.token(token, id, secret), 0); !strings.Contains(got, `{"code":-32008,"message":"session lost: it is not known here"}`) {
					t.Errorf("the thief received %s", got)
				}
				ann.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`) // still on her socket
				ann.receive(`"result":3`)
				ann.conn.Close()
				synctest.Wait()
				again := lineClientAs(t, srv, "ann")
				if got := again.resume(token, 1); !strings.Contains(got, resumed) {
					t.Errorf("the owner received %s", got)
				}
				again.conn.Close()
				thief.conn.Close()
				srv.Close()
			})
		})
	}
}

// Another codec than the session's is another session.
func TestResumeInAnotherCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sessionServer(rpc.SessionOptions{})
		owner := lineClientAs(t, srv, "")
		token := owner.openSession()
		p := frameClient(t, srv, cborProtocol)
		params, err := cbor.Codec.Append([]byte("\xa3\x62id\x01\x66method\x6arpc.resume\x66params"), map[string]any{"session": token, "attempt": attempts.Add(1), "received": 0})
		if err != nil {
			t.Fatal(err)
		}
		p.send(websocket.MessageBinary, string(wire.CBOR.AppendToFrame(nil, params, true)))
		if got := p.receiveAll(); len(got) != 1 || !strings.Contains(got[0], "not known here") {
			t.Errorf("%q", got)
		}
		owner.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`)
		owner.receive(`"result":3`)
		owner.conn.Close()
		srv.Close()
	})
}

// A resumption that cannot be ends the session, which its owner has broken; the
// socket goes on with hello.
func TestResumptionsThatCannotBe(t *testing.T) {
	for name, received := range map[string]any{
		"beyond what was sent": 99,
		"2^53-1":               uint64(1<<53 - 1),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := sessionServer(rpc.SessionOptions{})
				owner := lineClientAs(t, srv, "ann")
				token := owner.openSession()
				owner.conn.Close()
				synctest.Wait()
				for _, want := range []string{"is acknowledged, of 0 that were sent", "not known here"} {
					again := lineClientAs(t, srv, "ann")
					if got := again.resume(token, received); !strings.Contains(got, want) {
						t.Errorf("received %s, want %s", got, want)
					}
					again.openSession()
					again.conn.Close()
				}
				srv.Close()
			})
		})
	}
}

// A request to resume that is malformed is nobody's, whatever token is in it.
func TestMalformedResume(t *testing.T) {
	for _, received := range []string{`-1`, `1e400`, `9007199254740992`, `18446744073709551615`, `18446744073709551616`, `"1"`, `[]`} {
		synctest.Test(t, func(t *testing.T) {
			srv := sessionServer(rpc.SessionOptions{})
			owner := lineClientAs(t, srv, "ann")
			token := owner.openSession()
			thief := lineClientAs(t, srv, "ann")
			if got := thief.resume(token, received); !strings.Contains(got, "not known here") {
				t.Errorf("resume with received %s: the answer is %s", received, got)
			}
			thief.conn.Close()
			owner.conn.Close()
			srv.Close()
		})
	}
}

// A token is good for as long as its session.
func TestTokenOfEndedSession(t *testing.T) {
	for name, end := range map[string]func(*linePeer, *rpc.Server){
		"closed":  func(p *linePeer, _ *rpc.Server) { p.send(`{"jsonrpc":"2.0","method":"$/close","params":[1000,""]}`) },
		"broken":  func(p *linePeer, _ *rpc.Server) { p.send(`nonsense`) },
		"expired": func(p *linePeer, _ *rpc.Server) { p.conn.Close(); time.Sleep(3 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := sessionServer(rpc.SessionOptions{})
				owner := lineClientAs(t, srv, "ann")
				token := owner.openSession()
				end(owner, srv)
				time.Sleep(5 * time.Second)
				again := lineClientAs(t, srv, "ann")
				if got := again.resume(token, 0); !strings.Contains(got, "not known here") {
					t.Errorf("received %s", got)
				}
				again.conn.Close()
				owner.conn.Close()
			})
		})
	}
}

// A token on many sockets at once: each takes the session from the one before, unless
// a later attempt is there already; one has it in the end, and nothing is left of the
// others.
func TestTokenOnManySockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sessionServer(rpc.SessionOptions{})
		owner := lineClientAs(t, srv, "ann")
		token := owner.openSession()
		owner.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Big","params":[500000]}`)
		owner.receive(`"result"`)
		synctest.Wait()
		before := heap()
		var sockets []*linePeer
		for range 100 {
			p := lineClientAs(t, srv, "ann")
			p.send(`{"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{"session":%q,"attempt":%d,"received":0}}`, token, attempts.Add(1))
			sockets = append(sockets, p)
		}
		synctest.Wait()
		alive := 0
		for _, p := range sockets {
			if _, err := fmt.Fprintln(p.conn); err == nil {
				switch got := p.receiveAll(); {
				case len(got) == 1 && strings.Contains(got[0], "not known here"): // it may say hello
				case len(got) != 2 || !strings.Contains(got[0], resumed) || len(got[1]) < 500_000:
					t.Errorf("%d lines came", len(got))
				default:
					alive++
				}
			}
			p.receiveAll()
			p.conn.Close()
		}
		synctest.Wait()
		if grown := heap() - before; alive != 1 || grown > 8<<20 {
			t.Errorf("%d sockets have the session, and %d bytes", alive, grown)
		}
		srv.Close()
	})
}

// What a client says of counting is checked against what was counted.
func TestAcksThatLie(t *testing.T) {
	ack := func(received, sent any) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/ack","params":[%v,%v]}`, received, sent)
	}
	add := `{"jsonrpc":"2.0","id":%d,"method":"Test.Add","params":[1,2]}`
	for name, test := range map[string]struct {
		frames []string // the first is the call, which is answered in the server's first
		want   string
	}{
		"true":                    {[]string{ack(1, 2)}, "<nil>"},
		"going back":              {[]string{ack(1, 2), ack(0, 3), ack(1, 4)}, "<nil>"},
		"of what was never sent":  {[]string{ack(99, 2)}, "4501 the peers have counted differently: frame 99 is acknowledged, of 1 that were sent"},
		"of 2^53-1":               {[]string{ack(uint64(1<<53-1), 2)}, "4501 the peers have counted differently: frame 9007199254740991 is acknowledged, of 1 that were sent"},
		"with a wrong own number": {[]string{ack(1, 3)}, "4501 the peers have counted differently: frame 2 is numbered 3"},
		"with an old own number":  {[]string{ack(1, 2), ack(1, 2)}, "4501 the peers have counted differently: frame 3 is numbered 2"},
		"below nothing":           {[]string{ack(-1, 2)}, "4500 a control message is malformed"},
		"of 1e400":                {[]string{ack("1e400", 2)}, "4500 a control message is malformed"},
		"not first in its frame":  {[]string{`{"jsonrpc":"2.0","method":"$/ping","params":[1]}` + "\n" + ack(1, 2)}, "4500 a control message is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := sessionServer(rpc.SessionOptions{})
				p := frameClient(t, srv, jsonProtocol)
				p.send(websocket.MessageText, strings.Replace(helloRequest, `"message"`, `"replay":1000000,"message"`, 1))
				p.send(websocket.MessageText, fmt.Sprintf(add, 2))
				synctest.Wait()
				for _, frame := range test.frames {
					p.send(websocket.MessageText, frame)
					synctest.Wait()
				}
				if got := p.closeStatus(); got != test.want {
					t.Errorf("closed with %q, want %q", got, test.want)
				}
				p.ws.CloseNow()
				srv.Close()
			})
		})
	}
}

// Sessions that wait for their clients are capped, and the oldest goes first: of
// one principal where the cap is on those.
func TestDetachedSessionsAreCapped(t *testing.T) {
	for name, test := range map[string]struct {
		options rpc.SessionOptions
		who     func(i int) string
		left    string // which of ten can be resumed
	}{
		"all":              {rpc.SessionOptions{MaxDetached: 4}, func(i int) string { return fmt.Sprint(i) }, "6789"},
		"of a principal":   {rpc.SessionOptions{MaxPerPrincipal: 3}, func(i int) string { return "ann bob"[4*(i/5):][:3] }, "234789"},
		"of nobody":        {rpc.SessionOptions{MaxPerPrincipal: 3}, func(int) string { return "" }, "0123456789"},
		"bytes":            {rpc.SessionOptions{MaxDetachedBytes: 350_000}, func(i int) string { return "ann" }, "789"},
		"bytes of a large": {rpc.SessionOptions{MaxDetachedBytes: 50_000}, func(i int) string { return "ann" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := sessionServer(test.options)
				var tokens []string
				for i := range 10 {
					p := lineClientAs(t, srv, test.who(i))
					tokens = append(tokens, p.openSession())
					p.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Big","params":[100000]}`)
					p.receive(`"result"`)
					synctest.Wait() // a call counts until its handler's goroutine is through
					p.conn.Close()
					synctest.Wait()
				}
				var left strings.Builder
				for i, token := range tokens {
					p := lineClientAs(t, srv, test.who(i))
					if strings.Contains(p.resume(token, 0), resumed) {
						fmt.Fprint(&left, i)
					}
					p.receiveAll()
				}
				if left.String() != test.left {
					t.Errorf("left are %s, want %s", &left, test.left)
				}
				srv.Close()
			})
		})
	}
}

// Sessions that hold nothing, and handlers that do nothing, take memory too.
func TestDetachedSessionsCountThemselves(t *testing.T) {
	for calls, want := range map[int]string{0: "6789", 2: "89"} {
		synctest.Test(t, func(t *testing.T) {
			srv := sessionServer(rpc.SessionOptions{MaxDetachedBytes: 4 * 17 << 10})
			var tokens []string
			for range 10 {
				p := lineClientAs(t, srv, "ann")
				tokens = append(tokens, p.openSession())
				for id := range calls {
					p.send(`{"jsonrpc":"2.0","id":%d,"method":"Test.Sleep","params":[100000]}`, id+2)
				}
				synctest.Wait()
				p.conn.Close()
				synctest.Wait()
			}
			var left strings.Builder
			for i, token := range tokens {
				p := lineClientAs(t, srv, "ann")
				if strings.Contains(p.resume(token, 0), resumed) {
					fmt.Fprint(&left, i)
				}
				p.receiveAll()
			}
			if left.String() != want {
				t.Errorf("with %d calls each left are %s, want %s", calls, &left, want)
			}
			srv.Close()
		})
	}
}

// What handlers make while their client is away counts as it comes.
func TestDetachedSessionGrows(t *testing.T) {
	for bytes, want := range map[int]string{110_000: "not known here", 300_000: resumed} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := sessionServer(rpc.SessionOptions{MaxDetachedBytes: bytes})
				wait := make(chan struct{})
				srv.Register(method("More.Big", func() (any, any) { return nil, new(string) }, func(_ context.Context, c *rpc.Call) error {
					<-wait
					*c.Result.(*string) = strings.Repeat("x", 10_000)
					return nil
				}))
				p := lineClientAs(t, srv, "ann")
				token := p.openSession()
				for id := range 10 {
					p.send(`{"jsonrpc":"2.0","id":%d,"method":"More.Big"}`, id+2)
				}
				synctest.Wait()
				p.conn.Close()
				synctest.Wait()
				close(wait)
				synctest.Wait()
				again := lineClientAs(t, srv, "ann")
				if got := again.resume(token, 0); !strings.Contains(got, want) {
					t.Errorf("received %.200s, want %s", got, want)
				}
				again.conn.Close()
				srv.Close()
			})
		})
	}
}

// What a session that waits for its client held for handlers counts no longer when they
// have ended.
func TestDetachedSessionShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := sessionServer(rpc.SessionOptions{MaxDetachedBytes: 220_000})
		wait := make(chan struct{})
		srv.Register(method("More.Wait", nil, func(context.Context, *rpc.Call) error { <-wait; return nil }))
		var tokens []string
		for range 3 {
			p := lineClientAs(t, srv, "ann")
			tokens = append(tokens, p.openSession())
			for id := range 20 { // 8 KiB each
				p.send(`{"jsonrpc":"2.0","id":%d,"method":"More.Wait"}`, id+2)
			}
			synctest.Wait()
			p.conn.Close()
			synctest.Wait()
			for range 20 {
				wait <- struct{}{}
			}
			synctest.Wait()
		}
		for i, token := range tokens {
			p := lineClientAs(t, srv, "ann")
			if got := p.resume(token, 0); !strings.Contains(got, resumed) {
				t.Errorf("session %d: received %.200s", i, got)
			}
			p.receiveAll()
		}
		srv.Close()
	})
}

// A Principal that panics ends nothing: the connection is nobody's.
func TestPrincipalThatPanics(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var ran atomic.Int64
		goOn := make(chan struct{})
		so := &rpc.ServerOptions{
			Sessions: &rpc.SessionOptions{Principal: func(context.Context) string { panic("who?") }},
			Logger:   slog.New(slog.DiscardHandler),
		}
		b := breakable(t, scheme, so, nil, counted(&ran, goOn))
		done := inFlight(b, &rpc.Call{Method: to("Test.Work")})
		b.network.Cut()
		if err := <-done; !errors.Is(err, rpc.CodeSessionLost) {
			t.Errorf("the call ended with %v", err)
		}
		if st := b.await(t, rpc.Connected); st.Session != 2 {
			t.Errorf("%+v", st)
		}
	})
}
