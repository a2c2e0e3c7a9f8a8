// Package people calls the clients of all nodes of a cluster by the names that handlers
// have bound to their connections.
//
// A binding is a device: a connection under a name. Its node owns it and serves what other
// nodes call it by. Which devices a name has is in a directory that all nodes share. A
// call to a device of another node crosses a link to that node, in the codec of the
// device, and package passthrough makes it there.
package people

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/passthrough"
	"github.com/wirecall/wirecall/rpc"
)

// A Directory is where the nodes find each other's devices.
type Directory interface {
	// Put adds a device of this node to a name. The channel receives nil when it is
	// stored, or why it cannot be. Neither Put nor Remove blocks.
	Put(name, device string, value []byte) (stored <-chan error)

	// Remove removes it.
	Remove(name, device string)

	// List returns the devices of a name on nodes that are there, in the order in which
	// they were put.
	List(ctx context.Context, name string) ([]Entry, error)
}

// An Entry is a device in a Directory.
type Entry struct {
	Node, Device string
	Value        []byte // JSON: the name of its codec
}

// Options configure People.
type Options struct {
	Node      string // the name of this node
	Directory Directory

	// Dial opens a link to a node, which it passes to Serve. The error wraps
	// relay.ErrGone if there is no such node.
	Dial func(ctx context.Context, node string) (net.Conn, error)

	// IdleTime is after how long without a call or a stream a link is closed.
	IdleTime time.Duration

	Logger *slog.Logger
}

// People are the clients of a cluster as a node of it sees them.
type People struct {
	opts  Options
	links *links
	gate  *gate

	mu      sync.Mutex // the devices of this node, by their ids, names and connections
	devices map[string]*device
	named   map[string][]*device
	bound   map[*rpc.Conn][]*device
}

// New returns the people of a node. Close ends them.
func New(opts Options) *People {
	p := &People{opts: opts, devices: make(map[string]*device), named: make(map[string][]*device), bound: make(map[*rpc.Conn][]*device)}
	p.links = newLinks(&p.opts)
	p.gate = newGate(&p.opts, p.find)
	return p
}

// Close ends all links.
func (p *People) Close() {
	p.links.close()
	p.gate.close()
}

// Serve serves a link that another node has dialed. It owns the link.
func (p *People) Serve(link net.Conn) { p.gate.serve(link) }

// MaxName is the length in bytes of the longest name.
const MaxName = 512

// CheckName returns an error for what cannot be a name.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return rpc.Errorf(rpc.CodeInvalidParams, "cluster: the name of a client must have 1 to %d bytes, not %d", MaxName, len(name))
	}
	return nil
}

// A device is a connection of this node that is bound to a name.
type device struct {
	*rpc.Conn
	name, id string
	stored   chan struct{} // closed when err is set
	err      error         // why it could not be stored
	calls    atomic.Int64  // that wait
}

// mostCalls is how many calls and notifications to one device may wait at once: four
// times as many as its client runs, by default.
const mostCalls = 1024

var errTooManyCalls = contract.NotRun(int(rpc.CodeLimitReached), "cluster: too many calls to the client at once")

// Call implements rpc.Caller. It bounds the calls to one client, so that one that answers
// none cannot hold what the others need.
func (d *device) Call(ctx context.Context, call *rpc.Call) error {
	defer d.calls.Add(-1)
	if d.calls.Add(1) > mostCalls {
		return passthrough.Failed(call, errTooManyCalls)
	}
	return d.Conn.Call(ctx, call)
}

// Bind binds the connection of a handler's context to a name, until it ends or Unbind is
// called.
func (p *People) Bind(ctx context.Context, name string) error {
	conn, ok := rpc.ConnFromContext(ctx)
	if !ok || conn.Plain() {
		return rpc.Errorf(rpc.CodeNeedsWirecall, "cluster: only a client with a wirecall connection, which rpc.Dial makes, can be called, and so be bound: this call is a POST, plain JSON-RPC, or not of a client")
	}
	if err := CheckName(name); err != nil {
		return err
	}
	d := p.add(conn, name)
	select {
	case <-d.stored:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if d.err != nil {
		return rpc.Errorf(rpc.CodeUnavailable, "cluster: bind %q: %w", name, d.err)
	}
	return nil
}

// Unbind ends what Bind has begun.
func (p *People) Unbind(ctx context.Context, name string) {
	if conn, ok := rpc.ConnFromContext(ctx); ok {
		p.remove(func() []*device { return only(p.named[name], conn) })
	}
}

// only returns the device of a connection among those of a name.
func only(devices []*device, conn *rpc.Conn) []*device {
	i := slices.IndexFunc(devices, func(d *device) bool { return d.Conn == conn })
	if i < 0 {
		return nil
	}
	return devices[i : i+1]
}

// add returns the device that a connection is under a name.
func (p *People) add(conn *rpc.Conn, name string) *device {
	p.mu.Lock()
	defer p.mu.Unlock()
	if same := only(p.named[name], conn); same != nil {
		return same[0]
	}
	d := &device{Conn: conn, name: name, id: rand.Text(), stored: make(chan struct{})}
	if p.bound[conn] == nil {
		contract.AfterEnd(conn, func() { p.remove(func() []*device { return p.bound[conn] }) })
	}
	p.devices[d.id] = d
	p.named[name] = append(p.named[name], d)
	p.bound[conn] = append(p.bound[conn], d)
	go p.store(d, p.opts.Directory.Put(name, d.id, []byte(strconv.Quote(conn.Codec().Name()))))
	return d
}

// store waits until a device has been stored.
func (p *People) store(d *device, stored <-chan error) {
	if d.err = <-stored; d.err != nil {
		p.remove(func() []*device { return []*device{d} })
	}
	close(d.stored)
}

// remove removes the devices that which returns, as far as they are there. It calls
// which with the mutex held.
func (p *People) remove(which func() []*device) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range slices.Clone(which()) {
		if p.devices[d.id] == nil {
			continue
		}
		delete(p.devices, d.id)
		drop(p.named, d.name, d)
		drop(p.bound, d.Conn, d)
		p.opts.Directory.Remove(d.name, d.id)
	}
}

// drop removes a device from one of the lists of a map.
func drop[K comparable](lists map[K][]*device, key K, d *device) {
	rest := slices.DeleteFunc(slices.Clone(lists[key]), func(other *device) bool { return other == d })
	if lists[key] = rest; len(rest) == 0 {
		delete(lists, key)
	}
}

// find returns a device of this node. The error says that the call has not run.
func (p *People) find(id string) (*device, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[id]; d != nil {
		return d, nil
	}
	return nil, unavailable(errors.New("the client has gone"))
}

// unavailable returns the error of a call that could not be made.
func unavailable(cause error) error {
	return contract.NotRun(int(rpc.CodeUnavailable), fmt.Sprintf("cluster: %v", cause))
}
