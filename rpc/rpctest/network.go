package rpctest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// A Network connects clients to servers over connections that fail as its Plan says.
// Listen and Dial are in memory; Listener and Dialer put the same faults around real
// sockets. The zero Network has no faults.
//
// Its methods may be called by any number of goroutines at once. If it is used in a
// bubble of testing/synctest, it must have been made there.
type Network struct {
	// Plan returns the plan of connection n, counted from 0. It may be the method Plan of
	// a Faults. If it is nil, no connection has faults.
	Plan func(n int) Plan

	// Buffer is the number of written and unread bytes that each direction of a
	// connection holds. The default is 64 KiB.
	Buffer int

	mu       sync.Mutex // guards the fields below, and all links and listeners
	next     int        // the number of the next connection
	open     map[*link]struct{}
	stats    Stats
	listener *listener
}

// Stats counts the events of a Network.
type Stats struct {
	Conns      int // connections, without the refused ones
	Refused    int // connections that their plan refused
	Cuts       int // connections that Cut or their plan cut
	Hangups    int
	HalfCloses int
	Stalls     int
	Up, Down   int // bytes that have arrived, read or unread
}

// Stats returns the counts so far.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Cut cuts all open connections and returns their number.
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
// rpc.Server.Serve. Only one can be open at a time, so that a server can be restarted:
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

// Dial connects to the network's listener. It ignores the network and the address,
// except in errors. It does not wait for the listener to accept.
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

// number returns the number and the plan of a new connection.
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

// An address has the form host:port, which some users of net.Addr require.
type address string

// listening is the address of every listener in memory.
const listening address = "server:80"

func (address) Network() string  { return "rpctest" }
func (a address) String() string { return string(a) }

// A listener is the listener of a Network in memory.
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

// Close resets the connections that have not been accepted, as an operating system
// does.
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
