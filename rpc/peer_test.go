package rpc_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// A peer is the other end of a connection, at which a test says every line
// itself.
type peer struct {
	t     testing.TB
	conn  net.Conn
	lines chan string // what comes, closed when the connection is
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
func clientOf(t testing.TB, srv *rpc.Server) *peer {
	near, far := net.Pipe()
	go srv.ServeConn(context.Background(), far)
	return newPeer(t, near)
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
func serverOf(t testing.TB, opts *rpc.DialOptions) (*rpc.Conn, *peer) {
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

// method is a service of one method.
func method(name string, newValues func() (params, result any), serve rpc.Handler) rpc.Service {
	return rpc.Service{Name: "Test", Methods: []rpc.Method{{Name: name, New: newValues, Serve: serve}}}
}

// streamMethod is a service of one method whose result is a stream.
func streamMethod(name string, stream func(ctx context.Context) rpc.Stream) rpc.Service {
	return method(name, func() (any, any) { return nil, new(rpc.Stream) }, func(ctx context.Context, c *rpc.Call) error {
		*c.Result.(*rpc.Stream) = stream(ctx)
		return nil
	})
}

func server(opts *rpc.ServerOptions, services ...rpc.Service) *rpc.Server {
	srv := rpc.NewServer(opts)
	srv.Register(services...)
	return srv
}

type addParams struct{ A, B int }

func (p *addParams) Fields() []rpc.Field {
	return []rpc.Field{{Name: "a", Value: &p.A}, {Name: "b", Value: &p.B}}
}
