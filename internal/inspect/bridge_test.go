package inspect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/inspect"
	"github.com/wirecall/wirecall/rpc"
)

// withoutSubprotocol serves a backend to clients that offer no subprotocol, as servers of
// plain JSON-RPC are.
func withoutSubprotocol(t *testing.T, b *backend) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Sec-Websocket-Protocol")
		b.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		b.Close()
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}

// A plain server over a WebSocket is called, whether it is asked what it speaks or not.
func TestBridge(t *testing.T) {
	for _, plain := range []bool{false, true} {
		b := newBackend()
		conn := dial(t, &inspect.Target{URL: withoutSubprotocol(t, b), Plain: plain})
		done := make(chan struct{})
		for i := range 300 {
			go func() {
				callEcho(t, conn, fmt.Sprint("call ", i))
				done <- struct{}{}
			}()
		}
		for range 300 {
			<-done
		}
		err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.None"}})
		if rpc.CodeOf(err) != rpc.CodeMethodNotFound {
			t.Errorf("an unknown method: %v", err)
		}
		for i := range 4200 { // more than the credit that hello gives
			check(t, conn.Call(t.Context(), &rpc.Call{Method: noteMethod}))
			if i%1000 == 0 { // a plain server has no credit: its queue must not run full
				callEcho(t, conn, "behind notifications")
			}
		}
	}
}

// plainServer answers each line with what answer returns for it, over TCP.
func plainServer(t *testing.T, answer func(line string) []string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					for _, line := range answer(lines.Text()) {
						io.WriteString(conn, line+"\n")
					}
				}
			}()
		}
	}()
	return "tcp://" + ln.Addr().String()
}

// What servers of others send comes to the page in the form of wirecall: ids as text, both a
// result and an error, errors that are none, batches, requests with ids of any kind.
func TestBridgeForms(t *testing.T) {
	answered := make(chan string, 10)
	url := plainServer(t, func(line string) []string {
		var m struct {
			ID     any
			Method string
			Params struct{ Text string }
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Error(err)
		}
		for _, member := range []string{`"timeout"`, `"meta"`, `"$/`} {
			if strings.Contains(line, member) {
				t.Errorf("the server got %s", line)
			}
		}
		switch {
		case m.Method == "":
			answered <- line
			return nil
		case m.Method != "Test.Echo":
			return []string{fmt.Sprintf(`{"id":%v,"error":{"code":-32601,"message":"no"},"result":null}`, m.ID)}
		}
		return []string{
			`{"jsonrpc":"2.0","id":99,"result":"nobody asked"}`,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}`,
			`{"jsonrpc":"2.0","method":"$/items","params":[7,[1]]}`,
			`{"jsonrpc":"2.0","method":"$/progress","params":{}}`,
			`{"jsonrpc":"2.0","method":"Some.Event","params":[1]}`,
			`{"jsonrpc":"2.0","id":"a-1","method":"Page.Ask","params":{}}`,
			fmt.Sprintf(`[null,{"jsonrpc":"2.0","id":"%v","error":null,"result":%q}]`, m.ID, m.Params.Text),
		}
	})
	asked := make(chan struct{}, 1)
	conn, err := rpc.Dial(t.Context(), socket(t, &inspect.Target{URL: url}), &rpc.DialOptions{Logger: slog.New(slog.DiscardHandler), Services: []rpc.Service{{Name: "Page", Methods: []*rpc.Method{{
		Name: "Page.Ask", New: func() (any, any) { return nil, new(string) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*string) = "yes"
			asked <- struct{}{}
			return nil
		},
	}}}}})
	check(t, err)
	defer conn.Close()
	ctx := rpc.WithMetadata(t.Context(), map[string]string{"a": "b"})
	var got string
	if err := conn.Call(ctx, &rpc.Call{Method: echoMethod, Params: &echo{"hello"}, Result: &got}); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	<-asked
	if line := <-answered; line != `{"jsonrpc":"2.0","id":"a-1","result":"yes"}` {
		t.Errorf("the server was answered %s", line)
	}
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Test.None"}}); rpc.CodeOf(err) != rpc.CodeMethodNotFound {
		t.Error(err)
	}
}

// A server that sends something else than JSON-RPC is left, for good.
func TestBridgeEnds(t *testing.T) {
	url := plainServer(t, func(line string) []string {
		if strings.Contains(line, "rpc.hello") {
			return []string{`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}`}
		}
		return []string{"HTTP/1.1 400 Bad Request"}
	})
	conn, err := rpc.Dial(t.Context(), socket(t, &inspect.Target{URL: url}), nil)
	check(t, err)
	defer conn.Close()
	conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Echo"}})
	<-conn.Done()
	if closed, ok := errors.AsType[*rpc.CloseError](conn.Err()); !ok || closed.Code != 4500 || closed.Reason != "what the server has sent is no JSON-RPC" {
		t.Error(conn.Err())
	}
}
