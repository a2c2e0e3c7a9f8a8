package interop

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	geth "github.com/ethereum/go-ethereum/rpc"

	"github.com/wirecall/wirecall/rpc"
)

// gethCalc is Calc as go-ethereum's server has it: calc_add and so on.
type gethCalc struct{ notes chan string }

func (gethCalc) Add(a, b int) int { return a + b }

func (gethCalc) Fail(code int, detail string) error { return gethError{code, detail} }

func (s gethCalc) Note(text string) { s.notes <- text }

type gethError struct {
	code   int
	detail string
}

func (e gethError) Error() string  { return "failed as asked" }
func (e gethError) ErrorCode() int { return e.code }
func (e gethError) ErrorData() any { return map[string]string{"detail": e.detail} }

func TestDialGeth(t *testing.T) {
	srv := geth.NewServer()
	defer srv.Stop()
	service := gethCalc{make(chan string, 10)}
	if err := srv.RegisterName("calc", service); err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(srv.WebsocketHandler(nil))
	defer ts.Close()
	callPlain(t, dial(t, ts.URL), service.notes)
}

func TestDialJRPC2(t *testing.T) {
	notes := make(chan string, 10)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			served <- err
			return
		}
		served <- jrpc2.NewServer(jrpc2Calc(notes), nil).Start(channel.Line(conn, conn)).Wait()
	}()
	conn := dial(t, "tcp://"+ln.Addr().String())
	callPlain(t, conn, notes)
	conn.Close()
	if err := <-served; err != nil {
		t.Error("the server ended with", err)
	}
}

// A server of a dozen lines, such as one writes in an afternoon.
func TestDialHandWritten(t *testing.T) {
	notes := make(chan string, 10)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			var req struct {
				ID     *int
				Method string
				Params []any
			}
			if wsjson.Read(r.Context(), ws, &req) != nil {
				return
			}
			answer := map[string]any{"jsonrpc": "2.0", "id": req.ID}
			switch req.Method {
			case "calc_add":
				answer["result"] = req.Params[0].(float64) + req.Params[1].(float64)
			case "calc_fail":
				answer["error"] = map[string]any{"code": 77, "message": "failed as asked", "data": map[string]any{"detail": req.Params[1]}}
			case "calc_note":
				notes <- req.Params[0].(string)
			}
			if req.ID != nil && wsjson.Write(r.Context(), ws, answer) != nil {
				return
			}
		}
	}))
	defer ts.Close()
	callPlain(t, dial(t, ts.URL), notes)
}

// dial connects to a server that takes parameters by position.
func dial(t *testing.T, url string) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), url, &rpc.DialOptions{ByPosition: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// callPlain does what a connection to a plain server can, and tries the rest.
func callPlain(t *testing.T, conn *rpc.Conn, notes <-chan string) {
	t.Helper()
	calc, chain, ctx := NewCalcClient(conn), NewChainClient(conn), strangely(t)
	if sum, err := calc.Add(ctx, 20, 22); err != nil || sum != 42 {
		t.Error(sum, err)
	}
	err := calc.Fail(ctx, 77, "the reason")
	var data struct{ Detail string }
	e, ok := errors.AsType[*rpc.Error](err)
	if !ok || e.Code != 77 || e.Message != "failed as asked" || e.Decode(&data) != nil || data.Detail != "the reason" {
		t.Errorf("%#v, data %+v", err, data)
	}
	if err := calc.Note(ctx, "noted"); err != nil {
		t.Error(err)
	}
	if note := <-notes; note != "noted" {
		t.Error(note)
	}
	const (
		up   = "streams and calls to the peer need a wirecall connection: this one is plain JSON-RPC"
		down = "rpc: eth_subscribe: the server speaks plain JSON-RPC, and the contract has no //wirecall:subscription for the stream"
	)
	var none iter.Seq2[int, error] = func(func(int, error) bool) {}
	if _, err := calc.Sum(ctx, none); rpc.CodeOf(err) != rpc.CodeNeedsWirecall || err.Error() != up {
		t.Error("a stream as a parameter:", err)
	}
	if _, err := chain.Subscribe(ctx, "newHeads"); rpc.CodeOf(err) != rpc.CodeNeedsWirecall || err.Error() != down || !rpc.NotRun(err) {
		t.Error("a stream as a result:", err)
	}
	if sum, err := calc.Add(ctx, 1, 2); err != nil || sum != 3 {
		t.Error("after the streams:", sum, err)
	}
}

// strangely returns a context with all that a plain server knows nothing of: strict
// ones refuse requests with members that JSON-RPC does not have.
func strangely(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return rpc.WithMetadata(ctx, map[string]string{"tenant": "a"})
}
