package topic_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// An event goes to more connections than one goroutine pushes to, and to each stream once.
func TestFedOverManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &topic.Memory{})
		var all []func() string
		for range 150 {
			client, _ := p.dial(t)
			for range 2 {
				events, err := client.All(t.Context(), "t", "")
				all = append(all, listen(t, events, err))
			}
		}
		synctest.Wait()
		for _, v := range []string{"a", "b", "c"} {
			p.topic("t").Publish(t.Context(), v)
			synctest.Wait()
		}
		for i, got := range all {
			if got() != "a b c" {
				t.Errorf("subscription %d has got %q", i, got())
			}
		}
		if producers() != 0 || topic.Held() != 0 {
			t.Errorf("%d goroutines for 300 subscriptions; a hub holds %d sessions", producers(), topic.Held())
		}
		p.close(t)
	})
}

// A Fragile panics when it is encoded as often as it says.
type Fragile struct {
	Text  string
	Times *atomic.Int32
}

// MarshalJSON implements json.Marshaler.
func (f Fragile) MarshalJSON() ([]byte, error) {
	if f.Times != nil && f.Times.Add(-1) == 0 {
		panic("broken")
	}
	return json.Marshal(f.Text)
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Fragile) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &f.Text) }

func (n news) Fragile(ctx context.Context) (iter.Seq2[topic.Event[Fragile], error], error) {
	return topic.New[Fragile](n.bus, "fragile").Subscribe(ctx, ""), nil
}

// A panic of an event's own encoding when it is pushed has each stream encode it, as an
// error does: what panics again ends that stream alone.
func TestFedEventThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &topic.Memory{})
		var mu sync.Mutex
		var got []string
		for range 3 {
			client, _ := p.dial(t)
			events, err := client.Fragile(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for e, err := range events {
					mu.Lock()
					got = append(got, fmt.Sprint(e.Value.Text, err))
					mu.Unlock()
				}
			}()
		}
		synctest.Wait()
		times := new(atomic.Int32)
		times.Store(2) // the publisher encodes it once, and then the pusher
		to := topic.New[Fragile](p.bus, "fragile")
		if _, err := to.Publish(t.Context(), Fragile{"a", times}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if want := "a<nil> a<nil> a<nil>"; strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := producers(); n != 0 {
			t.Errorf("%d goroutines are left", n)
		}
		p.close(t)
	})
}

// Over sockets, which the pusher writes to itself, a connection that reads nothing holds up
// no other. When it reads, it has everything too.
func TestFedOverSockets(t *testing.T) {
	const conns, events = 40, 30
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := rpc.NewServer(nil)
	service := news{&topic.Memory{}}
	srv.Register(NewsService(service))
	web := &http.Server{Handler: srv}
	go web.Serve(smallBuffers{ln})
	defer func() {
		web.Close()
		srv.Close()
		for topic.Hubs() > 0 {
			runtime.Gosched()
		}
	}()

	var arrived, caughtUp sync.WaitGroup
	subscribe := func(client *NewsClient, arrived *sync.WaitGroup) {
		subscribed, err := client.All(t.Context(), "t", "")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			i := 0
			for e, err := range subscribed {
				if want := fmt.Sprint(i, strings.Repeat("x", 900)); err != nil || e.Value != want {
					t.Errorf("%.10q, %v in place of event %d", e.Value, err, i)
				}
				arrived.Done()
				if i++; i == events {
					return
				}
			}
		}()
	}
	for range conns {
		client := dialSocket(t, ln.Addr().String(), nil)
		subscribe(client, &arrived)
		subscribe(client, &arrived)
	}
	read := make(chan struct{})
	stuck := dialSocket(t, ln.Addr().String(), read)
	caughtUp.Add(20 * events)
	for range 20 {
		subscribe(stuck, &caughtUp)
	}
	for i := range events {
		arrived.Add(2 * conns)
		if _, err := service.topic("t").Publish(t.Context(), fmt.Sprint(i, strings.Repeat("x", 900))); err != nil {
			t.Fatal(err)
		}
		arrived.Wait() // while one connection reads nothing
	}
	close(read)
	caughtUp.Wait()
}

// smallBuffers is a listener whose sockets accept little that is not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return c, c.(*net.TCPConn).SetWriteBuffer(64 << 10)
}

// dialSocket connects a client over TCP. If read is not nil, it reads nothing, from the
// answers to its calls on, before read is closed.
func dialSocket(t *testing.T, addr string, read <-chan struct{}) *NewsClient {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), "ws://"+addr, &rpc.DialOptions{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil || read == nil {
			return c, err
		}
		return &stuckConn{Conn: c, read: read}, c.(*net.TCPConn).SetReadBuffer(16 << 10)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewNewsClient(conn)
}

// A stuckConn reads little until read is closed.
type stuckConn struct {
	net.Conn
	read <-chan struct{}
	got  int
}

func (c *stuckConn) Read(b []byte) (int, error) {
	if c.got > 8<<10 {
		<-c.read
	}
	n, err := c.Conn.Read(b)
	c.got += n
	return n, err
}
