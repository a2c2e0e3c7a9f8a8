package cluster_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/internal/bustest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// start starts a NATS server with what a folder keeps, and returns what stops it.
func start(t *testing.T, folder string, port int) (s *server.Server, stop func()) {
	t.Helper()
	return startWith(t, options(folder, port))
}

func options(folder string, port int) *server.Options {
	return &server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, NoSigs: true, NoLog: true}
}

func startWith(t *testing.T, opts *server.Options) (s *server.Server, stop func()) {
	t.Helper()
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s, func() {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// connectTo connects to a server until the test ends.
func connectTo(t *testing.T, s *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func classes() map[string]topic.Retention {
	all := map[string]topic.Retention{"few": {Events: bustest.Kept}}
	for _, name := range []string{"empty", "history", "together", "once", "condition", "counter", "places", "latest", "rewind", "names", "leaving"} {
		all[name] = topic.Retention{Events: 5000}
	}
	return all
}

func TestBus(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus, err := cluster.NewBus(t.Context(), connectTo(t, s), &cluster.BusOptions{Classes: classes(), Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Run(t, bus)
}

// The server of NATS is restarted again and again while one node publishes and others
// read. Each event is stored once, and read once and in order.
func TestServerRestarts(t *testing.T) {
	const events, nodes = 200, 3
	folder := t.TempDir()
	s, stop := start(t, folder, server.RANDOM_PORT)
	port := s.Addr().(*net.TCPAddr).Port
	var all sync.WaitGroup
	for range nodes {
		bus, err := cluster.NewBus(t.Context(), connectTo(t, s), &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {Events: 1000}}})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			n := 0
			for e, err := range topic.New[int](bus, "t").Subscribe(t.Context(), "") {
				if err != nil || e.Value != n {
					t.Errorf("event %d, %v in place of %d", e.Value, err, n)
					return
				}
				if n++; n == events {
					return
				}
			}
		})
	}
	bus, err := cluster.NewBus(t.Context(), connectTo(t, s), &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {Events: 1000}}})
	if err != nil {
		t.Fatal(err)
	}
	to, again := topic.New[int](bus, "t"), 0
	for i := range events {
		if i%50 == 25 {
			stop()
			_, stop = start(t, folder, port)
		}
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			_, err := to.PublishOnce(ctx, fmt.Sprint(i), i)
			cancel()
			if err == nil {
				break
			}
			again++
		}
	}
	all.Wait()
	stop()
	t.Logf("%d events were published again", again)
}

func TestBusOptions(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	nc := connectTo(t, s)
	if _, err := cluster.NewBus(t.Context(), nc, nil); err == nil || !strings.Contains(err.Error(), "has no class") {
		t.Errorf("no options: %v", err)
	}
	for _, class := range []string{"a b", "a.b", "", "a*", "Zoë"} {
		_, err := cluster.NewBus(t.Context(), nc, &cluster.BusOptions{Classes: map[string]topic.Retention{class: {}}})
		if err == nil || !strings.Contains(err.Error(), strconv.Quote(class)) || !strings.Contains(err.Error(), "must be of A-Za-z0-9_-") {
			t.Errorf("class %q: %v", class, err)
		}
	}
	bus, err := cluster.NewBus(t.Context(), nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"a": {}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topic.New[int](bus, "b.c").Publish(t.Context(), 1); err == nil || !strings.Contains(err.Error(), `no class "b"`) {
		t.Errorf("another class: %v", err)
	}
}
