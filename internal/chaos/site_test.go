package chaos

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// nodes is how many nodes a site has.
const nodes = 3

// grace is how long nodes may take to shut down.
const grace = time.Minute

// name returns the name of a node.
func name(i int) string { return fmt.Sprint("n", i) }

// Options configure a site.
type options struct {
	links    func(n int) rpctest.Plan // the faults of connections from nodes to NATS
	clients  func(n int) rpctest.Plan // those of connections from clients
	ownDoors bool                     // each node has a proxy of its own, to which clients are redirected
	within   bool                     // nodes are in the process of the test, and are not killed
	lease    time.Duration            // of nodes
	stores   int                      // NATS servers, of which each stores everything; 0 is 1
}

// A site is nodes and a NATS server as processes, with a proxy in front of the nodes and one
// in front of NATS for each node.
type site struct {
	*options
	t         *testing.T
	balancer  *proxy
	doors     []*proxy      // of one node each, if they have some
	proxies   [nodes]*proxy // to NATS
	nats      []*natsServer
	processes [nodes]*process
	inside    [nodes]*node          // if they are within
	starting  [nodes]sync.WaitGroup // until they are ready or have ended

	mu    sync.Mutex
	addrs [nodes]string
}

// newSite starts a site.
func newSite(t *testing.T, opts *options) *site {
	t.Helper()
	s := &site{options: opts, t: t, balancer: newProxy(t, nodes, &rpctest.Network{Plan: opts.clients})}
	t.Cleanup(s.awaitNodes)
	s.nats = startServers(t, max(opts.stores, 1))
	for i := range nodes {
		s.proxies[i] = newProxy(t, len(s.nats), &rpctest.Network{Plan: opts.links})
		for j, nats := range s.nats {
			s.proxies[i].set(j, nats.addr)
		}
		if opts.ownDoors {
			s.doors = append(s.doors, newProxy(t, 1, &rpctest.Network{Plan: opts.clients}))
		}
	}
	for i := range nodes {
		s.startNode(i)
	}
	s.awaitNodes()
	return s
}

// startNode starts a node, to which the balancer sends clients when it is ready.
func (s *site) startNode(i int) {
	s.t.Helper()
	conf := &config{name: name(i), nats: "nats://" + s.proxies[i].addr, stores: len(s.nats), lease: cmp.Or(s.lease, lease)}
	if s.ownDoors {
		conf.url = "ws://" + s.doors[i].addr
	}
	if s.within {
		n, err := newNode(s.t.Context(), conf)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(n.kill)
		s.inside[i] = n
		s.set(i, n.addr)
		return
	}
	p := start(s.t, "node", conf.env()...)
	s.processes[i] = p
	s.starting[i].Go(func() {
		if addr, err := p.ready(); err == nil {
			s.set(i, addr)
		}
	})
}

// set sets the address of a node, or says that it is not there.
func (s *site) set(i int, addr string) {
	s.mu.Lock()
	s.addrs[i] = addr
	s.mu.Unlock()
	s.balancer.set(i, addr)
	if s.ownDoors {
		s.doors[i].set(0, addr)
	}
}

// addr returns the address of a node that is there.
func (s *site) addr(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs[i]
}

// broken returns how often connections of clients were broken.
func (s *site) broken() (n int) {
	for _, p := range append([]*proxy{s.balancer}, s.doors...) {
		stats := p.network.Stats()
		n += stats.Cuts + stats.HalfCloses + stats.Hangups
	}
	return n
}

// cutClients cuts the connections of all clients.
func (s *site) cutClients() {
	for _, p := range append([]*proxy{s.balancer}, s.doors...) {
		p.network.Cut()
	}
}

// cutLink cuts the connection of a node to NATS, and waits until it connects again.
func (s *site) cutLink(i int) {
	s.t.Helper()
	link := s.proxies[i].network
	before := link.Stats().Conns
	link.Cut()
	for late := time.Now().Add(patience); link.Stats().Conns == before; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			s.t.Fatal("a node does not connect to NATS again")
		}
	}
}

// reports returns what has run on the nodes that are there.
func (s *site) reports() (all []Report) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, addr := range s.addrs {
		report, err := NewBoardClient(dialGuest(s.t, addr)).Report(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, report)
	}
	return all
}

// awaitNodes waits until all nodes are ready that have been started.
func (s *site) awaitNodes() {
	for i := range nodes {
		s.starting[i].Wait()
	}
}

// killNode kills the process of a node.
func (s *site) killNode(i int) {
	s.processes[i].kill()
	s.starting[i].Wait() // or the balancer could get the address of a node that is gone
	s.set(i, "")
}

// replace shuts a node down and starts another in its place. The balancer goes on to send
// clients to the first while it shuts down.
func (s *site) replace(i int) {
	s.t.Helper()
	s.starting[i].Wait() // it could not be asked before
	var err error
	if s.within {
		err = s.inside[i].shutdown(grace)
	} else {
		err = s.processes[i].terminate()
	}
	if err != nil {
		s.t.Errorf("node %d was shut down: %v", i, err)
	}
	s.set(i, "")
	s.startNode(i)
	s.awaitNodes()
}

// connect connects to NATS without a proxy.
func (s *site) connect() *nats.Conn {
	s.t.Helper()
	var urls []string
	for _, nats := range s.nats {
		urls = append(urls, "nats://"+nats.addr)
	}
	nc, err := nats.Connect(strings.Join(urls, ","), natsOptions...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// bus returns the bus that the nodes have.
func (s *site) bus() topic.Bus {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	bus, err := newBus(ctx, s.connect(), len(s.nats))
	if err != nil {
		s.t.Fatal(err)
	}
	return bus
}
