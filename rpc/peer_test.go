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

// The ways in which a test is the other side of a connection. Use the first that
// can express what it needs:
//
//	testdata/*.txt       transcripts: each message, in virtual time
//	rpctest.Connect,     a peer of this package, over a connection without faults
//	rpctest.Pair
//	breakable            the same, over a connection that the test cuts
//	clientOf, serverOf   a peer that sends lines which are computed, or very many
//	newPeer              the same, over a connection of the test's own
//	frameClientOf        a peer that sends frames of a WebSocket, in memory
//	webSocketTo          the same over sockets, for what only these do
//	pipeTo, upgrade      bytes: of lines, or behind the handshake of a WebSocket
//	stranger,            WebSocket servers of others: one that answers each frame,
//	serveSilence         one that stops answering somewhere in the handshake

// A peer is the other end of a connection, at which a test says every line
// itself.
type peer struct {
	t     testing.TB
	conn  net.Conn
	lines chan string  // what comes, closed when the connection is
	ended <-chan error // what the server's ServeConn returned, if it is a client
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	p := &peer{t: t, conn: conn, lines: make(chan string, 10_000)}
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

func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.conn, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next line, which must contain what is wanted.
func (p *peer) hear(want string) string {
	p.t.Helper()
	line, ok := <-p.lines
	if !ok || !strings.Contains(line, want) {
		p.t.Fatalf("the other side said %q, want %s", line, want)
	}
	return line
}

const helloLine = `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":1000,"streams":1000,"message":65536}}`

// clientOf is a client of srv that says every line itself.
func clientOf(t testing.TB, srv *rpc.Server) *peer { return clientAs(t, srv, "") }

// clientAs is clientOf for a principal.
func clientAs(t testing.TB, srv *rpc.Server, who string) *peer {
	conn, ended := pipeTo(context.WithValue(context.Background(), callerKey{}, who), srv)
	p := newPeer(t, conn)
	p.ended = ended
	return p
}

// greetedClientOf is clientOf behind the exchange of hello.
func greetedClientOf(t testing.TB, srv *rpc.Server) *peer {
	p := clientOf(t, srv)
	p.say(helloLine)
	p.hear(`"result"`)
	return p
}

// serverOf is a connection and the server that it talks to, at which the test
// says every line itself.
func serverOf(t testing.TB, opts *rpc.ConnOptions) (*rpc.Conn, *peer) {
	near, far := net.Pipe()
	p := newPeer(t, far)
	go func() {
		p.hear("rpc.hello")
		p.say(`{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1000,"streams":1000,"message":65536}}`)
	}()
	conn, err := rpc.NewConn(t.Context(), near, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, p
}

// drained lets everything come that does, and returns it.
func (p *peer) drained() (lines []string) {
	synctest.Wait()
	for len(p.lines) > 0 {
		lines = append(lines, <-p.lines)
	}
	return lines
}

// begin says hello and returns the session's token.
func (p *peer) begin() string {
	p.t.Helper()
	p.say(`{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":32,"streams":32,"message":1048576,"replay":1048576}}`)
	var answer struct{ Result struct{ Session string } }
	if err := json.Unmarshal([]byte(p.hear(`"session"`)), &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Result.Session
}

// attempts numbers the requests for sessions, so that each comes after those before.
var attempts atomic.Uint64

// resume asks for a session and returns what it hears.
func (p *peer) resume(token string, received any) string {
	p.t.Helper()
	p.say(`{"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{"session":%q,"attempt":%d,"received":%v}}`, token, attempts.Add(1), received)
	return p.hear("")
}

// pipeTo connects to srv over a pipe. What ServeConn returns is sent on ended.
func pipeTo(ctx context.Context, srv *rpc.Server) (conn net.Conn, ended <-chan error) {
	near, far := net.Pipe()
	end := make(chan error, 1)
	go func() { end <- srv.ServeConn(ctx, far) }()
	return near, end
}

// A framePeer is a WebSocket client that is not of this package: the test writes
// each frame.
type framePeer struct {
	t    *testing.T
	ws   *websocket.Conn
	done chan struct{}

	mu     sync.Mutex
	frames []string
	types  []websocket.MessageType
	err    error // what reading ended with
}

// frameClientOf connects in memory.
func frameClientOf(t *testing.T, srv *rpc.Server, subprotocols ...string) *framePeer {
	t.Helper()
	ws, _, err := websocket.Dial(context.Background(), "ws://test/", &websocket.DialOptions{
		HTTPClient: serveWS(t, srv), Subprotocols: subprotocols})
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
		typ, data, err := p.ws.Read(context.Background())
		p.mu.Lock()
		if err != nil {
			p.err = err
			p.mu.Unlock()
			return
		}
		p.frames, p.types = append(p.frames, string(data)), append(p.types, typ)
		p.mu.Unlock()
	}
}

func (p *framePeer) send(typ websocket.MessageType, frame string) {
	p.t.Helper()
	if err := p.ws.Write(context.Background(), typ, []byte(frame)); err != nil {
		p.t.Fatalf("sending %.100q: %v", frame, err)
	}
}

// got returns the frames that have come since it was last called.
func (p *framePeer) got() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.frames
	p.frames, p.types = nil, nil
	return frames
}

// closed returns the code and the reason that the server closed with.
func (p *framePeer) closed() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if ce, ok := errors.AsType[websocket.CloseError](p.err); ok {
		return strings.TrimSpace(fmt.Sprintf("%d %s", ce.Code, ce.Reason))
	}
	return fmt.Sprint(p.err)
}

// serveWS serves srv in memory until the test ends, and returns what dials it.
func serveWS(t *testing.T, srv *rpc.Server) *http.Client {
	network := &rpctest.Network{}
	ln := network.Listen()
	hs := &http.Server{Handler: knowing(srv)}
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

// knowing is a middleware that believes whoever says who he is.
func knowing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, r.Header.Get("As"))))
	})
}

// webSocketTo connects to a server over sockets, in plain mode.
func webSocketTo(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws
}

// upgrade makes a WebSocket of a socket by hand, with further lines in
// the request's head, and returns it behind the answer.
func upgrade(t *testing.T, addr string, lines ...string) (net.Conn, *http.Response) {
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

// oneByOne reads a byte at a time, so that nothing is read that is not asked for.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(1, len(b))]) }

// A stranger is a WebSocket server of another project: it selects the first
// subprotocol that a client offers, whatever that is, and answers each frame with
// those that reply returns.
type stranger struct {
	network rpctest.Network
	reply   func(frame string) []string
	binary  bool     // answers are binary frames
	got     []string // frames, to be read when the bubble is idle
}

func (s *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
		s.got = append(s.got, string(frame))
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

// dial connects to the stranger.
func (s *stranger) dial(t *testing.T, opts rpc.DialOptions) (*rpc.Conn, error) {
	t.Helper()
	ln := s.network.Listen()
	srv := &http.Server{Handler: s}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	opts.NetDial = s.network.Dial
	return rpc.Dial(t.Context(), "ws://stranger", &opts)
}

// serveSilence serves handshakes with what answer writes, and keeps the sockets open
// until the listener is closed.
func serveSilence(t *testing.T, ln net.Listener, answer func(w io.Writer, accept string)) {
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

// acceptKey is the answer to a handshake's key: RFC 6455, section 4.2.2.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
