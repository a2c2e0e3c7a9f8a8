package chaos

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A proxy relays each connection to the next of its targets that accepts it, and has the
// faults of a network on the side of those who dial it.
type proxy struct {
	addr    string
	network *rpctest.Network

	mu      sync.Mutex
	targets []string // addresses; an empty one is not there
	next    int
}

// newProxy returns a proxy with so many targets, none of which is there yet.
func newProxy(t *testing.T, targets int, network *rpctest.Network) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), network: network, targets: make([]string, targets)}
	ln = network.Listener(ln)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.relay(from) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		for p.network.Cut() > 0 { // connections may come until the listener is closed
		}
		serving.Wait()
	})
	return p
}

// set sets the address of a target.
func (p *proxy) set(target int, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets[target] = addr
}

// after returns the addresses of the targets, beginning with that whose turn it is.
func (p *proxy) after() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	at := p.next % len(p.targets)
	return append(append([]string{}, p.targets[at:]...), p.targets[:at]...)
}

func (p *proxy) dial() net.Conn {
	for _, addr := range p.after() {
		if addr == "" {
			continue
		}
		if to, err := net.DialTimeout("tcp", addr, 5*time.Second); err == nil {
			return to
		}
	}
	return nil
}

// relay copies both ways until one side ends.
func (p *proxy) relay(from net.Conn) {
	defer from.Close()
	to := p.dial()
	if to == nil {
		return
	}
	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		copying.Go(func() {
			io.Copy(way[0], way[1])
			from.Close()
			to.Close()
		})
	}
	copying.Wait()
}
