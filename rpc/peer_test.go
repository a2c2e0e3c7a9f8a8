package rpc_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A test has the other side of a connection in one of five ways. Use the first that can
// express what it needs:
//
//	testdata/*.txt          a transcript: each message, in virtual time
//	rpctest.Connect, Pair   a peer of this package; breakable, if the test cuts the connection
//	linePeer                lines that the test computes, or very many of them
//	framePeer, frameServer  the same in frames of a WebSocket
//	rawWebSocket            bytes behind a WebSocket handshake; serveHandshakes, bytes in place of one

// A linePeer is the other end of a connection that carries lines. The test writes each
// line. A test that writes bytes, or that must not read, uses servePipe instead.
type linePeer struct {
	t     testing.TB
	conn  net.Conn
	lines chan string  // the lines received; closed when the connection is
	ended <-chan error // receives the result of the server's ServeConn, if this is a client
}

func newLinePeer(t testing.TB, conn net.Conn) *linePeer {
	p := &linePeer{t: t, conn: conn, lines: make(chan string, 10_000)}
	go func() {
		defer close(p.lines)
		in := bufio.NewReader(conn)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			p.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return p
}

// lineClient is a client of srv.
func lineClient(t testing.TB, srv *rpc.Server) *linePeer { return lineClientAs(t, srv, "") }

// lineClientAs is a client of srv that is authenticated as a principal.
func lineClientAs(t testing.TB, srv *rpc.Server, principal string) *linePeer {
	conn, ended := servePipe(context.WithValue(context.Background(), callerKey{}, principal), srv)
	p := newLinePeer(t, conn)
	p.ended = ended
	return p
}

// greetedLineClient is a client of srv that has exchanged hello.
func greetedLineClient(t testing.TB, srv *rpc.Server) *linePeer {
	p := lineClient(t, srv)
	p.greet()
	return p
}

// lineServer returns a connection of this package, and the server at its other end.
func lineServer(t testing.TB, opts *rpc.ConnOptions) (*rpc.Conn, *linePeer) {
	near, far := net.Pipe()
	p := newLinePeer(t, far)
	go p.answerHello()
	conn, err := rpc.NewConn(t.Context(), near, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, p
}

// send sends one line.
func (p *linePeer) send(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.conn, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next line, which must contain want.
func (p *linePeer) receive(want string) string {
	p.t.Helper()
	line, ok := <-p.lines
	if !ok || !strings.Contains(line, want) {
		p.t.Fatalf("received %q, want %s", line, want)
	}
	return line
}

// receiveAll returns the lines that have been received once the bubble is idle.
func (p *linePeer) receiveAll() (lines []string) {
	synctest.Wait()
	for len(p.lines) > 0 {
		lines = append(lines, <-p.lines)
	}
	return lines
}

const helloLine = `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":1000,"streams":1000,"message":65536}}`

// answerHello is a server's part in the exchange of hello.
func (p *linePeer) answerHello() {
	p.receive("rpc.hello")
	p.send(`{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1000,"streams":1000,"message":65536}}`)
}

// greet is a client's part in the exchange of hello.
func (p *linePeer) greet() {
	p.t.Helper()
	p.send(helloLine)
	p.receive(`"result"`)
}

// openSession sends hello and returns the token of the session.
func (p *linePeer) openSession() string {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":32,"streams":32,"message":1048576,"replay":1048576}}`)
	var answer struct{ Result struct{ Session string } }
	if err := json.Unmarshal([]byte(p.receive(`"session"`)), &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Result.Session
}

// attempts numbers the requests to resume, so that each is later than those before.
var attempts atomic.Uint64

// resume sends a request to resume a session and returns the answer.
func (p *linePeer) resume(token string, received any) string {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{"session":%q,"attempt":%d,"received":%v}}`, token, attempts.Add(1), received)
	return p.receive("")
}

// servePipe connects to srv over a pipe. The result of ServeConn is sent on ended.
func servePipe(ctx context.Context, srv *rpc.Server) (conn net.Conn, ended <-chan error) {
	near, far := net.Pipe()
	end := make(chan error, 1)
	go func() { end <- srv.ServeConn(ctx, far) }()
	return near, end
}

// A framePeer is a WebSocket client. The test writes each frame.
type framePeer struct {
	t    *testing.T
	ws   *websocket.Conn
	done chan struct{}

	mu     sync.Mutex
	frames []string
	err    error // the error that ended reading
}

// frameClient is a client of srv, in memory.
func frameClient(t *testing.T, srv *rpc.Server, subprotocols ...string) *framePeer {
	t.Helper()
	ws, _, err := websocket.Dial(context.Background(), "ws://test/", &websocket.DialOptions{
		HTTPClient: serveInMemory(t, srv), Subprotocols: subprotocols})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(subprotocols, ""); ws.Subprotocol() != want {
		t.Fatalf("subprotocol %q, want %q", ws.Subprotocol(), want)
	}
	ws.SetReadLimit(-1)
	p := &framePeer{t: t, ws: ws, done: make(chan struct{})}
	go p.read()
	t.Cleanup(func() { ws.CloseNow(); <-p.done })
	return p
}

func (p *framePeer) read() {
	defer close(p.done)
	for {
		_, data, err := p.ws.Read(context.Background())
		p.mu.Lock()
		if err != nil {
			p.err = err
			p.mu.Unlock()
			return
		}
		p.frames = append(p.frames, string(data))
		p.mu.Unlock()
	}
}

func (p *framePeer) send(typ websocket.MessageType, frame string) {
	p.t.Helper()
	if err := p.ws.Write(context.Background(), typ, []byte(frame)); err != nil {
		p.t.Fatalf("sending %.100q: %v", frame, err)
	}
}

// receiveAll returns the frames that have been received, once the bubble is idle, since
// it was last called.
func (p *framePeer) receiveAll() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.frames
	p.frames = nil
	return frames
}

// closeStatus returns the code and the reason of the server's close frame.
func (p *framePeer) closeStatus() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if ce, ok := errors.AsType[websocket.CloseError](p.err); ok {
		return strings.TrimSpace(fmt.Sprintf("%d %s", ce.Code, ce.Reason))
	}
	return fmt.Sprint(p.err)
}

// serveInMemory serves srv until the test ends, and returns the client that connects to
// it.
func serveInMemory(t *testing.T, srv *rpc.Server) *http.Client {
	network := &rpctest.Network{}
	ln := network.Listen()
	hs := &http.Server{Handler: withCaller(srv)}
	done := make(chan struct{})
	go func() { defer close(done); hs.Serve(ln) }()
	tr := &http.Transport{DialContext: network.Dial}
	t.Cleanup(func() {
		srv.Close()
		hs.Close()
		tr.CloseIdleConnections()
		<-done
	})
	return &http.Client{Transport: tr}
}

// withCaller is a middleware that takes the principal from the header As.
func withCaller(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, r.Header.Get("As"))))
	})
}

// rawWebSocket performs the handshake of a WebSocket, with further lines in the head of
// the request, and returns the socket and the answer.
func rawWebSocket(t *testing.T, addr string, lines ...string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", addr, strings.Join(lines, ""))
	resp, err := http.ReadResponse(bufio.NewReaderSize(oneByOne{conn}, 16), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	return conn, resp
}

// oneByOne reads a byte at a time, so that no byte is read ahead.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(1, len(b))]) }

// A frameServer is a WebSocket server of another project: it selects the first
// subprotocol that a client offers, and answers each frame with those that reply
// returns.
type frameServer struct {
	network  rpctest.Network
	reply    func(frame string) []string
	binary   bool     // answers are binary frames
	received []string // frames, to be read when the bubble is idle
}

func (s *frameServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{first}})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	for {
		_, frame, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		s.received = append(s.received, string(frame))
		kind := websocket.MessageText
		if s.binary {
			kind = websocket.MessageBinary
		}
		for _, answer := range s.reply(string(frame)) {
			if ws.Write(r.Context(), kind, []byte(answer)) != nil {
				return
			}
		}
	}
}

// dial connects to the server.
func (s *frameServer) dial(t *testing.T, opts rpc.DialOptions) (*rpc.Conn, error) {
	t.Helper()
	ln := s.network.Listen()
	srv := &http.Server{Handler: s}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	opts.NetDial = s.network.Dial
	return rpc.Dial(t.Context(), "ws://server", &opts)
}

// serveHandshakes answers WebSocket handshakes with the bytes that answer writes, and
// keeps the sockets open until the client closes them.
func serveHandshakes(t *testing.T, ln net.Listener, answer func(w io.Writer, accept string)) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				t.Error(err)
				return
			}
			answer(conn, "Sec-WebSocket-Accept: "+acceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
			io.Copy(io.Discard, conn) // until the client closes
			conn.Close()
		}()
	}
}

// acceptKey returns the answer to the key of a handshake: RFC 6455, section 4.2.2.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
