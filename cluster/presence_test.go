package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/internal/presencetest"
	"github.com/wirecall/wirecall/rpc/presence"
)

// startJetStream starts a server with JetStream on a port, or on any, until the test ends.
func startJetStream(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	runNATS(t, s)
	return s
}

// restartJetStream starts a server in place of one, without what that had in memory.
func restartJetStream(t *testing.T, s *server.Server) *server.Server {
	t.Helper()
	port := s.Addr().(*net.TCPAddr).Port
	stopNATS(s)
	return startJetStream(t, port)
}

// kill ends what a node sends, as the death of its process would.
func (n *Node) kill() { n.nc.Close() }

func room(n *Node) *presence.Room[int] { return presence.New[int](n.Presence(), "room") }

func incarnationOf(n *Node) string {
	e := n.entries()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.incarnation
}

// waitUntilRemoved waits until the stream has nothing of an incarnation.
func waitUntilRemoved(t *testing.T, n *Node, incarnation string) {
	t.Helper()
	for {
		left, _, err := n.entries().multiLast(t.Context(), n.subject("entry", "*.*", incarnation, ">"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

type set = map[string]int

func TestPresence(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{}), joinNode(t, s, NodeOptions{})
	presencetest.Run(t, 2000, a.Presence(), b.Presence())
}

// Who is here by a node that is killed leaves when its lease has passed, and not before;
// somebody with a device on another node stays. Nothing of it is left in the stream.
func TestPresenceOfKilledNode(t *testing.T) {
	const lease = 3 * time.Second
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{LeaseTime: lease}), joinNode(t, s, NodeOptions{LeaseTime: lease})
	f := presencetest.Follow(t, room(a))
	presencetest.Enter(t, room(a), "ann", 1)
	presencetest.Enter(t, room(b), "ann", 2)
	presencetest.Enter(t, room(b), "bob", 3)
	presencetest.Enter(t, presence.New[int](b.Presence(), "elsewhere"), "bob", 4)
	f.Until(set{"ann": 2, "bob": 3})
	incarnation := incarnationOf(b)
	b.kill()
	f.Until(set{"ann": 1})
	if a.alive(b.Name()) {
		t.Error("they have left while the node holds its lease")
	}
	presencetest.Enter(t, room(a), "carl", 5)
	f.Until(set{"ann": 1, "carl": 5})
	waitUntilRemoved(t, a, incarnation)
}

// Who is here by a node that is closed leaves at once.
func TestPresenceOfClosedNode(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{LeaseTime: time.Hour}), joinNode(t, s, NodeOptions{LeaseTime: time.Hour})
	f, own := presencetest.Follow(t, room(a)), room(b).Watch(t.Context())
	presencetest.Enter(t, room(b), "bob", 1)
	f.Until(set{"bob": 1})
	var last error
	for c, err := range own {
		if last = err; c.All {
			b.Close()
		}
	}
	if !errors.Is(last, ErrNodeClosed) {
		t.Errorf("a watch by the node ended with %v", last)
	}
	f.Until(set{})
	for _, err := range room(b).Watch(t.Context()) {
		if !errors.Is(err, ErrNodeClosed) {
			t.Errorf("watched by a node that is closed: %v", err)
		}
	}
	if _, err := room(b).Enter(t.Context(), "bob", 1); !errors.Is(err, ErrNodeClosed) {
		t.Errorf("entered by a node that is closed: %v", err)
	}
}

// Nobody leaves because NATS has lost what it had in memory, and those who came and left
// meanwhile are told of.
func TestPresenceOverNATS(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{}), joinNode(t, s, NodeOptions{})
	near, far := presencetest.Follow(t, room(a)), presencetest.Follow(t, room(b))
	want := set{}
	for i := range 300 {
		who := fmt.Sprint("somebody ", i)
		presencetest.Enter(t, room([]*Node{a, b}[i%2]), who, i)
		want[who] = i
	}
	leave := presencetest.Enter(t, room(b), "leaving", 1)
	want["leaving"] = 1
	near.Until(want)
	far.Until(want)
	for i := range 3 {
		s = restartJetStream(t, s)
		if i == 0 {
			leave() // not stored before, perhaps
			delete(want, "leaving")
		}
		who := fmt.Sprint("latecomer ", i)
		presencetest.Enter(t, room(b), who, i)
		want[who] = i
		near.Until(want)
		far.Until(want)
		if late := presencetest.Follow(t, room(a)); i > 0 {
			late.Until(want)
		}
	}
	for _, f := range []*presencetest.Follower{near, far} {
		if f.Left != 1 {
			t.Errorf("%d were said to have left, of one", f.Left)
		}
	}
}

// When the connection breaks, a mark may be on its way that arrives in the stream which
// another node has made meanwhile. It does not say what is in that one.
func TestMarkOfAnotherStream(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{LeaseTime: time.Hour}), joinNode(t, s, NodeOptions{LeaseTime: time.Hour})
	f := presencetest.Follow(t, room(a))
	presencetest.Enter(t, room(b), "bob", 1)
	f.Until(set{"bob": 1})
	e := b.entries()
	awaitMark(t, b, mark{Complete: true})
	if err := e.js.DeleteStream(t.Context(), e.name); err != nil {
		t.Fatal(err)
	}
	if err := a.entries().makeStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := false
	if err := e.markOnce(t.Context(), &late, mark{Complete: true}); err == nil || late {
		t.Errorf("that all entries are there was stored in another stream: %v", err)
	}
	if _, err := e.js.Publish(t.Context(), e.markSubject(incarnationOf(b)), []byte(`{"complete":false}`)); err != nil {
		t.Fatal(err)
	}
	a.entries().check()
	e.check()
	presencetest.Enter(t, room(b), "carl", 2)
	f.Until(set{"bob": 1, "carl": 2})
	awaitMark(t, b, mark{Complete: true})
	presencetest.Follow(t, room(a)).Until(set{"bob": 1, "carl": 2})
	members, err := room(a).Members(t.Context())
	if len(members) != 2 || err != nil || f.Left > 0 {
		t.Errorf("the members are %v, %v; %d have left", members, err, f.Left)
	}
}

// awaitMark waits until the stream has a mark of a node.
func awaitMark(t *testing.T, n *Node, want mark) {
	t.Helper()
	for {
		marks, _, err := n.entries().multiLast(t.Context(), n.entries().markSubject(incarnationOf(n)))
		if err != nil {
			t.Fatal(err)
		}
		var m mark
		if len(marks) == 1 && json.Unmarshal(marks[0].Data, &m) == nil && m == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A node that was taken for dead since nothing came from it enters its members again when
// it is back.
func TestPresenceOfPausedNode(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{LeaseTime: time.Second})
	gate := &gate{}
	b, err := tryJoin(t, connectNATS(t, s, nats.SetCustomDialer(gate), nats.PingInterval(time.Hour)), NodeOptions{LeaseTime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f := presencetest.Follow(t, room(a))
	presencetest.Enter(t, room(b), "bob", 1)
	presencetest.Enter(t, room(a), "ann", 2)
	f.Until(set{"ann": 2, "bob": 1})
	for range 2 {
		gate.Lock()
		f.Until(set{"ann": 2})
		gate.Unlock()
		f.Until(set{"ann": 2, "bob": 1})
		presencetest.Follow(t, room(b)).Until(set{"ann": 2, "bob": 1})
	}
}

// What nodes have left that died while no other was there is not shown, and removed.
func TestPresenceOfNodesBefore(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	before := joinNode(t, s, NodeOptions{Name: "n", LeaseTime: 300 * time.Millisecond})
	presencetest.Enter(t, room(before), "bob", 1)
	incarnation := incarnationOf(before)
	before.kill()
	n := joinNode(t, s, NodeOptions{Name: "n", LeaseTime: 300 * time.Millisecond})
	f := presencetest.Follow(t, room(n))
	presencetest.Enter(t, room(n), "ann", 1)
	f.Until(set{"ann": 1})
	waitUntilRemoved(t, n, incarnation)
}

// A change of which the message was lost on its way is noticed by the next one of the same
// node, or when the room is looked at.
func TestPresenceOverLostMessages(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{}), joinNode(t, s, NodeOptions{})
	f := presencetest.Follow(t, room(a))
	leave := presencetest.Enter(t, room(b), "bob", 1)
	presencetest.Enter(t, room(b), "carl", 1)
	f.Until(set{"bob": 1, "carl": 1})
	e := a.entries()
	w := e.watched[entryName{kindRoom, "room"}]
	deaf := func(f func()) {
		w.sub.Unsubscribe()
		f()
		sub, err := a.nc.ChanSubscribe(a.subject("live", w.in.tokens(), ">"), e.live)
		if err != nil {
			t.Fatal(err)
		}
		a.nc.Flush()
		w.sub = sub
	}
	deaf(func() {
		leave()
		presencetest.Enter(t, room(b), "dora", 1)
	})
	presencetest.Enter(t, room(b), "carl", 2)
	f.Until(set{"carl": 2, "dora": 1})
	deaf(func() { presencetest.Enter(t, room(b), "emil", 1) })
	w.look()
	f.Until(set{"carl": 2, "dora": 1, "emil": 1})
}

// Random enters and leaves by three nodes that are killed and replaced, and with a NATS that
// loses its memory. Each watch comes to yield who is here, and never that somebody leaves who
// is not here.
func TestPresenceModel(t *testing.T) {
	const lease = 500 * time.Millisecond
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	s := startJetStream(t, server.RANDOM_PORT)
	nodes := make([]*Node, 3)
	var registries []presence.Registry
	for i := range nodes {
		nodes[i] = joinNode(t, s, NodeOptions{LeaseTime: lease})
		registries = append(registries, nodes[i].Presence())
	}
	m := presencetest.NewModel(t, random, "room", registries...)
	for round := range 8 {
		for range random.IntN(100) {
			m.Step()
		}
		switch i := random.IntN(3); {
		case round%4 == 3:
			s = restartJetStream(t, s)
			m.Apart = true
		case round%4 == 1:
			nodes[i].kill()
			nodes[i] = joinNode(t, s, NodeOptions{LeaseTime: lease})
			m.Replace(i, nodes[i].Presence())
		case round%4 == 2:
			nodes[i].Close()
			nodes[i] = joinNode(t, s, NodeOptions{LeaseTime: lease})
			m.Replace(i, nodes[i].Presence())
		}
		for range random.IntN(100) {
			m.Step()
		}
		m.Wait()
		m.Apart = false
	}
}

// A gate is a dialer whose connections stand still while it is locked.
type gate struct{ sync.RWMutex }

func (g *gate) Dial(network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(context.Background(), network, address)
	return &gated{c, g}, err
}

type gated struct {
	net.Conn
	gate *gate
}

func (c *gated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.RLock()
	defer c.gate.RUnlock()
	return n, err
}

func (c *gated) Write(p []byte) (int, error) {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.Conn.Write(p)
}
