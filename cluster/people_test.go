package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/racing"
	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A place is a node with a server, whose clients bind themselves.
type place struct {
	*Node
	nc     *nats.Conn
	server *rpc.Server
	url    string
}

func newPlace(t *testing.T, s *server.Server, opts NodeOptions) *place {
	t.Helper()
	p := &place{nc: connectNATS(t, s)}
	n, err := tryJoin(t, p.nc, opts)
	if err != nil {
		t.Fatal(err)
	}
	p.Node = n
	p.server = rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{}})
	p.server.Register(rpc.Service{Methods: []*rpc.Method{{
		Name: "Bind",
		New:  func() (any, any) { return new([]string), nil },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			for _, name := range *c.Params.(*[]string) {
				if err := n.Bind(ctx, name); err != nil {
					return err
				}
			}
			return nil
		},
	}}})
	ts := httptest.NewServer(p.server)
	t.Cleanup(ts.Close)
	t.Cleanup(func() { p.server.Close() })
	p.url = ts.URL
	return p
}

// client connects a client that serves Toolbox, and binds it to names.
func (p *place) client(t *testing.T, opts rpc.DialOptions, tools *tools, names ...string) *rpc.Conn {
	t.Helper()
	opts.Services = []rpc.Service{toolbox.ToolboxService(tools)}
	conn, err := rpc.Dial(t.Context(), p.url, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Bind"}, Params: names}); err != nil {
		t.Fatal(err)
	}
	return conn
}

func (p *place) call(name string) *toolbox.ToolboxClient {
	return toolbox.NewToolboxClient(p.Peer(name))
}

// who checks which client a name reaches.
func (p *place) who(t *testing.T, name, want string) {
	t.Helper()
	if got, err := p.call(name).Who(t.Context()); got != want || err != nil {
		t.Errorf("%.40q is %.40q, %v; want %.40q", name, got, err, want)
	}
}

func (p *place) nobody(t *testing.T, name string) {
	t.Helper()
	if err := p.call(name).Erase(t.Context(), ""); rpc.CodeOf(err) != rpc.CodeUnavailable || !rpc.NotRun(err) {
		t.Errorf("%.40q: %v, not run: %t", name, err, rpc.NotRun(err))
	}
}

// tools are what a client serves of Toolbox.
type tools struct {
	toolbox.Toolbox
	who   string
	begun chan struct{} // receives when a Wait has begun
	notes chan string
	ran   atomic.Int64 // calls of Add
}

func newTools(who string) *tools {
	return &tools{who: who, begun: make(chan struct{}, 1), notes: make(chan string, 100)}
}

func (s *tools) Who(context.Context) (string, error) { return s.who, nil }

func (s *tools) Add(_ context.Context, a, b int64) (int64, error) {
	s.ran.Add(1)
	return a + b, nil
}

func (s *tools) Echo(_ context.Context, data []byte, note *string) ([]byte, string, error) {
	return data, *note, nil
}

func (s *tools) Erase(_ context.Context, name string) error { return &toolbox.Refused{Name: name} }

func (s *tools) Note(_ context.Context, text string) error {
	s.notes <- text
	return nil
}

func (s *tools) Count(_ context.Context, after int64) (iter.Seq2[toolbox.Tick, error], error) {
	return func(yield func(toolbox.Tick, error) bool) {
		for after++; yield(toolbox.Tick{N: after}, nil); after++ {
		}
	}, nil
}

func (s *tools) Deal(_ context.Context, n int) (int, iter.Seq2[int, error], iter.Seq2[int, error], error) {
	pile := slices.Collect(func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	})
	return n, rpc.Of(pile...), rpc.Of(pile...), nil
}

func (s *tools) Sum(_ context.Context, numbers iter.Seq2[int64, error]) (sum int64, err error) {
	for n, err := range numbers {
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

func (s *tools) Wait(ctx context.Context) error {
	s.begun <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// Every kind of method reaches a client of another node, in either codec.
func TestPeople(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	here, there := newPlace(t, s, NodeOptions{}), newPlace(t, s, NodeOptions{})
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		t.Run(cd.Name(), func(t *testing.T) {
			name, tools := "user."+cd.Name(), newTools("ann")
			there.client(t, rpc.DialOptions{Codec: cd}, tools, name)
			calls(t, here.call(name))
			streams(t, here.call(name))
			for i := range 50 {
				if err := here.call(name).Note(t.Context(), fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 50 {
				if got := <-tools.notes; got != fmt.Sprint(i) {
					t.Errorf("note %d is %s", i, got)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error)
			go func() { failed <- here.call(name).Wait(ctx) }()
			<-tools.begun
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			there.who(t, name, "ann")
		})
	}
	here.nobody(t, "user")
}

func calls(t *testing.T, c *toolbox.ToolboxClient) {
	t.Helper()
	if sum, err := c.Add(t.Context(), 1<<62, 7); sum != 1<<62+7 || err != nil {
		t.Error(sum, err)
	}
	note, data := "\u2028", bytes.Repeat([]byte{0, ' ', 0xff}, 100<<10)
	if same, noted, err := c.Echo(t.Context(), data, &note); !bytes.Equal(same, data) || noted != note || err != nil {
		t.Error(len(same), noted, err)
	}
	if refused, ok := errors.AsType[*toolbox.Refused](c.Erase(t.Context(), "x")); !ok || refused.Name != "x" {
		t.Error(refused, ok)
	}
}

func streams(t *testing.T, c *toolbox.ToolboxClient) {
	t.Helper()
	ticks, err := c.Count(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for tick, err := range ticks {
		if n++; err != nil || tick.N != n {
			t.Fatal(n, tick, err)
		}
		if n == 1000 {
			break
		}
	}
	dealt, left, right, err := c.Deal(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for _, pile := range []iter.Seq2[int, error]{left, right} {
		both.Go(func() {
			if all, err := rpc.Collect(pile); len(all) != dealt || err != nil {
				t.Errorf("%d of %d: %v", len(all), dealt, err)
			}
		})
	}
	both.Wait()
	if sum, err := c.Sum(t.Context(), rpc.Of(slices.Repeat([]int64{1}, 1000)...)); sum != 1000 || err != nil {
		t.Error(sum, err)
	}
}

// The last of several devices is called, on whatever node it is, and any text is a name,
// which reaches nobody else.
func TestPeopleNames(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	places := []*place{newPlace(t, s, NodeOptions{}), newPlace(t, s, NodeOptions{}), newPlace(t, s, NodeOptions{})}
	names := []string{"user", "user.42", "user.*", "*", ">", "user.>", ".", " ", "a b", "\r\n", "\x00", "%2E", "☺", strings.Repeat("*", 512), strings.Repeat(".", 512)}
	for i, name := range names {
		places[i%3].client(t, rpc.DialOptions{}, newTools(name), name)
	}
	for i, name := range names {
		places[(i+1)%3].who(t, name, name)
		places[i%3].who(t, name, name)
	}
	for _, name := range []string{"user.4", "user.42.", "User", "%00", "?", ">>", "user.*.*", "\xff"} {
		places[0].nobody(t, name)
	}
	second := places[1].client(t, rpc.DialOptions{Codec: cbor.Codec}, newTools("second"), "user.42")
	for _, p := range places {
		p.who(t, "user.42", "second")
		devices, err := p.Peers(t.Context(), "user.42")
		if err != nil || len(devices) != 2 {
			t.Fatal(len(devices), err)
		}
		if who, err := toolbox.NewToolboxClient(devices[1]).Who(t.Context()); who != "user.42" || err != nil {
			t.Error(who, err)
		}
	}
	second.Close()
	for _, p := range places {
		eventually(t, func() bool {
			devices, err := p.Peers(t.Context(), "user.42")
			return err == nil && len(devices) == 1
		})
		p.who(t, "user.42", "user.42")
	}
}

// eventually waits until f returns true. What it waits for comes over NATS, without
// anything else to wait for.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

// Calls to a node that dies end when its lease does, and say that they may have run.
// Later ones find nobody, or the device on another node.
func TestPeopleNodeKilled(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	opts := NodeOptions{LeaseTime: 3 * time.Second}
	here, there, third := newPlace(t, s, opts), newPlace(t, s, opts), newPlace(t, s, opts)
	third.client(t, rpc.DialOptions{}, newTools("old"), "two")
	tools := newTools("new")
	there.client(t, rpc.DialOptions{}, tools, "one", "two")
	here.who(t, "two", "new")
	failed := make(chan error)
	go func() { failed <- here.call("one").Wait(t.Context()) }()
	<-tools.begun
	there.nc.Close() // as NATS sees a killed process
	if err := <-failed; rpc.CodeOf(err) != rpc.CodeUnavailable || rpc.NotRun(err) {
		t.Errorf("%v, not run: %t", err, rpc.NotRun(err))
	}
	here.nobody(t, "one")
	here.who(t, "two", "old")
}

// NATS is killed and comes back, with nothing in its memory: calls in flight and streams
// go on, and all are bound again.
func TestPeopleNATSRestarts(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	port := s.Addr().(*net.TCPAddr).Port
	here, there := newPlace(t, s, NodeOptions{}), newPlace(t, s, NodeOptions{})
	tools := newTools("ann")
	there.client(t, rpc.DialOptions{}, tools, "ann")
	here.client(t, rpc.DialOptions{}, newTools("bob"), "bob")
	ticks, err := here.call("ann").Count(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(ticks)
	defer stop()
	for n := range int64(3000) {
		switch n {
		case 1000:
			stopNATS(s)
			here.who(t, "bob", "bob") // of this node
		case 1001:
			s = startJetStream(t, port)
		}
		if tick, err, _ := next(); err != nil || tick.N != n+1 {
			t.Fatal(n, tick, err)
		}
	}
	eventually(t, func() bool {
		who, err := here.call("ann").Who(t.Context())
		return who == "ann" && err == nil
	})
	there.who(t, "bob", "bob")
}

// Any number of users are called from any node, while their sockets are cut.
func TestPeopleThousand(t *testing.T) {
	n := 1000
	if racing.Detector { // which takes ten times as long
		n = 200
	}
	s := startJetStream(t, server.RANDOM_PORT)
	places := []*place{newPlace(t, s, NodeOptions{}), newPlace(t, s, NodeOptions{}), newPlace(t, s, NodeOptions{})}
	users := make([]*tools, n)
	network, dialer := new(rpctest.Network), new(net.Dialer)
	each := func(f func(i int)) { // with some at once
		var all sync.WaitGroup
		for w := range 16 {
			all.Go(func() {
				for i := w; i < len(users); i += 16 {
					f(i)
				}
			})
		}
		all.Wait()
	}
	each(func(i int) {
		opts := rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 50 * time.Millisecond}}
		if i%10 == 0 { // as many as can all be back soon
			opts.NetDial = network.Dialer(dialer.DialContext)
		}
		users[i] = newTools(fmt.Sprint(i))
		places[i%3].client(t, opts, users[i], fmt.Sprint("user.", i))
	})
	each(func(i int) {
		for _, p := range places {
			if sum, err := p.call(fmt.Sprint("user.", i)).Add(t.Context(), int64(i), 1); sum != int64(i)+1 || err != nil {
				t.Errorf("user %d: %d, %v", i, sum, err)
			}
		}
		if i%100 == 0 {
			network.Cut()
		}
	})
	for i, tools := range users {
		if ran := tools.ran.Load(); ran != 3 {
			t.Errorf("the calls of user %d have run %d times", i, ran)
		}
	}
}
