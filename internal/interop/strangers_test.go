package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	netrpc "net/rpc"
	netjsonrpc "net/rpc/jsonrpc"
	"testing"

	gorilla "github.com/gorilla/websocket"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/sourcegraph/jsonrpc2"
	sgws "github.com/sourcegraph/jsonrpc2/websocket"
	xws "golang.org/x/net/websocket"

	"github.com/wirecall/wirecall/rpc"
)

// sourcegraphCalc is Calc for github.com/sourcegraph/jsonrpc2.
func sourcegraphCalc(notes chan<- string) jsonrpc2.Handler {
	return jsonrpc2.HandlerWithError(func(_ context.Context, _ *jsonrpc2.Conn, r *jsonrpc2.Request) (any, error) {
		var add [2]int
		var fail [2]any
		var note [1]string
		switch r.Method {
		case "calc_add":
			err := json.Unmarshal(*r.Params, &add)
			return add[0] + add[1], err
		case "calc_fail":
			err := &jsonrpc2.Error{Code: 77, Message: "failed as asked"}
			json.Unmarshal(*r.Params, &fail)
			err.SetError(map[string]any{"detail": fail[1]})
			return nil, err
		case "calc_note":
			err := json.Unmarshal(*r.Params, &note)
			notes <- note[0]
			return nil, err
		}
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: "no " + r.Method}
	})
}

func TestDialSourcegraph(t *testing.T) {
	t.Run("WebSocket", func(t *testing.T) {
		notes := make(chan string, 10)
		url := serveGorilla(t, func(ws *gorilla.Conn) {
			<-jsonrpc2.NewConn(context.Background(), sgws.NewObjectStream(ws), sourcegraphCalc(notes)).DisconnectNotify()
		})
		callPlain(t, dial(t, url), notes)
	})
	t.Run("lines", func(t *testing.T) {
		notes := make(chan string, 10)
		callPlain(t, overPipe(t, func(far net.Conn) {
			<-jsonrpc2.NewConn(context.Background(), jsonrpc2.NewPlainObjectStream(far), sourcegraphCalc(notes)).DisconnectNotify()
		}), notes)
	})
}

// A server of golang.org/x/net/websocket, like those on Node's ws, accepts whatever
// subprotocol it is offered.
func TestDialXNet(t *testing.T) {
	notes := make(chan string, 10)
	ts := httptest.NewServer(xws.Server{Handler: func(ws *xws.Conn) {
		<-jsonrpc2.NewConn(context.Background(), jsonrpc2.NewPlainObjectStream(ws), sourcegraphCalc(notes)).DisconnectNotify()
	}})
	defer ts.Close()
	callPlain(t, dial(t, ts.URL), notes)
}

// netrpcCalc is as much of Calc as net/rpc can have.
type netrpcCalc struct{}

func (netrpcCalc) Add(p [2]int, sum *int) error {
	*sum = p[0] + p[1]
	return nil
}

// net/rpc/jsonrpc speaks JSON-RPC 1.0, and answers whatever it is sent, answers
// included. A call to it fails at once, and it is sent that call and nothing more.
func TestDialNetRPC(t *testing.T) {
	sent := make(chan string, 1000)
	srv := netrpc.NewServer()
	if err := srv.RegisterName("Calc", netrpcCalc{}); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, serveGorilla(t, func(ws *gorilla.Conn) {
		defer close(sent)
		srv.ServeCodec(netjsonrpc.NewServerCodec(&messages{Conn: ws, sent: sent}))
	}))
	var sum int
	err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Calc.Add"}, Params: []any{[2]int{1, 2}}, Result: &sum})
	if rpc.CodeOf(err) != rpc.CodeInternal {
		t.Errorf("%d, %v", sum, err)
	}
	conn.Close()
	var all []string
	for m := range sent {
		all = append(all, m)
	}
	if len(all) != 1 {
		t.Errorf("the server has sent %q", all)
	}
}

// messages are those of a WebSocket as a stream of bytes.
type messages struct {
	*gorilla.Conn
	rest io.Reader
	sent chan<- string
}

func (m *messages) Read(p []byte) (int, error) {
	for {
		if m.rest == nil {
			_, r, err := m.NextReader()
			if err != nil {
				return 0, err
			}
			m.rest = r
		}
		n, err := m.rest.Read(p)
		if err == io.EOF {
			m.rest, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (m *messages) Write(p []byte) (int, error) {
	m.sent <- string(p)
	return len(p), m.WriteMessage(gorilla.TextMessage, p)
}

// The Model Context Protocol's SDK refuses hello with code 0, as it does all that
// comes before initialize, and members that JSON-RPC does not have.
func TestDialMCP(t *testing.T) {
	srv := mcp.NewServer(&mcp.Implementation{Name: "calc", Version: "1"}, nil)
	type pair struct{ A, B int }
	mcp.AddTool(srv, &mcp.Tool{Name: "add"}, func(_ context.Context, _ *mcp.CallToolRequest, p pair) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(p.A + p.B)}}}, nil, nil
	})
	conn := overPipe(t, func(far net.Conn) { srv.Run(t.Context(), &mcp.IOTransport{Reader: far, Writer: far}) })
	ctx := strangely(t)
	client := map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]string{"name": "wirecall", "version": "1"}}
	var hello struct{ ServerInfo struct{ Name string } }
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "initialize"}, Params: client, Result: &hello}); err != nil || hello.ServerInfo.Name != "calc" {
		t.Fatal(hello, err)
	}
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "notifications/initialized", Notify: true}}); err != nil {
		t.Fatal(err)
	}
	var sum struct{ Content []struct{ Text string } }
	args := map[string]any{"name": "add", "arguments": map[string]int{"A": 20, "B": 22}}
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "tools/call"}, Params: args, Result: &sum}); err != nil || len(sum.Content) != 1 || sum.Content[0].Text != "42" {
		t.Error(sum, err)
	}
}

// A client of gorilla's that sends its JSON as binary, as some do, is answered in text.
func TestGorillaBinary(t *testing.T) {
	_, tp := serveHTTP(t)
	ws, _, err := gorilla.DefaultDialer.Dial("ws://"+tp.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(gorilla.BinaryMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"calc_add","params":[1,2]}`)); err != nil {
		t.Fatal(err)
	}
	if typ, got, err := ws.ReadMessage(); err != nil || typ != gorilla.TextMessage || string(got) != `{"jsonrpc":"2.0","id":1,"result":3}` {
		t.Error(typ, string(got), err)
	}
}

// serveGorilla serves WebSockets with gorilla's package, and returns where.
func serveGorilla(t *testing.T, serve func(ws *gorilla.Conn)) string {
	t.Helper()
	var upgrader gorilla.Upgrader
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		serve(ws)
	}))
	t.Cleanup(ts.Close)
	return ts.URL
}

// overPipe is dial for a server at the other end of a pipe.
func overPipe(t *testing.T, serve func(far net.Conn)) *rpc.Conn {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		serve(far)
	}()
	conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{ByPosition: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		<-served
	})
	return conn
}
