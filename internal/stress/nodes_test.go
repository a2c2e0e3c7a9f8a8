package stress

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A member is a node of a cluster. It implements relay.Nodes.
type member struct {
	name string
	all  map[string]net.Addr // of the listeners for links, by name
	ln   net.Listener        // for links
	dial dialFunc            // makes them
	wg   sync.WaitGroup      // of what serves them
}

func (m *member) Name() string      { return m.name }
func (m *member) URL(string) string { return "" }

func (m *member) Dial(ctx context.Context, node string) (net.Conn, error) {
	addr, ok := m.all[node]
	if !ok {
		return nil, relay.ErrGone
	}
	return m.dial(ctx, "tcp", addr.String())
}

func (m *member) Serve(f func(net.Conn)) {
	m.wg.Go(func() {
		for {
			link, err := m.ln.Accept()
			if err != nil {
				return
			}
			m.wg.Go(func() { f(link) })
		}
	})
}

// Where each socket leads to the next of three nodes, and sockets and links between the
// nodes are cut, reset and stalled, all is done once.
func TestOnceOverNodes(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		before := runtime.NumGoroutine()
		limits := rpc.Limits{IdleTimeout: 5 * time.Second}
		b := &breaker{}
		f := rpctest.Faults{Seed: 7, Cut: 0.5, Hangup: 0.2, HalfClose: 0.2, Stall: 0.1, Within: 100_000, StallFor: 50 * time.Millisecond, Latency: time.Millisecond}
		between := &rpctest.Network{Plan: f.Plan}
		l := newLasting()
		var addrs []string
		var first *rpc.Server
		stop := func() {}
		links := make(map[string]net.Addr)
		for i := range 3 {
			m := &member{name: fmt.Sprintf("n%d", i), all: links, ln: listenLoopback(t), dial: between.Dialer(new(net.Dialer).DialContext)}
			links[m.name] = m.ln.Addr()
			srv := l.server(&rpc.SessionOptions{Nodes: m}, limits)
			ln := listenLoopback(t)
			addrs = append(addrs, ln.Addr().String())
			if first == nil {
				first = srv
			}
			others, served := stop, serve(srv, tr, ln)
			stop = func() {
				others()
				m.ln.Close()
				served()
				m.wg.Wait()
			}
		}
		var next atomic.Int64
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return b.dial(ctx, network, addrs[int(next.Add(1)-1)%len(addrs)])
		}
		l.connect(t, tr, addrs[0], dial, limits, first, stop)
		halt := keepCutting(b.cut, 50*time.Millisecond)
		broken := func() int { s := between.Stats(); return s.Cuts + s.Hangups + s.HalfCloses }
		l.together(t, 3, 16, func() bool {
			return l.done() > scale(500, 200) && b.count() > scale(10, 100) && broken() > scale(3, 30)
		})
		halt()
		stats := between.Stats()
		l.settle(t)
		t.Logf("%d cuts, links %+v, %v", b.count(), stats, l)
		noneLeft(t, before)
	})
}
