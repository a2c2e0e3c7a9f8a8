package people

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A town is a cluster of which the directory and the network are in the test's hands.
type town struct {
	t *testing.T

	mu      sync.Mutex
	nodes   map[string]*node
	entries map[string][]Entry // by name
	fails   error              // what the directory answers
	dials   int
}

// A node is a node of a town, with a server whose clients bind themselves.
type node struct {
	town   *town
	name   string
	people *People
	server *rpc.Server
	links  *rpctest.Network // to it
	conns  *rpctest.Network // of its clients
}

func newTown(t *testing.T, names ...string) *town {
	tn := &town{t: t, nodes: make(map[string]*node), entries: make(map[string][]Entry)}
	for _, name := range names {
		tn.start(name)
	}
	t.Cleanup(func() {
		for _, n := range tn.nodes {
			n.people.Close()
		}
		for _, n := range tn.nodes {
			n.server.Close()
		}
	})
	return tn
}

func (tn *town) start(name string) {
	n := &node{town: tn, name: name, links: new(rpctest.Network), conns: new(rpctest.Network)}
	n.people = New(Options{Node: name, Directory: n, Dial: tn.dial, IdleTime: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	n.server = rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{}, Limits: rpc.Limits{MessageBytes: 32 << 20}})
	n.server.Register(binding(n.people))
	links := n.links.Listen()
	go func() {
		for {
			link, err := links.Accept()
			if err != nil {
				return
			}
			n.people.Serve(link)
		}
	}()
	clients := n.conns.Listen()
	go http.Serve(clients, n.server)
	tn.t.Cleanup(func() {
		links.Close()
		clients.Close()
	})
	tn.nodes[name] = n
}

// dial implements Options.Dial.
func (tn *town) dial(ctx context.Context, name string) (net.Conn, error) {
	tn.mu.Lock()
	tn.dials++
	n := tn.nodes[name]
	tn.mu.Unlock()
	if n == nil {
		return nil, relay.ErrGone
	}
	return n.links.Dial(ctx, "tcp", name)
}

// kill ends a node: its leases are gone at once.
func (tn *town) kill(name string) {
	tn.mu.Lock()
	n := tn.nodes[name]
	delete(tn.nodes, name)
	for of, entries := range tn.entries {
		tn.entries[of] = slices.DeleteFunc(entries, func(e Entry) bool { return e.Node == name })
	}
	tn.mu.Unlock()
	n.links.Cut()
	n.conns.Cut()
	tn.t.Cleanup(func() {
		n.people.Close()
		n.server.Close()
	})
}

// Put implements Directory.
func (n *node) Put(name, device string, value []byte) <-chan error {
	n.town.mu.Lock()
	defer n.town.mu.Unlock()
	stored := make(chan error, 1)
	if stored <- n.town.fails; n.town.fails == nil {
		n.town.entries[name] = append(n.town.entries[name], Entry{n.name, device, value})
	}
	return stored
}

// Remove implements Directory.
func (n *node) Remove(name, device string) {
	n.town.mu.Lock()
	defer n.town.mu.Unlock()
	n.town.entries[name] = slices.DeleteFunc(n.town.entries[name], func(e Entry) bool { return e.Device == device })
}

// List implements Directory.
func (n *node) List(_ context.Context, name string) ([]Entry, error) {
	n.town.mu.Lock()
	defer n.town.mu.Unlock()
	if n.town.fails != nil {
		return nil, n.town.fails
	}
	return slices.Clone(n.town.entries[name]), nil
}

// bound returns how many devices the directory has of a name.
func (tn *town) bound(name string) int {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	return len(tn.entries[name])
}

// fail makes the directory answer with an error, or no longer if it is nil.
func (tn *town) fail(err error) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	tn.fails = err
}

// binding is a service by which clients bind and unbind themselves.
func binding(p *People) rpc.Service {
	method := func(name string, f func(context.Context, string) error) *rpc.Method {
		return &rpc.Method{Name: name, New: func() (any, any) { return new([1]string), nil }, Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			return f(ctx, c.Params.(*[1]string)[0])
		}}
	}
	return rpc.Service{Methods: []*rpc.Method{
		method("Bind", p.Bind),
		method("Unbind", func(ctx context.Context, name string) error {
			p.Unbind(ctx, name)
			return nil
		}),
	}}
}

// A phone is a client that is called. Of what it serves it has what tests need.
type phone struct {
	toolbox.Toolbox
	who   string
	conn  *rpc.Conn
	calls atomic.Int64
	begun chan struct{}
	note  chan string
}

func (p *phone) Who(context.Context) (string, error) {
	p.calls.Add(1)
	return p.who, nil
}

func (p *phone) Echo(_ context.Context, data []byte, note *string) ([]byte, string, error) {
	return data, *note, nil
}

func (p *phone) Note(_ context.Context, text string) error {
	p.note <- text
	return nil
}

func (p *phone) Wait(ctx context.Context) error {
	select {
	case p.begun <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return ctx.Err()
}

func (p *phone) Count(_ context.Context, after int64) (iter.Seq2[toolbox.Tick, error], error) {
	return func(yield func(toolbox.Tick, error) bool) {
		for after++; yield(toolbox.Tick{N: after}, nil); after++ {
		}
	}, nil
}

func (p *phone) Sum(_ context.Context, numbers iter.Seq2[int64, error]) (sum int64, err error) {
	for n, err := range numbers {
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// connect connects a client to a node, and binds it to a name, if that is not empty.
func (tn *town) connect(at, who, name string, opts rpc.DialOptions) *phone {
	tn.t.Helper()
	p := &phone{who: who, begun: make(chan struct{}, 1), note: make(chan string, 99)}
	opts.Services = []rpc.Service{toolbox.ToolboxService(p)}
	opts.NetDial = tn.nodes[at].conns.Dial
	conn, err := rpc.Dial(tn.t.Context(), "ws://"+at, &opts)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.t.Cleanup(func() { conn.Close() })
	if p.conn = conn; name != "" {
		p.do("Bind", name)
	}
	return p
}

func (p *phone) do(method, name string) error {
	return p.conn.Call(context.Background(), &rpc.Call{Method: &rpc.Method{Name: method}, Params: []string{name}})
}

// call returns a client of who is bound to a name, at a node.
func (tn *town) call(at, name string) *toolbox.ToolboxClient {
	return toolbox.NewToolboxClient(tn.nodes[at].people.Peer(name))
}

// reaches checks which client answers for a name.
func (tn *town) reaches(at, name, want string) {
	tn.t.Helper()
	if who, err := tn.call(at, name).Who(tn.t.Context()); who != want || err != nil {
		tn.t.Errorf("%s at %s is %q, %v; want %q", name, at, who, err, want)
	}
}

func (tn *town) nobody(at, name string) {
	tn.t.Helper()
	_, err := tn.call(at, name).Who(tn.t.Context())
	if rpc.CodeOf(err) != rpc.CodeUnavailable || !rpc.NotRun(err) || !strings.Contains(err.Error(), "nobody is bound to") {
		tn.t.Errorf("%s at %s: %v, not run: %t", name, at, err, rpc.NotRun(err))
	}
}

// The last device is called, from any node, and the one before it when that has gone.
func TestPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b", "c")
		everywhere := func(want string) {
			t.Helper()
			for at := range tn.nodes {
				if tn.reaches(at, "ann", want); want == "" {
					tn.nobody(at, "ann")
				}
			}
		}
		tn.nobody("a", "ann")
		first := tn.connect("a", "first", "ann", rpc.DialOptions{})
		everywhere("first")
		second := tn.connect("b", "second", "ann", rpc.DialOptions{Codec: cbor.Codec})
		everywhere("second")
		if err := first.do("Bind", "ann"); err != nil || tn.bound("ann") != 2 {
			t.Errorf("bound again: %v, %d devices", err, tn.bound("ann"))
		}
		everywhere("second")
		second.do("Unbind", "ann")
		everywhere("first")
		second.do("Bind", "ann")
		everywhere("second")
		second.conn.Close()
		synctest.Wait()
		everywhere("first")
		first.conn.Close()
		synctest.Wait()
		if tn.bound("ann") != 0 {
			t.Errorf("%d devices are left", tn.bound("ann"))
		}
		for at := range tn.nodes {
			tn.nobody(at, "ann")
		}
	})
}

// Peers has each device once, the last one first, and each Caller stays with its own.
func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		phones := map[string]*phone{}
		for _, who := range []string{"a1", "b1", "a2", "b2"} {
			phones[who] = tn.connect(who[:1], who, "ann", rpc.DialOptions{})
		}
		callers, err := tn.nodes["a"].people.Peers(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		phones["b1"].conn.Close()
		synctest.Wait()
		var who []string
		for _, c := range callers {
			name, err := toolbox.NewToolboxClient(c).Who(t.Context())
			if who = append(who, name); (err != nil) != (name == "") || err != nil && (!rpc.NotRun(err) || rpc.CodeOf(err) != rpc.CodeUnavailable) {
				t.Errorf("%q, %v", name, err)
			}
		}
		if want := []string{"b2", "a2", "", "a1"}; !slices.Equal(who, want) {
			t.Errorf("%q, want %q", who, want)
		}
		if none, err := tn.nodes["a"].people.Peers(t.Context(), "bob"); len(none) > 0 || err != nil {
			t.Error(none, err)
		}
	})
}

// What a directory still has of a device that has gone does not stop a call.
func TestPeerSkipsTheGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		tn.connect("b", "there", "ann", rpc.DialOptions{})
		tn.entries["ann"] = append(tn.entries["ann"], Entry{"b", "GONE", []byte(`"json"`)}, Entry{"a", "GONE2", []byte(`"json"`)}, Entry{"z", "GONE3", []byte(`"json"`)})
		tn.reaches("a", "ann", "there")
		if sum, err := tn.call("a", "ann").Sum(t.Context(), rpc.Of[int64](1, 2)); rpc.CodeOf(err) != rpc.CodeUnavailable || !rpc.NotRun(err) {
			t.Errorf("a call whose stream has begun: %d, %v", sum, err)
		}
		tn.entries["ann"] = tn.entries["ann"][1:]
		tn.nobody("a", "ann")
		many := tn.entries["ann"]
		for range 100 {
			many = append(many, Entry{"b", rand.Text(), []byte(`"json"`)})
		}
		tn.entries["bob"] = many
		tn.nobody("a", "bob")
	})
}

// A call to a node that is killed ends at once, and says that it may have run; one that
// may run twice is made to the next device. A stream with a cursor continues there.
func TestNodeKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b", "c")
		tn.connect("c", "old", "ann", rpc.DialOptions{})
		phone := tn.connect("b", "new", "ann", rpc.DialOptions{})
		ticks, err := tn.call("a", "ann").Count(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		next, stop := iter.Pull2(ticks)
		defer stop()
		for n := range int64(100) {
			if tick, err, _ := next(); err != nil || tick.N != n+1 {
				t.Fatal(tick, err)
			}
		}
		failed := make(chan error)
		go func() { failed <- tn.call("a", "ann").Wait(t.Context()) }()
		<-phone.begun
		began := time.Now()
		tn.kill("b")
		if err := <-failed; rpc.CodeOf(err) != rpc.CodeUnavailable || rpc.NotRun(err) || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v, not run: %t", time.Since(began), err, rpc.NotRun(err))
		}
		tn.reaches("a", "ann", "old")
		for n := range int64(1000) {
			if tick, err, _ := next(); err != nil || tick.N != n+101 {
				t.Fatal(n, tick, err)
			}
		}
	})
}

// Cuts of links and of clients' sockets are invisible to calls and streams.
func TestCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		phone := tn.connect("b", "there", "ann", rpc.DialOptions{Resume: true})
		ticks, err := tn.call("a", "ann").Count(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		n, calls := int64(0), int64(0)
		for tick, err := range ticks {
			if n++; err != nil || tick.N != n {
				t.Fatal(n, tick, err)
			}
			switch n % 300 {
			case 0:
				tn.nodes["b"].links.Cut()
			case 150:
				tn.nodes["b"].conns.Cut()
			}
			if n%50 == 0 {
				calls++
				tn.reaches("a", "ann", "there")
			}
			if n == 3000 {
				break
			}
		}
		if ran := phone.calls.Load(); ran != calls {
			t.Errorf("%d calls ran %d times", calls, ran)
		}
	})
}

// Calls wait for a client whose session waits for it, and end with their context.
func TestDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		phone := tn.connect("b", "there", "ann", rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MinDelay: 10 * time.Second, MaxDelay: 10 * time.Second}})
		tn.nodes["b"].conns.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := tn.call("a", "ann").Who(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		tn.reaches("a", "ann", "there")
		if st := phone.conn.State(); st.Session != 1 {
			t.Errorf("in session %d", st.Session)
		}
	})
}

// Notifications arrive in order, from any node; to nobody they fail.
func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		phone := tn.connect("b", "there", "ann", rpc.DialOptions{})
		for _, text := range []string{"1", "2", "3"} {
			if err := tn.call("a", "ann").Note(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{"1", "2", "3"} {
			if got := <-phone.note; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if err := tn.call("a", "bob").Note(t.Context(), "x"); !rpc.NotRun(err) {
			t.Errorf("to nobody: %v", err)
		}
	})
}

// links returns how many links a node has open, and how many were dialed in all.
func (tn *town) links(at string) (open, dialed int) {
	ls := tn.nodes[at].people.links
	ls.mu.Lock()
	defer ls.mu.Unlock()
	tn.mu.Lock()
	defer tn.mu.Unlock()
	return len(ls.open), tn.dials
}

// A message may be as large as the client accepts, up to what a link carries.
func TestLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		tn.connect("b", "there", "ann", rpc.DialOptions{Codec: cbor.Codec, Limits: rpc.Limits{MessageBytes: 32 << 20}})
		tn.connect("b", "small", "bob", rpc.DialOptions{Codec: cbor.Codec})
		echo := func(name string, size int) (int, error) {
			same, _, err := tn.call("a", name).Echo(t.Context(), make([]byte, size), new(string))
			return len(same), err
		}
		const fits = 2 << 20
		if n, err := echo("ann", fits); n != fits || err != nil {
			t.Error(n, err)
		}
		for name, size := range map[string]int{"ann": 17 << 20, "bob": 2 << 20} {
			if _, err := echo(name, size); rpc.CodeOf(err) != rpc.CodeTooLarge || !rpc.NotRun(err) {
				t.Errorf("%d bytes to %s: %v, not run: %t", size, name, err, rpc.NotRun(err))
			}
		}
		tn.reaches("a", "bob", "small")
	})
}

// A link is dialed once for all who call at once, closed when it is idle, and dialed
// again.
func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		tn.connect("b", "there", "ann", rpc.DialOptions{})
		ticks, err := tn.call("a", "ann").Count(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { tn.reaches("a", "ann", "there") })
		}
		all.Wait()
		next, stop := iter.Pull2(ticks)
		want := func(open, dialed int) {
			t.Helper()
			if o, d := tn.links("a"); o != open || d != dialed {
				t.Errorf("%d links are open of %d, want %d of %d", o, d, open, dialed)
			}
		}
		time.Sleep(time.Hour) // a stream holds the link
		next()
		want(1, 1)
		stop()
		time.Sleep(3 * time.Minute)
		want(0, 1)
		tn.reaches("a", "ann", "there")
		want(1, 2)
	})
}

// A client that answers nothing is refused more calls, and holds up nobody else.
func TestTooManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a", "b")
		tn.connect("b", "deaf", "ann", rpc.DialOptions{})
		tn.connect("b", "there", "bob", rpc.DialOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, at := range []string{"a", "b"} {
			for range mostCalls / 2 {
				all.Go(func() { tn.call(at, "ann").Wait(ctx) })
			}
		}
		synctest.Wait()
		for at := range tn.nodes {
			if _, err := tn.call(at, "ann").Who(t.Context()); rpc.CodeOf(err) != rpc.CodeLimitReached || !rpc.NotRun(err) {
				t.Errorf("at %s: %v, not run: %t", at, err, rpc.NotRun(err))
			}
			tn.reaches(at, "bob", "there")
		}
		cancel()
		all.Wait()
		tn.reaches("a", "ann", "deaf")
	})
}

// Who cannot be called cannot be bound, and a name has a length.
func TestBindErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTown(t, "a")
		phone := tn.connect("a", "there", "", rpc.DialOptions{})
		plain := tn.connect("a", "plain", "", rpc.DialOptions{Plain: true})
		if err := plain.do("Bind", "ann"); err == nil || !strings.Contains(err.Error(), "rpc.Dial") {
			t.Errorf("it does not say what the client needs: %v", err)
		}
		long := strings.Repeat("x", MaxName+1)
		for got, want := range map[string]rpc.Code{
			"a": rpc.CodeOf(plain.do("Bind", "ann")),
			"b": rpc.CodeOf(tn.nodes["a"].people.Bind(t.Context(), "ann")),
		} {
			if want != rpc.CodeNeedsWirecall {
				t.Error(got, want)
			}
		}
		for _, name := range []string{"", long} {
			_, peers := tn.nodes["a"].people.Peers(t.Context(), name)
			for _, err := range []error{phone.do("Bind", name), tn.call("a", name).Erase(t.Context(), ""), peers} {
				if rpc.CodeOf(err) != rpc.CodeInvalidParams {
					t.Errorf("%d bytes: %v", len(name), err)
				}
			}
		}
		tn.fail(errors.New("away"))
		if err := phone.do("Bind", "ann"); rpc.CodeOf(err) != rpc.CodeUnavailable || !strings.Contains(err.Error(), "away") {
			t.Error(err)
		}
		tn.fail(nil)
		tn.nobody("a", "ann")
		phone.do("Bind", "ann")
		tn.fail(errors.New("away"))
		tn.reaches("a", "ann", "there") // on this node
		var s gen1.Stream
		err := tn.nodes["a"].people.Peer("bob").Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "x"}, Result: &s})
		if !rpc.NotRun(err) || s.Err != err {
			t.Errorf("%v, the stream yields %v", err, s.Err)
		}
	})
}
