package rpc_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A scriptedSocket is the peer's end of one socket.
type scriptedSocket struct {
	conn net.Conn
	eof  chan struct{} // closed when our side has ended it
	half func()        // ends what our side reads
	form rpc.Framing

	mu     sync.Mutex
	got    []string
	paused chan struct{} // closed when the peer reads again; nil while it reads
}

func newScriptedSocket(conn net.Conn, f rpc.Framing) *scriptedSocket {
	s := &scriptedSocket{conn: conn, form: f, eof: make(chan struct{})}
	go s.read()
	return s
}

// framed returns a message as the peer sends it.
func (s *scriptedSocket) framed(msg string) []byte {
	if s.form == rpc.ContentLength {
		return fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(msg), msg)
	}
	return []byte(msg + "\n")
}

// message reads a message, which must have the form that framed gives it.
func (s *scriptedSocket) message(br *bufio.Reader) (string, error) {
	line, err := br.ReadString('\n')
	if s.form == rpc.Lines || err != nil {
		return strings.TrimSuffix(line, "\n"), err
	}
	var n int
	if _, err := fmt.Sscanf(line, "Content-Length: %d\r\n", &n); err != nil {
		return line, nil // no conversation expects it
	}
	content := make([]byte, n)
	end, err := br.ReadString('\n')
	if err == nil && end == "\r\n" {
		_, err = io.ReadFull(br, content)
	}
	return string(content), err
}

// read takes in messages until the connection ends.
func (s *scriptedSocket) read() {
	defer close(s.eof)
	br := bufio.NewReader(reading{s})
	for {
		msg, err := s.message(br)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, msg)
		s.mu.Unlock()
	}
}

// reading is the connection for a peer that may stop reading.
type reading struct{ *scriptedSocket }

func (r reading) Read(b []byte) (int, error) {
	n, err := r.conn.Read(b)
	r.mu.Lock()
	paused := r.paused
	r.mu.Unlock()
	if paused != nil {
		<-paused
	}
	return n, err
}

// halfPipe is an end of a pipe whose other end may close its sending side: reading
// ends then, as a deadline that has passed.
type halfPipe struct{ net.Conn }

func (h halfPipe) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = io.EOF
	}
	return n, err
}

// setReading makes the peer stop reading, or read again.
func (s *scriptedSocket) setReading(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if yes && s.paused != nil {
		close(s.paused)
		s.paused = nil
	}
	if !yes && s.paused == nil {
		s.paused = make(chan struct{})
	}
}

// next returns the next line that we sent.
func (s *scriptedSocket) next() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) == 0 {
		return "", false
	}
	line := s.got[0]
	s.got = s.got[1:]
	return line, true
}

const goodbyeHead = `{"jsonrpc":"2.0","method":"$/close","params":`

// bridge makes conn, which carries lines, the other end of a WebSocket: each line
// is a frame, each message that comes a line, and $/close the close frame. It
// returns when both have ended.
func (c *conversation) bridge(ws *websocket.Conn, lines net.Conn) {
	ws.SetReadLimit(-1)
	var wg sync.WaitGroup
	var left atomic.Bool // the peer has sent $/close
	wg.Go(func() {
		defer lines.Close()
		for {
			_, frame, err := ws.Read(context.Background())
			if e, ok := errors.AsType[websocket.CloseError](err); ok && !left.Load() {
				params, _ := json.Marshal([]any{e.Code, e.Reason})
				lines.Write([]byte(goodbyeHead + string(params) + "}\n"))
			}
			if err != nil {
				return
			}
			for _, msg := range c.messages(frame) {
				if _, err := lines.Write(append(msg, '\n')); err != nil {
					return
				}
			}
		}
	})
	wg.Go(func() {
		defer ws.CloseNow()
		buf := make([]byte, 4<<20)
		for n := 0; ; {
			k, err := lines.Read(buf[n:])
			if err != nil {
				return
			}
			n += k
			for {
				i := bytes.IndexByte(buf[:n], '\n')
				if i < 0 {
					break
				}
				if params, ok := bytes.CutPrefix(buf[:i], []byte(goodbyeHead)); ok {
					left.Store(true)
					ws.Close(goodbye(params))
					return
				}
				typ, frame := c.frame(buf[:i])
				if ws.Write(context.Background(), typ, frame) != nil {
					return
				}
				n = copy(buf, buf[i+1:n])
			}
		}
	})
	wg.Wait()
}

// goodbye returns the parameters in the rest of a line with $/close.
func goodbye(params []byte) (code websocket.StatusCode, reason string) {
	var pair []json.RawMessage
	if json.Unmarshal(bytes.TrimSuffix(params, []byte("}")), &pair) != nil || len(pair) == 0 {
		return websocket.StatusNormalClosure, ""
	}
	json.Unmarshal(pair[0], &code)
	if len(pair) > 1 {
		json.Unmarshal(pair[1], &reason)
	}
	return code, reason
}

// principal returns who connects.
func principal(ctx context.Context) string {
	who, _ := ctx.Value(callerKey{}).(string)
	return who
}

// accept is the server's: it serves another connection of the peer's.
func (p *program) accept(conn net.Conn, as string) {
	p.served.Go(func() {
		ctx := context.WithValue(context.Background(), callerKey{}, as)
		if p.over != "" {
			p.acceptWS(ctx, conn)
			return
		}
		err := p.srv.ServeConn(ctx, conn)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.end = err
	})
}

// acceptWS has a WebSocket between what carries lines and the server.
func (p *program) acceptWS(ctx context.Context, lines net.Conn) {
	var protocols []string
	if p.wirecall() {
		protocols = append(protocols, p.over)
	}
	ws, _, err := websocket.Dial(ctx, "ws://test/", &websocket.DialOptions{HTTPClient: p.web, Subprotocols: protocols,
		HTTPHeader: http.Header{"As": {principal(ctx)}}})
	if err != nil {
		lines.Close()
		return
	}
	p.bridge(ws, lines)
}

// connect gets its sockets from dialed.
func (p *program) connect() (*rpc.Conn, error) {
	var token tokenFunc
	if p.auth != nil {
		token = inTurn(p.auth...)
	}
	if p.over == "" && p.sessions == nil {
		return rpc.NewConn(p.ctx, <-p.dialed, &rpc.ConnOptions{Limits: p.limits, Services: services(), Token: token, Framing: p.framing, Plain: p.plain})
	}
	opts := &rpc.DialOptions{Limits: p.limits, Services: services(), Token: token, Framing: p.framing, Plain: p.plain}
	opts.Resume, opts.Reconnect.Disabled = p.sessions != nil, p.sessions == nil
	opts.NetDial = func(ctx context.Context, _, addr string) (net.Conn, error) {
		p.mu.Lock()
		p.addr = addr
		p.mu.Unlock()
		select {
		case conn := <-p.dialed:
			return p.viaWS(ctx, conn)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-p.ctx.Done(): // net/http's dialing outlives the first
			return nil, context.Cause(p.ctx)
		}
	}
	url := "tcp://peer"
	if p.over != "" {
		url = "ws://peer"
	}
	if p.over == cborProtocol {
		opts.Codec = cbor.Codec
	}
	return rpc.Dial(p.ctx, url, opts)
}

// viaWS has a WebSocket between the client and what carries lines, where the
// conversation is over one.
func (p *program) viaWS(ctx context.Context, lines net.Conn) (net.Conn, error) {
	if p.over == "" {
		return lines, nil
	}
	network := &rpctest.Network{}
	ln := network.Listen()
	hs := &http.Server{}
	hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer hs.Close()
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{p.over}})
		if err != nil {
			lines.Close()
			return
		}
		p.bridge(ws, lines)
	})
	context.AfterFunc(p.ctx, func() { hs.Close() })
	p.served.Go(func() { hs.Serve(ln) })
	return network.Dial(ctx, "tcp", "peer")
}
