package rpctest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// newCounter returns a server with a method that counts how often it has run.
func newCounter() (*rpc.Server, *atomic.Int64) {
	srv, ran := rpc.NewServer(&rpc.ServerOptions{Logger: slog.New(slog.DiscardHandler)}), new(atomic.Int64)
	srv.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Count", Serve: func(context.Context, any, *rpc.Call) error {
		ran.Add(1)
		return nil
	}}}})
	return srv, ran
}

// A transport connects a client to a server over a Network.
type transport struct {
	dial  func(context.Context, *rpctest.Network) (*rpc.Conn, error)
	serve func(*rpc.Server, net.Listener)
}

var transports = map[string]transport{
	"lines": {
		func(ctx context.Context, n *rpctest.Network) (*rpc.Conn, error) {
			sock, err := n.Dial(ctx, "tcp", "any")
			if err != nil {
				return nil, err
			}
			return rpc.NewConn(ctx, sock, nil)
		},
		func(srv *rpc.Server, ln net.Listener) { srv.Serve(context.Background(), ln) },
	},
	"ws": {
		func(ctx context.Context, n *rpctest.Network) (*rpc.Conn, error) {
			client := &http.Client{Transport: &http.Transport{DialContext: n.Dial, DisableKeepAlives: true}}
			return rpc.Dial(ctx, "ws://any", &rpc.DialOptions{HTTPClient: client})
		},
		func(srv *rpc.Server, ln net.Listener) { http.Serve(ln, srv) },
	},
}

// Wherever a connection is cut, a call fails unless it has run, and where it is
// said not to have run it has not.
func TestCallCutAtEveryByte(t *testing.T) {
	for name, tr := range transports {
		t.Run(name, func(t *testing.T) {
			whole := callOnce(t, tr, nil)
			if whole.Up == 0 || whole.Down == 0 {
				t.Fatalf("%+v", whole)
			}
			cuts := 0
			for at := range max(whole.Up, whole.Down) {
				cut := rpctest.Path{Events: []rpctest.Event{{At: at, Do: rpctest.Cut}}}
				if at < whole.Up {
					cuts += callOnce(t, tr, first(rpctest.Plan{Up: cut})).Cuts
				}
				if at < whole.Down {
					cuts += callOnce(t, tr, first(rpctest.Plan{Down: cut})).Cuts
				}
			}
			if cuts != whole.Up+whole.Down {
				t.Errorf("%d cuts in %d bytes", cuts, whole.Up+whole.Down)
			}
		})
	}
}

// callOnce makes one connection with a plan, and one call over it. A call that has
// surely not run is made again over another.
func callOnce(t *testing.T, tr transport, plan func(int) rpctest.Plan) (stats rpctest.Stats) {
	synctest.Test(t, func(t *testing.T) {
		n := &rpctest.Network{Plan: plan}
		srv, ran := newCounter()
		ln := n.Listen()
		go tr.serve(srv, ln)
		defer srv.Close()
		defer ln.Close()
		conn, err := tr.dial(t.Context(), n)
		if err == nil {
			err = conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Count"}})
			synctest.Wait()
			stats = n.Stats()
			conn.Close()
		}
		synctest.Wait()
		if plan != nil {
			stats = n.Stats()
		}
		switch runs := ran.Load(); {
		case runs > 1:
			t.Errorf("it ran %d times: %+v", runs, stats)
		case err == nil && runs != 1:
			t.Errorf("it succeeded and has not run: %+v", stats)
		case rpc.NotRun(err) && runs != 0:
			t.Errorf("it ran, and %v says that it has not: %+v", err, stats)
		case err != nil && plan == nil:
			t.Errorf("without faults: %v", err)
		}
	})
	return stats
}

// A client that connects again and again gets its work done, whatever happens.
func TestCallsWithFaults(t *testing.T) {
	for name, tr := range transports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &rpctest.Network{Plan: rpctest.Faults{
					Seed: 1, Cut: 0.3, Hangup: 0.2, HalfClose: 0.2, Stall: 0.3, Drip: 0.2, Refuse: 0.1,
					Within: 1000, Latency: time.Second,
				}.Plan}
				srv, ran := newCounter()
				ln := n.Listen()
				go tr.serve(srv, ln)
				defer srv.Close()
				defer ln.Close()
				for done, tries := 0, 0; done < 200; tries++ {
					if tries == 1000 {
						t.Fatalf("%d calls in %d connections: %+v", done, tries, n.Stats())
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					conn, err := tr.dial(ctx, n)
					for range 10 {
						if err == nil {
							if err = conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Count"}}); err == nil {
								done++
							}
						}
					}
					cancel()
					if conn != nil {
						conn.Close()
					}
				}
				if s := n.Stats(); ran.Load() < 200 || s.Cuts == 0 || s.Stalls == 0 || s.HalfCloses == 0 {
					t.Errorf("%d ran, %+v", ran.Load(), s)
				}
				n.Cut()
			})
		})
	}
}

// The ends of a connection with faults around real sockets on one of its sides.
var sockets = map[string]func(t *testing.T, n *rpctest.Network, network, addr string) (client, server net.Conn){
	"dialer": func(t *testing.T, n *rpctest.Network, network, addr string) (client, server net.Conn) {
		var d net.Dialer
		return dialSocket(t, network, addr, n.Dialer(d.DialContext), nil)
	},
	"listener": func(t *testing.T, n *rpctest.Network, network, addr string) (client, server net.Conn) {
		var d net.Dialer
		return dialSocket(t, network, addr, d.DialContext, n.Listener)
	},
}

func dialSocket(t *testing.T, network, addr string, dial func(context.Context, string, string) (net.Conn, error), wrap func(net.Listener) net.Listener) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if wrap != nil {
		ln = wrap(ln)
	}
	if client, err = dial(t.Context(), network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// The same cuts as in memory, over TCP.
func TestSocketCutAtEveryByte(t *testing.T) {
	const text = "conversation"
	cut := func(at int) rpctest.Path { return rpctest.Path{Events: []rpctest.Event{{At: at}}} }
	for name, connect := range sockets {
		for at := 1; at <= len(text); at++ {
			n := &rpctest.Network{Plan: always(rpctest.Plan{Up: cut(at)})}
			client, server := connect(t, n, "tcp", "127.0.0.1:0")
			write(t, client, text)
			ends(t, server, text[:at], syscall.ECONNRESET)
			ends(t, client, "", syscall.ECONNRESET)

			n.Plan = always(rpctest.Plan{Down: cut(at)})
			client, server = connect(t, n, "tcp", "127.0.0.1:0")
			write(t, server, text)
			ends(t, client, text[:at], syscall.ECONNRESET)
			ends(t, server, "", syscall.ECONNRESET)
			if s := n.Stats(); s.Conns != 2 || s.Cuts != 2 || s.Up != at || s.Down != at {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

// Without faults more than any buffer holds crosses both ways at once, and each
// end closes its side.
func TestSocketCarriesAll(t *testing.T) {
	text := strings.Repeat("0123456789", 1<<18)
	t.Chdir(t.TempDir()) // its name may be longer than a Unix socket's address
	for name, connect := range sockets {
		for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": "s"} {
			n := &rpctest.Network{}
			client, server := connect(t, n, network, addr)
			both := make(chan error, 4)
			for _, c := range []net.Conn{client, server} {
				go func() {
					_, err := io.WriteString(c, text)
					both <- errors.Join(err, c.(interface{ CloseWrite() error }).CloseWrite())
				}()
				go func() {
					got, err := io.ReadAll(c)
					if string(got) != text {
						err = errors.Join(err, fmt.Errorf("%d of %d bytes", len(got), len(text)))
					}
					both <- err
				}()
			}
			for range cap(both) {
				if err := <-both; err != nil {
					t.Errorf("%s, %s: %v", name, network, err)
				}
			}
			if s := n.Stats(); s.Up != len(text) || s.Down != len(text) {
				t.Errorf("%s, %s: %+v", name, network, s)
			}
		}
	}
}

// One end that has closed is gone for the other.
func TestSocketClose(t *testing.T) {
	for name, connect := range sockets {
		for _, clientFirst := range []bool{true, false} {
			n := &rpctest.Network{}
			first, second := connect(t, n, "tcp", "127.0.0.1:0")
			if !clientFirst {
				first, second = second, first
			}
			write(t, first, "last")
			first.Close()
			ends(t, second, "last", nil)
			for err := error(nil); err == nil; { // until it is known that nobody reads
				_, err = second.Write([]byte("x"))
			}
			second.Close()
			if n.Cut() > 0 {
				t.Errorf("%s: a connection that both ends have closed is open", name)
			}
		}
	}
}

func TestSocketHalfCloseAndCut(t *testing.T) {
	for name, connect := range sockets {
		n := &rpctest.Network{Plan: up(rpctest.Event{At: 3, Do: rpctest.HalfClose})}
		client, server := connect(t, n, "tcp", "127.0.0.1:0")
		write(t, client, "there")
		ends(t, server, "the", nil)
		write(t, server, "back")
		if _, err := io.ReadFull(client, make([]byte, 4)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if cut := n.Cut(); cut != 1 {
			t.Errorf("%s: %d cut", name, cut)
		}
		ends(t, client, "", syscall.ECONNRESET)
	}
}

func TestSocketRefuse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &rpctest.Network{Plan: func(n int) rpctest.Plan { return rpctest.Plan{Refuse: n == 0} }}
	faulty := n.Listener(ln)
	defer faulty.Close()
	go faulty.Accept()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err == nil { // the reset was not faster
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}

	n = &rpctest.Network{Plan: always(rpctest.Plan{Refuse: true})}
	if _, err := n.Dialer(d.DialContext)(t.Context(), "tcp", ln.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}

// Calls over TCP, with faults on the side of the client.
func TestCallsOverFaultySockets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	srv, ran := newCounter()
	defer srv.Close()
	go srv.Serve(context.Background(), ln)
	n := &rpctest.Network{Plan: rpctest.Faults{Seed: 1, Cut: 0.5, Hangup: 0.5, Within: 2000, Latency: time.Millisecond}.Plan}
	var d net.Dialer
	done := 0
	for range 30 {
		sock, err := n.Dialer(d.DialContext)(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := rpc.NewConn(t.Context(), sock, nil)
		for range 20 {
			if err == nil {
				if err = conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Count"}}); err == nil {
					done++
				}
			}
		}
		if conn != nil {
			conn.Close()
		}
	}
	if s := n.Stats(); int(ran.Load()) < done || done == 0 || s.Conns != 30 || s.Cuts == 0 || s.Hangups == 0 {
		t.Errorf("%d done, %d ran, %+v", done, ran.Load(), s)
	}
}
