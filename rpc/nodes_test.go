package rpc_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// A session goes on through whichever node its client reaches, with all that is in
// flight, over cuts of sockets and of links.
func TestSessionThroughOtherNodes(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		t.Run(cd.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 3, nil, services()...)
				conn := c.dial(t, &rpc.DialOptions{Codec: cd})
				subject := NewSubjectClient(conn)
				const last = 3000
				sum := make(chan int, 1)
				feed, fed := numbers(last)
				go func() {
					n, err := subject.Sum(t.Context(), feed)
					if err != nil {
						t.Error(err)
					}
					sum <- n
				}()
				down, err := subject.Count(t.Context(), last)
				if err != nil {
					t.Fatal(err)
				}
				next, forwarded := 1, 0
				for n, err := range down {
					if err != nil || n != next {
						t.Fatalf("got %d, %v, want %d", n, err, next)
					}
					fed <- n
					if next++; next%100 == 0 {
						if links := c.cutLinks(); links > 0 {
							forwarded++
						} else if c.cut() == 0 {
							t.Fatal("there was nothing to cut")
						}
						synctest.Wait()
						await(t, conn, rpc.Connected)
						if got, err := subject.Add(t.Context(), n, 1); got != n+1 || err != nil {
							t.Fatalf("a call: %d, %v", got, err)
						}
					}
				}
				close(fed)
				if got := <-sum; got != last*(last+1)/2 {
					t.Errorf("the sum of what was sent is %d", got)
				}
				if st := conn.State(); next != last+1 || st.Session != 1 || forwarded < 10 {
					t.Errorf("%d items, %d links cut, %+v", next-1, forwarded, st)
				}
			})
		})
	}
}

// numbers returns a stream of what is sent to the channel.
func numbers(room int) (iter.Seq2[int, error], chan<- int) {
	ch := make(chan int, room)
	return func(yield func(int, error) bool) {
		for n := range ch {
			if !yield(n, nil) {
				return
			}
		}
	}, ch
}

// forwarded returns a connection whose session is at the first of three nodes, and its
// socket at the second.
func forwarded(t *testing.T, c *testCluster, opts *rpc.DialOptions) *rpc.Conn {
	t.Helper()
	conn := c.dial(t, opts)
	c.cut()
	synctest.Wait()
	await(t, conn, rpc.Connected)
	synctest.Wait()
	if n := c.all[0].sessions(); n != 1 {
		t.Fatalf("the first node has %d sessions", n)
	}
	return conn
}

// What ends one side of a forwarded connection for good ends the other with the same code
// and reason, and what breaks it is a cut.
func TestEndsOfForwardedConnections(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(t *testing.T, c *testCluster, conn *rpc.Conn)
		want string // the error of the client; empty if its session goes on
		left int    // sessions of the owner
	}{
		"the client closes": {func(t *testing.T, _ *testCluster, conn *rpc.Conn) { conn.Close() }, "rpc: connection closed", 0},
		"the owner closes": {func(t *testing.T, c *testCluster, _ *rpc.Conn) {
			for served := range c.all[0].srv.Connections() {
				if err := served.CloseWithReason("enough"); err != nil {
					t.Error(err)
				}
			}
		}, "the peer closed it: enough (1000)", 0},
		"the link breaks":            {func(_ *testing.T, c *testCluster, _ *rpc.Conn) { c.cutLinks() }, "", 1},
		"the socket breaks":          {func(_ *testing.T, c *testCluster, _ *rpc.Conn) { c.cut() }, "", 1},
		"the asked node shuts down":  {func(t *testing.T, c *testCluster, _ *rpc.Conn) { c.all[1].leave(t, c.all[1].srv.Shutdown(t.Context())) }, "", 1},
		"the asked node is closed":   {func(t *testing.T, c *testCluster, _ *rpc.Conn) { c.all[1].leave(t, c.all[1].srv.Close()) }, "", 1},
		"the asked node breaks down": {func(_ *testing.T, c *testCluster, _ *rpc.Conn) { c.all[1].gone.Store(true); c.cut(); c.cutLinks() }, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 3, nil, services()...)
				conn := forwarded(t, c, nil)
				ticks, err := NewSubjectClient(conn).Tick(t.Context(), 3)
				if err != nil {
					t.Fatal(err)
				}
				next, stop := iter.Pull2(ticks)
				defer stop()
				if n, err, _ := next(); n != 1 || err != nil {
					t.Fatalf("the first item is %d, %v", n, err)
				}
				test.end(t, c, conn)
				time.Sleep(2 * time.Second)
				if n := c.all[0].sessions(); n != test.left {
					t.Errorf("the owner has %d sessions", n)
				}
				if test.want != "" {
					if err := conn.Err(); err == nil || err.Error() != test.want {
						t.Errorf("the client has ended with %v", err)
					}
					return
				}
				for want := 2; want <= 3; want++ {
					if n, err, _ := next(); n != want || err != nil {
						t.Errorf("item %d is %d, %v", want, n, err)
					}
				}
				if st := conn.State(); st.Phase != rpc.Connected || st.Session != 1 {
					t.Errorf("the client is %+v", st)
				}
			})
		})
	}
}

// leave removes a node that has been stopped from the balancer.
func (n *testNode) leave(t *testing.T, stopped error) {
	n.gone.Store(true)
	if stopped != nil {
		t.Error(stopped)
	}
}

// A client whose owner shuts down moves, as one that has dialed it.
func TestForwardedClientMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 3, nil, services()...)
		conn := forwarded(t, c, nil)
		subject := NewSubjectClient(conn)
		slow := make(chan error, 1)
		go func() { slow <- errorOf(subject.Sleep(t.Context(), 30_000)) }()
		marks, err := subject.Follow(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		down := make(chan error, 1)
		next := 1
		for m, err := range marks {
			if err != nil || m.N != next {
				t.Fatalf("item %d is %d, %v", next, m.N, err)
			}
			if next++; next == 3 {
				go func() {
					c.all[0].gone.Store(true)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					down <- c.all[0].srv.Shutdown(ctx)
				}()
			}
			if next == 60 {
				break
			}
		}
		if err := <-slow; err != nil {
			t.Errorf("a call that was in flight: %v", err)
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
		if st := conn.State(); st.Phase != rpc.Connected || st.Session != 2 {
			t.Errorf("the client is %+v", st)
		}
	})
}

func errorOf[T any](_ T, err error) error { return err }

// A session whose node is gone is lost at once: the client begins another over the same
// socket, and its cursors go on.
func TestOwnerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 3, nil, services()...)
		conn := c.dial(t, nil)
		subject := NewSubjectClient(conn)
		lost := make(chan error, 1)
		go func() { lost <- errorOf(subject.Sleep(t.Context(), 3_600_000)) }()
		marks, err := subject.Follow(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		next := 1
		for m, err := range marks {
			if err != nil || m.N != next {
				t.Fatalf("item %d is %d, %v", next, m.N, err)
			}
			if next++; next == 3 {
				c.all[0].gone.Store(true)
				c.cut()
			}
			if next == 6 {
				break
			}
		}
		if err := <-lost; rpc.CodeOf(err) != rpc.CodeSessionLost {
			t.Errorf("the call that was in flight: %v", err)
		}
		if st := conn.State(); st.Session != 2 || c.all[1].front.Stats().Conns != 1 {
			t.Errorf("the client is %+v, %d connections", st, c.all[1].front.Stats().Conns)
		}
	})
}

// A session whose node cannot be reached waits for its client, who tries again.
func TestOwnerUnreachable(t *testing.T) {
	for name, fails := range map[string]func(ctx context.Context) error{
		"refused": func(context.Context) error { return errors.New("no link") },
		"silent":  func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 3, nil, services()...)
				conn := c.dial(t, nil)
				for _, n := range c.all {
					n.dialing.Store(&fails)
				}
				others := c.all[1:]
				c.behind.Store(&others)
				c.cut()
				synctest.Wait()
				time.Sleep(7 * time.Second)
				if st := conn.State(); st.Phase != rpc.Detached || !strings.Contains(st.Cause.Error(), "the node that has the session cannot be reached") {
					t.Errorf("while no node reaches the owner: %+v", st)
				}
				for _, n := range c.all {
					n.dialing.Store(nil)
				}
				await(t, conn, rpc.Connected)
				if st := conn.State(); st.Session != 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// A client that is redirected has no pipe: its socket is at the owner. One that may not
// follow is forwarded.
func TestRedirectedClient(t *testing.T) {
	for name, test := range map[string]struct {
		url       string
		redirect  func(*url.URL) bool
		forwarded bool
	}{
		"below the dialed host":        {"ws://n1.lb/", nil, false},
		"another host":                 {"ws://n1.other/", nil, true},
		"another host that it accepts": {"ws://n1.other/", func(u *url.URL) bool { return u.Host == "n1.other" }, false},
		"a host that is not there":     {"ws://n9.lb/", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 3, nil, services()...)
				c.all[0].url.Store(&test.url)
				conn := forwarded(t, c, &rpc.DialOptions{Redirect: test.redirect})
				if n := c.cutLinks(); (n > 0) != test.forwarded {
					t.Errorf("there are %d links", n)
				}
				await(t, conn, rpc.Connected)
				if st := conn.State(); st.Session != 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// Two nodes that both say that the other has the session do not keep a client.
func TestRedirectLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 3, nil, services()...)
		to := "ws://n2.lb/"
		c.all[0].url.Store(&to) // which is not where n1 is
		conn := c.dial(t, nil)
		before := c.all[1].front.Stats().Conns
		c.cut()
		synctest.Wait()
		await(t, conn, rpc.Connected)
		if st := conn.State(); st.Session != 1 {
			t.Errorf("%+v", st)
		}
		if n := c.all[1].front.Stats().Conns - before; n > 4 {
			t.Errorf("it has dialed %d times", n)
		}
	})
}

// A forwarded client over lines is served as one over a WebSocket is.
func TestForwardedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, nil, services()...)
		owner, asked := lineClient(t, c.all[0].srv), lineClient(t, c.all[1].srv)
		token := owner.openSession()
		if got := asked.resume(token, 0); got != `{"jsonrpc":"2.0","id":1,"result":{"received":0}}` {
			t.Fatalf("resumed with %s", got)
		}
		asked.send(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`)
		asked.receive(`"id":2,"result":3`)
		asked.send(`{"jsonrpc":"2.0","method":"$/close","params":[1000,"bye"]}`)
		synctest.Wait()
		if n := c.all[0].sessions(); n != 0 {
			t.Errorf("after the goodbye the owner has %d sessions", n)
		}
	})
}

// A forwarded socket counts as one of the node that was asked, and a link as none.
func TestForwardedConnectionsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, func() *rpc.ServerOptions { return &rpc.ServerOptions{MaxConnections: 1} }, services()...)
		conn := c.dial(t, nil)
		c.cut()
		synctest.Wait()
		await(t, conn, rpc.Connected)
		direct := func(n *testNode) error {
			other, err := rpc.Dial(t.Context(), "ws://"+n.name+".lb/", &rpc.DialOptions{NetDial: c.netDial})
			if err == nil {
				other.Close()
			}
			return err
		}
		if err := direct(c.all[0]); err != nil {
			t.Errorf("the owner: %v", err)
		}
		if err := direct(c.all[1]); err == nil || !strings.Contains(err.Error(), "too many connections") {
			t.Errorf("the node that was asked: %v", err)
		}
		conn.Close()
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if err := direct(c.all[1]); err != nil {
			t.Errorf("after the client has left: %v", err)
		}
	})
}

// The owner has the address of the client, whatever that is, and not that of the node.
func TestAddressOfForwardedClient(t *testing.T) {
	for _, addr := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711},
		&net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 4711},
		&net.UnixAddr{Net: "unix", Name: "/tmp/a path\nof two lines é"},
		&net.UnixAddr{Net: "unix"},
	} {
		t.Run(addr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 2, nil, services()...)
				token := c.all[0].raw(t, nil).openSession()
				near, far := net.Pipe()
				served := make(chan error, 1)
				go func() { served <- c.all[1].srv.ServeConn(context.Background(), addressed{far, addr}) }()
				p := newLinePeer(t, near)
				p.send("%s", resumeRequest(token, 1))
				p.receive(`"result"`)
				for conn := range c.all[0].srv.Connections() {
					if got := conn.RemoteAddr(); got == nil || got.Network() != addr.Network() || got.String() != addr.String() {
						t.Errorf("the address of the client is %v", got)
					}
				}
				near.Close()
				<-served
			})
		})
	}
}

// An addressed is a connection from an address.
type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

// What a client sends over a pipe is judged by the owner, and the owner's word reaches
// it.
func TestBreachOverAPipe(t *testing.T) {
	for name, test := range map[string]struct {
		typ         websocket.MessageType
		frame, want string
	}{
		"malformed":    {websocket.MessageText, "{", "4500 parse error: malformed JSON at byte 1"},
		"resume again": {websocket.MessageText, resumeRequest("n1.a.b", 2) + "\n" + resumeRequest("n1.a.b", 3), ""},
		"binary":       {websocket.MessageBinary, "{}", "4500 a frame is binary: this connection uses text"},
		"counted":      {websocket.MessageText, `{"jsonrpc":"2.0","method":"$/ack","params":[0,9]}`, "4501 the peers have counted differently: frame 1 is numbered 9"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 2, nil, services()...)
				token := c.all[0].raw(t, nil).openSession()
				p := c.all[1].raw(t, nil)
				p.ask(resumeRequest(token, 1))
				p.send(test.typ, test.frame)
				if test.want == "" {
					if got := strings.Join(p.receiveAll(), "\n"); strings.Count(got, "-32601") != 2 {
						t.Errorf("answered with %s", got)
					}
					return
				}
				if got := p.closeStatus(); got != test.want {
					t.Errorf("closed with %s, want %s", got, test.want)
				}
				time.Sleep(2 * time.Second)
				if n := c.all[0].sessions(); n != 0 {
					t.Errorf("the owner has %d sessions", n)
				}
			})
		})
	}
}

// The last of several sockets has the session, whatever nodes they lead to.
func TestTakeoverThroughNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 3, nil, services()...)
		last := c.all[0].raw(t, nil)
		token := last.openSession()
		for attempt, i := range []int{1, 2, 1, 0, 2} {
			next := c.all[i].raw(t, nil)
			if got := next.ask(resumeRequest(token, attempt+1)); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,"result":{"received":`) {
				t.Fatalf("socket %d: %s", attempt, got)
			}
			if err := last.ended(); websocket.CloseStatus(err) != -1 {
				t.Errorf("the socket before, want a cut: %v", err)
			}
			last = next
		}
		if got := last.ask(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`); !strings.Contains(got, `"result":3`) {
			t.Errorf("over the last: %s", got)
		}
	})
}

// Messages of any size that the owner allows cross a pipe, and so do streams that are
// left.
func TestLargeMessagesOverAPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, nil, services()...)
		subject := NewSubjectClient(forwarded(t, c, nil))
		text := strings.Repeat("x", 900_000)
		if got, err := subject.Say(t.Context(), text); got != text || err != nil {
			t.Errorf("a large message: %v", err)
		}
		if got, err := subject.Big(t.Context(), 1_000_000); len(got) != 1_000_000 || err != nil {
			t.Errorf("a large result: %v", err)
		}
		blobs, err := subject.Blobs(t.Context(), 1000, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for blob, err := range blobs {
			if len(blob) != 100_000 || err != nil {
				t.Fatalf("an item: %d bytes, %v", len(blob), err)
			}
			break
		}
		if err := subject.Nothing(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A forwarded client that is idle stays, for as long as it answers pings.
func TestIdleForwardedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, nil, services()...)
		conn := forwarded(t, c, nil)
		time.Sleep(time.Hour)
		if st := conn.State(); st.Phase != rpc.Connected || c.all[1].front.Stats().Conns != 1 || c.all[0].back.Stats().Conns != 1 {
			t.Errorf("after an hour: %+v, %+v", st, c.all[1].front.Stats())
		}
	})
}

// One that answers none is cut off by the node that was asked, and waits at the owner.
func TestSilentForwardedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, nil, services()...)
		token := c.all[0].raw(t, nil).openSession()
		p := c.all[1].connect(t, nil) // which reads nothing, and so sends no pongs
		p.send(websocket.MessageText, resumeRequest(token, 1))
		synctest.Wait()
		if n := c.all[0].back.Stats().Conns; n != 1 {
			t.Fatalf("there are %d links", n)
		}
		time.Sleep(81 * time.Second)
		if n := c.cutLinks(); n != 0 {
			t.Errorf("there are %d links to the owner of a silent client's session", n)
		}
		go p.read()
		if err := p.ended(); websocket.CloseStatus(err) != -1 {
			t.Errorf("the client, want a cut: %v", err)
		}
		if n := c.all[0].sessions(); n != 1 {
			t.Errorf("the owner has %d sessions", n)
		}
	})
}
