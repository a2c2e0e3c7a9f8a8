package cluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/doorbell"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/presence"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// connect returns a bus on the servers of NATS at a URL, and what ends its connection.
func connect(ctx context.Context, url string) (topic.Bus, func(), error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, err
	}
	bus, err := cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"trades": {Events: 10_000}}})
	return bus, nc.Close, err
}

// natsIn runs a server of NATS in this process, which stores in a folder, and connects to
// it, until stop is called.
func natsIn(folder string) (nc *nats.Conn, stop func(), err error) {
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: folder, DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, nil, err
	}
	if s.Start(); !s.ReadyForConnections(time.Second) {
		s.Shutdown()
		return nil, nil, errors.New("NATS does not start: may it write to " + folder + "?")
	}
	nc, err = nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1))
	return nc, func() { nc.Close(); s.Shutdown(); s.WaitForShutdown() }, err
}

// What scale.md shows keeps topics in a folder, or says that it cannot.
func TestNATSIn(t *testing.T) {
	folder := t.TempDir()
	for i := range 2 {
		nc, stop, err := natsIn(folder)
		if err != nil {
			t.Fatal(err)
		}
		bus, err := cluster.NewBus(t.Context(), nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"trades": {Events: 10}}})
		if err != nil {
			t.Fatal(err)
		}
		to := topic.New[int](bus, topic.Name("trades", "ACME"))
		if last, _, err := to.Last(t.Context()); last.Value != i || err != nil {
			t.Errorf("the last is %v, %v, want %d", last, err, i)
		}
		if _, err := to.Publish(t.Context(), i+1); err != nil {
			t.Error(err)
		}
		stop()
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := natsIn(file); err == nil {
		t.Error("it stores in a file")
	}
}

// lobbyOf returns the registry of a lobby that is the same in all processes with the same
// secret, on the servers of NATS at a URL, and what leaves it.
func lobbyOf(ctx context.Context, url string, secret []byte) (presence.Registry, func(), error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, err
	}
	node, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Secret: secret})
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return node.Presence(), func() { node.Close(); nc.Close() }, nil
}

// What presence.md shows tells who is here.
func TestLobbyOf(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	var lobbies []presence.Registry
	for range 2 {
		lobby, leave, err := lobbyOf(t.Context(), s.ClientURL(), []byte(strings.Repeat("s", 32)))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		lobbies = append(lobbies, lobby)
	}
	if _, err := presence.New[int](lobbies[0], "chess").Enter(t.Context(), "ann", 7); err != nil {
		t.Fatal(err)
	}
	members, err := presence.New[int](lobbies[1], "chess").Members(t.Context())
	if len(members) != 1 || members[0].Who != "ann" || members[0].Value != 7 || err != nil {
		t.Errorf("in the game are %v, %v", members, err)
	}
}

// serveHouse makes a server on a node of the cluster that has this secret.
func serveHouse(ctx context.Context, nc *nats.Conn, secret []byte) (*rpc.Server, *cluster.Node, error) {
	node, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Secret: secret})
	if err != nil {
		return nil, nil, err
	}
	srv := rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{Nodes: node.Sessions()}})
	srv.Register(doorbell.HouseService(&doorbell.Server{Node: node}))
	return srv, node, nil
}

// bell is a device of a resident.
type bell struct{ heard chan string }

func (b bell) Ring(_ context.Context, visitor string) (bool, error) { return visitor != "wolf", nil }

func (b bell) Hear(_ context.Context, text string) error {
	b.heard <- text
	return nil
}

// What people.md shows rings where the resident is.
func TestServeHouse(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	t.Cleanup(stop)
	at := func(services ...rpc.Service) *doorbell.HouseClient { // a client of a node of its own
		nc, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		srv, node, err := serveHouse(t.Context(), nc, []byte(strings.Repeat("s", 32)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(node.Close)
		return doorbell.NewHouseClient(rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Services: services}))
	}
	phone, laptop := bell{make(chan string, 1)}, bell{make(chan string, 1)}
	visitor := at()
	if err := visitor.MoveIn(t.Context(), "dan"); err != nil { // without a bell
		t.Fatal(err)
	}
	for _, who := range []string{"ann", "dan"} {
		if opens, err := visitor.Visit(t.Context(), who, "bob"); opens || !errors.Is(err, doorbell.ErrNotHome) {
			t.Error(who, opens, err)
		}
	}
	for _, b := range []bell{phone, laptop} {
		if err := at(doorbell.BellService(b)).MoveIn(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
	}
	for who, want := range map[string]bool{"bob": true, "wolf": false} {
		if opens, err := visitor.Visit(t.Context(), "ann", who); opens != want || err != nil {
			t.Error(who, opens, err)
		}
	}
	if n, err := visitor.Shout(t.Context(), "ann", "hello"); n != 2 || err != nil || <-phone.heard != "hello" || <-laptop.heard != "hello" {
		t.Error(n, err)
	}
}

// What people.md shows makes a client stay bound when it gets another session.
func TestStay(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	t.Cleanup(stop)
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	srv, node, err := serveHouse(t.Context(), nc, []byte(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	network := new(rpctest.Network)
	ln := network.Listen()
	go srv.Serve(t.Context(), ln)
	t.Cleanup(func() { ln.Close() })
	conn, err := rpc.Dial(t.Context(), "tcp://house", &rpc.DialOptions{
		NetDial: network.Dial, Services: []rpc.Service{doorbell.BellService(bell{})}, Reconnect: rpc.Reconnect{MaxDelay: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	stayed := make(chan error, 1)
	go func() { stayed <- doorbell.Stay(t.Context(), conn, "ann") }()
	visitor := doorbell.NewHouseClient(srv.Caller(t.Context()))
	for session := range 5 {
		for opens := false; !opens; opens, err = visitor.Visit(t.Context(), "ann", "bob") { // nobody is bound for a moment
			if err != nil && !errors.Is(err, doorbell.ErrNotHome) {
				t.Fatal(session, err)
			}
		}
		network.Cut()
	}
	conn.Close()
	if err := <-stayed; err != rpc.ErrClosed {
		t.Error(err)
	}
}

// What topics.md shows connects.
func TestConnect(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus, end, err := connect(t.Context(), s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	to := topic.New[int](bus, topic.Name("trades", "ACME"))
	if _, err := to.Publish(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if e, _, err := to.Last(t.Context()); e.Value != 7 || err != nil {
		t.Errorf("the last is %v, %v", e, err)
	}
}
