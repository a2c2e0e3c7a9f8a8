package cluster_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc/topic"
)

// servers starts a cluster of three servers of NATS.
func servers(t *testing.T) []*server.Server {
	t.Helper()
	var routes []string
	var ports []int
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		routes = append(routes, "nats://"+l.Addr().String())
		l.Close()
	}
	var all []*server.Server
	for i, port := range ports {
		opts := options(t.TempDir(), server.RANDOM_PORT)
		opts.ServerName = fmt.Sprint("s", i)
		opts.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port}
		opts.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		s, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// run starts servers until the test ends.
func run(t *testing.T, all []*server.Server) {
	t.Helper()
	for _, s := range all {
		go s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
	}
	for _, s := range all {
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("a server is not ready")
		}
	}
}

// replicated returns a bus on a cluster, when it has a leader.
func replicated(t *testing.T, all []*server.Server) (topic.Bus, *nats.Conn) {
	t.Helper()
	var urls []string
	for _, s := range all {
		urls = append(urls, s.ClientURL())
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		bus, err := cluster.NewFaultyBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {Events: 1000}}, Replicas: 3}, time.Second, nil)
		cancel()
		if err == nil {
			return bus, nc
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// The server that leads a replicated stream is killed. Each event that was acknowledged is
// read once and in order, and conditions hold.
func TestLeaderIsKilled(t *testing.T) {
	const events, readers = 60, 3
	all := servers(t)
	run(t, all)
	bus, nc := replicated(t, all)
	to := topic.New[int](bus, "t.a")
	last := publish(t, to, 0)
	if _, err := to.PublishAfter(t.Context(), "", 0); err == nil || !strings.Contains(err.Error(), "another last event") {
		t.Errorf("published to a topic that is not empty: %v", err)
	}
	if _, err := to.PublishAfter(t.Context(), last, 1); err != nil {
		t.Error(err)
	}
	var reading sync.WaitGroup
	for range readers {
		other, _ := replicated(t, all)
		reading.Go(func() {
			n := 0
			for e, err := range topic.New[int](other, "t.a").Subscribe(t.Context(), "") {
				if err != nil || e.Value != n {
					t.Errorf("event %v, %v in place of %d", e.Value, err, n)
					return
				}
				if n++; n == events {
					return
				}
			}
		})
	}
	for i := 2; i < events; i++ {
		if i == events/2 {
			kill(t, all, nc)
		}
		once(t, to, i)
	}
	reading.Wait()
}

// kill ends the server that leads the stream.
func kill(t *testing.T, all []*server.Server, nc *nats.Conn) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "WC_T_t")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name() == stream.CachedInfo().Cluster.Leader {
			s.Shutdown()
			return
		}
	}
	t.Fatalf("no server is %q", stream.CachedInfo().Cluster.Leader)
}

// once publishes an event until it is stored.
func once(t *testing.T, to *topic.Topic[int], v int) {
	t.Helper()
	for t.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := to.PublishOnce(ctx, fmt.Sprint(v), v)
		cancel()
		if err == nil {
			return
		}
		t.Logf("event %d: %v", v, err)
	}
}
