package record_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/internal/record"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// desk is a service whose tickets are UUIDs that it draws, so that each desk has others.
func desk(prefix string) rpc.Service {
	made := 0
	text := func() (any, any) { return new(map[string]string), new(any) }
	return rpc.Service{Name: "Desk", Methods: []*rpc.Method{
		{Name: "Desk.Open", New: text, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			made++
			*c.Result.(*any) = map[string]any{"ticket": fmt.Sprintf("%s0000000-0000-4000-8000-00000000000%d", prefix, made), "opened": "2026-01-02T03:04:05Z"}
			return nil
		}},
		{Name: "Desk.Close", New: text, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			p := *c.Params.(*map[string]string)
			if want := prefix + "0000000-0000-4000-8000-000000000001"; p["ticket"] != want {
				return rpc.Errorf(rpc.CodeInvalidParams, "no ticket %s", p["ticket"])
			}
			*c.Result.(*any) = p
			return nil
		}},
		{Name: "Desk.Login", New: text, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*any) = map[string]any{"token": "the-" + prefix + "-token", "pin": 1234, "for": "anybody with the-" + prefix + "-token"}
			return nil
		}},
	}}
}

// serve serves a service over WebSockets and HTTP, and over lines.
func serve(t *testing.T, s rpc.Service) (web, lines string) {
	t.Helper()
	srv := rpc.NewServer(nil)
	srv.Register(s)
	hs := httptest.NewServer(srv)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(context.Background(), ln)
	t.Cleanup(func() {
		ln.Close()
		srv.Close()
		hs.Close()
	})
	return hs.URL, "tcp://" + ln.Addr().String()
}

// requests are plain JSON-RPC.
var requests = []string{
	`{"jsonrpc":"2.0","id":1,"method":"Desk.Open"}`,
	`{"jsonrpc":"2.0","id":2,"method":"Desk.Close","params":{"ticket":"a0000000-0000-4000-8000-000000000001","note":"«:any»"}}`,
	`{"jsonrpc":"2.0","id":3,"method":"Desk.Login","params":{"password":"swordfish","PIN":"77"}}`,
	`{"jsonrpc":"2.0","id":4,"method":"Desk.Nothing","params":{"of":"the-a-token"}}`,
	`[{"jsonrpc":"2.0","id":5,"method":"Desk.Open"},{"jsonrpc":"2.0","id":6,"method":"Desk.Nothing"}]`,
}

// transcript is what requests are as a file.
var transcript = []string{
	requests[0],
	`<- {"jsonrpc":"2.0","id":1,"result":{"opened":"«time1:time»","ticket":"«uuid1:uuid»"}}`,
	`-> {"jsonrpc":"2.0","id":2,"method":"Desk.Close","params":{"ticket":"«uuid1»","note":"\u00ab:any»"}}`,
	`<- {"jsonrpc":"2.0","id":2,"result":{"note":"\u00ab:any»","ticket":"«uuid1»"}}`,
	`-> {"jsonrpc":"2.0","id":3,"method":"Desk.Login","params":{"password":"«secret1:any»","PIN":"«secret2:any»"}}`,
	`<- {"jsonrpc":"2.0","id":3,"result":{"for":"anybody with «secret3:any»","pin":"«:any»","token":"«secret3:any»"}}`,
	`-> {"jsonrpc":"2.0","id":4,"method":"Desk.Nothing","params":{"of":"«secret3:any»"}}`,
}

// A plain client over a WebSocket, over lines and by POST.
func TestPlain(t *testing.T) {
	secrets := record.Options{Secrets: []string{"pin"}}
	check := func(t *testing.T, tp *tape) {
		tp.has(transcript[:5]...)
		for _, secret := range []string{"swordfish", "77", "1234"} {
			if strings.Contains(tp.text(), secret) {
				t.Errorf("%s was written:\n%s", secret, tp.text())
			}
		}
		synctest.Test(t, func(t *testing.T) { rpctest.Replay(t, tp.file(), desk("b")) })
	}
	t.Run("websocket", func(t *testing.T) {
		web, _ := serve(t, desk("a"))
		tp := startTape(t, "ws"+strings.TrimPrefix(web, "http"), secrets)
		ws, _, err := websocket.Dial(t.Context(), tp.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range requests {
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(r)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ws.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ws.Close(websocket.StatusNormalClosure, "")
		tp.await("wrote ")
		check(t, tp)
		tp.has(transcript[6], "# close code 1000", "->close")
	})
	t.Run("lines", func(t *testing.T) {
		_, lines := serve(t, desk("a"))
		tp := startTape(t, lines, secrets)
		conn, err := net.Dial("tcp", strings.TrimPrefix(tp.url, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(conn)
		for _, r := range requests {
			fmt.Fprintln(conn, r)
			if _, err := answers.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		conn.Close()
		tp.await("wrote ")
		check(t, tp)
		tp.has(transcript[6], "->cut")
	})
	t.Run("post", func(t *testing.T) {
		web, _ := serve(t, desk("a"))
		tp := startTape(t, web, secrets)
		for _, r := range requests {
			res, err := http.Post(tp.url+"?token=the-a-token", "application/json", strings.NewReader(r))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(res.Body); err != nil || !json.Valid(b) {
				t.Errorf("%s, %v", b, err)
			}
			res.Body.Close()
		}
		tp.stop()
		tp.has("-- post 1", requests[0], "-- post 2", `"method":"Desk.Close"`, "-- post 4")
		if strings.Contains(tp.text(), "the-a-token") || strings.Contains(tp.text(), "swordfish") {
			t.Error(tp.text())
		}
	})
}

// Over TLS a page of the proxy has the server's origin, any other keeps its own, and nothing
// else of the handshake changes but for compression.
func TestHandshake(t *testing.T) {
	heads := make(chan http.Header, 1)
	hs := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := r.Header.Clone()
		head.Set("URL", r.Host+r.URL.String())
		heads <- head
		if ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"own"}, InsecureSkipVerify: true}); err == nil {
			ws.Close(websocket.StatusNormalClosure, "")
		}
	}))
	defer hs.Close()
	address := strings.TrimPrefix(hs.URL, "https://")
	tp := startTape(t, "wss://"+address+"/rpc?key=k", record.Options{TLS: hs.Client().Transport.(*http.Transport).TLSClientConfig})
	url := "ws" + strings.TrimPrefix(tp.url, "wss") + "?a=b;c"
	own := "http://" + strings.Split(strings.TrimPrefix(tp.url, "wss://"), "/")[0]
	for origin, want := range map[string]string{own: hs.URL, "https://elsewhere.example": "https://elsewhere.example", "": ""} {
		head := http.Header{"Authorization": {"Bearer x"}, "Cookie": {"c=d"}}
		if origin != "" {
			head.Set("Origin", origin)
		}
		ws, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: head, Subprotocols: []string{"own", "other"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		if ws.Subprotocol() != "own" {
			t.Errorf("the subprotocol %q", ws.Subprotocol())
		}
		ws.CloseNow()
		got := <-heads
		for name, want := range map[string]string{"Origin": want, "Authorization": "Bearer x", "Cookie": "c=d", "Sec-Websocket-Extensions": "",
			"Sec-Websocket-Protocol": "own,other", "URL": address + "/rpc?key=k&a=b;c", "X-Forwarded-For": ""} {
			if got.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Get(name), want)
			}
		}
	}
}

// With Exact the values stand as they are, but for secrets.
func TestExact(t *testing.T) {
	_, lines := serve(t, desk("a"))
	tp := startTape(t, lines, record.Options{Exact: true, Times: true})
	conn, err := net.Dial("tcp", strings.TrimPrefix(tp.url, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for _, r := range requests[:3] {
		fmt.Fprintln(conn, r)
		if _, err := answers.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	tp.stop() // the connection is open
	conn.Close()
	tp.has("# after ", `"opened":"2026-01-02T03:04:05Z","ticket":"a0000000-0000-4000-8000-000000000001"`, `"password":"«secret1:any»"`)
	if text := tp.text(); strings.Contains(text, "cut") || !strings.HasSuffix(text, "}\n") {
		t.Errorf("the end of the recorder is in the file:\n%s", text)
	}
}

// echo serves WebSockets without rules: it sends back what it receives, of any size.
func echo(t *testing.T) (url string) {
	t.Helper()
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ws.SetReadLimit(-1)
		for {
			typ, msg, err := ws.Read(r.Context())
			if err != nil || ws.Write(r.Context(), typ, msg) != nil {
				return
			}
		}
	}))
	t.Cleanup(hs.Close)
	return "ws" + strings.TrimPrefix(hs.URL, "http")
}

// What cannot be written passes all the same, byte by byte, and ends the transcript.
func TestHostile(t *testing.T) {
	const first = `{"jsonrpc":"2.0","id":1,"result":"fine"}`
	for name, test := range map[string]struct {
		frame string
		why   string
	}{
		"not UTF-8":   {`{"jsonrpc":"2.0","id":1,"result":"` + "\xff" + `"}`, "the client has sent what is not UTF-8"},
		"not JSON":    {"password=swordfish", "the client has sent what is not JSON"},
		"a number":    {"5", "the client has sent what is no message of JSON-RPC"},
		"nothing":     {"", "the client has sent what is not JSON"},
		"16 MiB":      {`{"jsonrpc":"2.0","id":1,"result":"` + strings.Repeat("x", 16<<20) + `"}`, "a message of 16777252 bytes is over -max-message, which is 1048576"},
		"deep arrays": {strings.Repeat("[", 20_000), "the client has sent what is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			tp := startTape(t, echo(t), record.Options{})
			ws, _, err := websocket.Dial(t.Context(), tp.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			ws.SetReadLimit(-1)
			for _, frame := range []string{first, test.frame, first} {
				if err := ws.Write(t.Context(), websocket.MessageBinary, []byte(frame)); err != nil {
					t.Fatal(err)
				}
				typ, got, err := ws.Read(t.Context())
				if err != nil || typ != websocket.MessageBinary || string(got) != frame {
					t.Fatalf("%v, %d bytes of %d, %v", typ, len(got), len(frame), err)
				}
			}
			tp.await("wrote ")
			tp.has("-> "+first, "<- "+first, "# The recording ends here: "+test.why+".\n")
			if text := tp.text(); len(text) > 1000 || strings.Contains(text, "swordfish") {
				t.Errorf("%d bytes: %.1000s", len(text), text)
			}
		})
	}
}

// A client that never reads holds back the server, and nothing is kept for it.
func TestNeverReads(t *testing.T) {
	const most = 256 << 20
	sent := make(chan int64, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		n, _ := io.CopyN(conn, endless{}, most)
		sent <- n
	}()
	tp := startTape(t, "tcp://"+ln.Addr().String(), record.Options{MaxMessage: 1000})
	conn, err := net.Dial("tcp", strings.TrimPrefix(tp.url, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	tp.await("a recording has ended: ") // the first line is too large
	tp.stop()
	conn.Close()
	if n := <-sent; n == most {
		t.Error("the proxy has taken everything")
	}
	if info, err := os.Stat(tp.file()); err != nil || info.Size() > 1000 {
		t.Error(info.Size(), err)
	}
}

// endless is a stream of lines of 10,000 bytes.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	n := copy(b, strings.Repeat("x", 9_999)+"\n")
	return n, nil
}
