package rpctest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// A Network connects clients to servers, and lets go wrong what its Plan says.
// Listen and Dial are in memory; Listener and Dialer put the same faults around
// real sockets. The zero Network is in good order.
//
// Its methods may be used by any number of goroutines at once. In a bubble of
// testing/synctest it must have been made there.
type Network struct {
	// Plan says what befalls connection n, counted from 0; nil is nothing. It
	// may be the method Plan of a Faults.
	Plan func(n int) Plan

	// Buffer is how many bytes each direction of a connection holds that were
	// written and not read. The default is 64 KiB.
	Buffer int

	mu       sync.Mutex // guards all that belongs to the network
	next     int        // the number of the next connection
	open     map[*link]struct{}
	stats    Stats
	listener *listener
}

// Stats are what has happened in a network.
type Stats struct {
	Conns      int // connections, without those refused
	Refused    int // by their plan
	Cuts       int // connections cut, by Cut or their plan
	Hangups    int
	HalfCloses int
	Stalls     int
	Up, Down   int // bytes that have arrived, read or not
}

// Stats returns what has happened by now.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Cut cuts every connection that is open, and returns how many there were.
func (n *Network) Cut() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	cut := len(n.open)
	for l := range n.open {
		l.end(syscall.ECONNRESET)
	}
	n.stats.Cuts += cut
	return cut
}

// Listen opens the network's listener in memory, for http.Server.Serve or
// rpc.Server.Serve. There is one at a time, so that a server can be restarted:
// Listen panics while another is open.
func (n *Network) Listen() net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener != nil {
		panic("rpctest: the network's listener is open already")
	}
	n.listener = &listener{net: n, cond: sync.Cond{L: &n.mu}}
	return n.listener
}

// Dial connects to the network's listener, whatever the network and the address
// are. It never waits: the listener accepts later.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, dialError(network, addr, context.Cause(ctx))
	}
	n.mu.Lock()
	ln := n.listener
	n.mu.Unlock()
	if ln == nil {
		return nil, dialError(network, addr, syscall.ECONNREFUSED)
	}
	number, plan := n.number()
	if plan.Refuse {
		return nil, dialError(network, addr, syscall.ECONNREFUSED)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if ln.closed {
		return nil, dialError(network, addr, syscall.ECONNREFUSED)
	}
	client, server := n.link(plan, address("client:"+strconv.Itoa(number)), listening)
	ln.queue = append(ln.queue, server)
	ln.cond.Signal()
	return client, nil
}

// number begins a connection: it returns its number and its plan.
func (n *Network) number() (int, Plan) {
	n.mu.Lock()
	number := n.next
	n.next++
	n.mu.Unlock()
	var plan Plan
	if n.Plan != nil {
		plan = n.Plan(number)
	}
	if plan.Refuse {
		n.mu.Lock()
		n.stats.Refused++
		n.mu.Unlock()
	}
	return number, plan
}

func dialError(network, addr string, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: address(addr), Err: err}
}

// An address is host:port, since some take that for granted.
type address string

// listening is the address of every listener in memory.
const listening address = "server:80"

func (address) Network() string  { return "rpctest" }
func (a address) String() string { return string(a) }

// A listener is a Network's.
type listener struct {
	net    *Network
	cond   sync.Cond
	queue  []*conn // not accepted yet
	closed bool
}

func (ln *listener) Addr() net.Addr { return listening }

func (ln *listener) Accept() (net.Conn, error) {
	ln.net.mu.Lock()
	defer ln.net.mu.Unlock()
	for len(ln.queue) == 0 && !ln.closed {
		ln.cond.Wait()
	}
	if ln.closed {
		return nil, &net.OpError{Op: "accept", Net: listening.Network(), Addr: listening, Err: net.ErrClosed}
	}
	c := ln.queue[0]
	ln.queue = ln.queue[1:]
	return c, nil
}

// Close resets the connections that nobody has accepted, as a system does.
func (ln *listener) Close() error {
	ln.net.mu.Lock()
	defer ln.net.mu.Unlock()
	if ln.closed {
		return nil
	}
	ln.closed, ln.net.listener = true, nil
	for _, c := range ln.queue {
		c.link.end(syscall.ECONNRESET)
	}
	ln.queue = nil
	ln.cond.Broadcast()
	return nil
}
