package rpc_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/rpc"
)

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
		&net.UnixAddr{Net: "unix", Name: "/run/a path\nof two lines é"},
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
