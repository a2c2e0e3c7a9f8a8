package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// nodes is how many nodes a site has.
const nodes = 3

// A site is nodes and a NATS server as processes, with a proxy in front of the nodes and one
// in front of NATS for each node.
type site struct {
	t        *testing.T
	grace    time.Duration // for nodes that are terminated
	balancer *proxy
	links    [nodes]*proxy // to NATS
	folder   string        // of NATS
	port     string        // of NATS
	nats     *process
	nodes    [nodes]*process
	starting sync.WaitGroup // nodes that have not been ready yet
}

// newSite starts a site. Links are the faults of the connections from nodes to NATS.
func newSite(t *testing.T, grace time.Duration, links func(n int) rpctest.Plan) *site {
	t.Helper()
	s := &site{t: t, grace: grace, balancer: newProxy(t, nodes, &rpctest.Network{}), folder: t.TempDir()}
	_, s.port, _ = net.SplitHostPort(freeAddr(t))
	t.Cleanup(s.starting.Wait)
	s.startNATS()
	for i := range s.nodes {
		s.links[i] = newProxy(t, 1, &rpctest.Network{Plan: links})
		s.links[i].set(0, net.JoinHostPort("127.0.0.1", s.port))
		s.startNode(i)
	}
	s.starting.Wait()
	return s
}

// freeAddr returns an address at which nobody listens. It is below the ports that the
// system gives to those who dial.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(10_000))); err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (s *site) startNATS() {
	s.t.Helper()
	s.nats = start(s.t, "nats", natsFolder+"="+s.folder, natsPort+"="+s.port)
}

// startNode starts a node, to which the balancer sends clients when it is ready.
func (s *site) startNode(i int) {
	s.t.Helper()
	p := start(s.t, "node", nodeName+"="+fmt.Sprint("n", i), natsURL+"=nats://"+s.links[i].addr, nodeGrace+"="+s.grace.String())
	s.nodes[i] = p
	s.starting.Go(func() {
		if addr, err := p.addr(); err == nil {
			s.balancer.set(i, addr)
		}
	})
}

// awaitNodes waits until all nodes are ready that have been started.
func (s *site) awaitNodes() { s.starting.Wait() }

func (s *site) killNode(i int) {
	s.nodes[i].kill()
	s.starting.Wait() // or the balancer would get the address behind its back
	s.balancer.set(i, "")
}

func (s *site) restartNATS() {
	s.t.Helper()
	s.nats.kill()
	s.startNATS()
}

// bus returns the bus as somebody has it who reaches NATS at once.
func (s *site) bus() topic.Bus {
	s.t.Helper()
	nc, err := nats.Connect("nats://127.0.0.1:"+s.port, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	bus, err := newBus(ctx, nc)
	if err != nil {
		s.t.Fatal(err)
	}
	return bus
}
