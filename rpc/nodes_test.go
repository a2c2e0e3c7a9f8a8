package rpc_test

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
