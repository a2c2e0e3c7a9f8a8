package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc/presence"
	"github.com/wirecall/wirecall/rpc/topic"
)

// startNATS starts a server of NATS on a port, or on any, until the test ends.
func startNATS(t testing.TB, port int, change ...func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true}
	for _, f := range change {
		f(opts)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	runNATS(t, s)
	return s
}

// runNATS runs a server until the test ends.
func runNATS(t testing.TB, s *server.Server) {
	t.Helper()
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready")
	}
	t.Cleanup(func() { stopNATS(s) })
}

func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// connectNATS connects to a server until the test ends.
func connectNATS(t testing.TB, s *server.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), append(opts, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

var testSecret = []byte(strings.Repeat("s", 32))

// joinNode joins on a connection of its own, until the test ends.
func joinNode(t testing.TB, s *server.Server, opts NodeOptions) *Node {
	t.Helper()
	n, err := tryJoin(t, connectNATS(t, s), opts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tryJoin(t testing.TB, nc *nats.Conn, opts NodeOptions) (*Node, error) {
	t.Helper()
	if opts.Secret == nil {
		opts.Secret = testSecret
	}
	n, err := Join(t.Context(), nc, &opts)
	if err == nil {
		t.Cleanup(n.Close)
	}
	return n, err
}

// A testLog passes on what is logged.
type testLog struct{ lines chan string }

func newTestLog() *testLog { return &testLog{make(chan string, 10_000)} }

func (l *testLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *testLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *testLog) WithGroup(string) slog.Handler            { return l }
func (l *testLog) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.lines <- line
	return nil
}

// wait waits for a line that contains a text.
func (l *testLog) wait(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-l.lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-t.Context().Done():
			t.Fatalf("nothing was logged with %q", text)
		}
	}
}

// waitFor waits until a node sees another, or no longer.
func waitFor(t testing.TB, n *Node, name string, here bool) {
	t.Helper()
	for range n.watchNodes(t.Context()) {
		if n.alive(name) == here {
			return
		}
	}
	t.Fatalf("%s did not see %s", n.Name(), name)
}

func TestJoin(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{Name: "a", URL: "wss://a.example/rpc"})
	b := joinNode(t, s, NodeOptions{Name: "b"})
	if !b.alive("a") || !b.alive("b") {
		t.Errorf("b sees %v when it has joined", b.Nodes())
	}
	waitFor(t, a, "b", true)
	if got := a.Nodes(); len(got) != 2 || got[0] != (NodeInfo{"a", "wss://a.example/rpc"}) || got[1] != (NodeInfo{Name: "b"}) {
		t.Errorf("a sees %v", got)
	}
	if _, err := tryJoin(t, connectNATS(t, s), NodeOptions{Name: "b"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("another b: %v", err)
	}
	for c := range a.watchNodes(t.Context()) {
		if c.Name == "b" && c.Here {
			go b.Close()
		}
		if c.Name == "b" && !c.Here {
			break
		}
	}
	<-b.Done()
	if a.alive("b") || !errors.Is(b.Err(), ErrNodeClosed) || a.Err() != nil {
		t.Errorf("b is closed: alive %v, its error %v, that of a %v", a.alive("b"), b.Err(), a.Err())
	}
	joinNode(t, s, NodeOptions{Name: "b"})
	waitFor(t, a, "b", true)
}

// A node with another secret than those that are there does not join.
func TestJoinWithOtherSecret(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{Name: "a"})
	other := []byte(strings.Repeat("o", 32))
	_, err := tryJoin(t, connectNATS(t, s), NodeOptions{Name: "b", Secret: other, LeaseTime: time.Second})
	if err == nil || !strings.Contains(err.Error(), `another NodeOptions.Secret`) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("a node with another secret: %v", err)
	}
	if a.alive("b") {
		t.Error("a sees it")
	}
	joinNode(t, s, NodeOptions{Name: "b"})
}

// While NATS cannot be reached, Join returns when its context ends, and says so.
func TestJoinWithoutNATS(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	nc := connectNATS(t, s)
	broken := nc.StatusChanged(nats.RECONNECTING)
	stopNATS(s)
	<-broken
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the user has gone")
	cancel(cause)
	_, err := Join(ctx, nc, &NodeOptions{Secret: testSecret})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "NATS cannot be reached") {
		t.Errorf("without NATS: %v", err)
	}
}

// A process that has crashed can join again at once, since NATS knows that it is gone.
func TestJoinAfterCrash(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{Name: "a"})
	nc := connectNATS(t, s)
	b, err := Join(t.Context(), nc, &NodeOptions{Name: "b", Secret: testSecret, LeaseTime: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, a, "b", true)
	nc.Close()
	<-b.Done()
	if !errors.Is(b.Err(), nats.ErrConnectionClosed) {
		t.Errorf("the error of a node without a connection: %v", b.Err())
	}
	joinNode(t, s, NodeOptions{Name: "b", LeaseTime: 300 * time.Millisecond})
	b.Close()
}

// The server of NATS is stopped for longer than a lease, and started again: nobody has left.
func TestJoinOverRestart(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	const lease = 600 * time.Millisecond
	log := newTestLog()
	a := joinNode(t, s, NodeOptions{Name: "a", LeaseTime: lease, Logger: slog.New(log)})
	joinNode(t, s, NodeOptions{Name: "b", LeaseTime: lease})
	waitFor(t, a, "b", true)
	port := s.Addr().(*net.TCPAddr).Port
	var changes []nodeChange
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan bool)
	go func() {
		defer close(watched)
		for c := range a.watchNodes(ctx) {
			changes = append(changes, c)
		}
	}()
	stopNATS(s)
	log.wait(t, "stands still")
	s = startNATS(t, port)
	c := joinNode(t, s, NodeOptions{Name: "c", LeaseTime: lease})
	for _, name := range []string{"a", "b"} {
		waitFor(t, c, name, true)
	}
	waitFor(t, a, "c", true)
	cancel()
	<-watched
	for _, c := range changes {
		if !c.Here {
			t.Errorf("a restart of NATS is seen as %v", changes)
		}
	}
}

func TestNodeOptions(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	nc := connectNATS(t, s)
	for want, opts := range map[string]NodeOptions{
		"at least 32 bytes":      {Secret: make([]byte, 31)},
		"must have 1 to 64":      {Name: "a.b"},
		"is no URL of a WebSock": {URL: "https://example.com"},
		"is less than 100ms":     {LeaseTime: time.Millisecond},
	} {
		if _, err := tryJoin(t, nc, opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v in place of %s", err, want)
		}
	}
	if _, err := Join(t.Context(), nc, nil); err == nil {
		t.Error("a node without options has joined")
	}
	if _, err := tryJoin(t, connectNATS(t, s, nats.NoEcho()), NodeOptions{}); err == nil || !strings.Contains(err.Error(), "NoEcho") {
		t.Errorf("without echo: %v", err)
	}
	n, err := tryJoin(t, nc, NodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Name()) != 26 {
		t.Errorf("a random name is %q", n.Name())
	}
}

// The permissions that SECURITY.md states are enough for nodes, topics and presence, and keep
// others out.
func TestNodePermissions(t *testing.T) {
	own := []string{"wc.node.>", "wc.link.>"}
	publish, subscribe := append(own, "wc.t.>", "wc.entry.>", "$JS.API.>"), append(own, "wc.l.>", "wc.live.>", "_INBOX.>")
	s := startNATS(t, server.RANDOM_PORT, func(o *server.Options) {
		o.JetStream, o.StoreDir = true, t.TempDir()
		o.Users = []*server.User{
			{Username: "node", Password: "n", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe}}},
			{Username: "other", Password: "o", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: own}, Subscribe: &server.SubjectPermission{Deny: own}}},
		}
	})
	join := func(name string) *Node {
		n, err := tryJoin(t, connectNATS(t, s, nats.UserInfo("node", "n")), NodeOptions{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	a, b := join("a"), join("b")
	waitFor(t, a, "b", true)
	b.handle("echo", echo)
	exchange(t, mustDial(t, a, "b", "echo"), 1000)

	bus, err := NewBus(t.Context(), a.nc, &BusOptions{Classes: map[string]topic.Retention{"room": {}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topic.New[int](bus, "room.1").Publish(t.Context(), 7); err != nil {
		t.Error(err)
	}
	for e, err := range topic.New[int](bus, "room.1").Subscribe(t.Context(), "") {
		if e.Value != 7 || err != nil {
			t.Errorf("the event is %v, %v", e, err)
		}
		break
	}
	if _, err := presence.New[int](a.Presence(), "room").Enter(t.Context(), "ann", 1); err != nil {
		t.Error(err)
	}
	for c, err := range presence.New[int](b.Presence(), "room").Watch(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		if len(c.Here) == 1 || err != nil {
			break
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Join(ctx, connectNATS(t, s, nats.UserInfo("other", "o")), &NodeOptions{Name: "c", Secret: testSecret}); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ermissions") || a.alive("c") {
		t.Errorf("a client of NATS that must not has joined: %v", err)
	}
}
