package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster/internal/nodelink"
	"github.com/wirecall/wirecall/cluster/internal/seldom"
	"github.com/wirecall/wirecall/internal/relay"
)

const (
	// maxOpening is how many links of others a node authenticates at once, each for a
	// third of a lease at most.
	maxOpening = 256

	maxLinkMessage = 32 << 10 // less if NATS carries less
)

// links are the links of a node. They share one subscription: links are opened, and their
// messages arrive, in the order in which they were sent.
type links struct {
	node     *Node
	identity *nodelink.Identity
	warn     seldom.Seldom // about strangers
	patience time.Duration

	mu       sync.Mutex
	open     map[string]*endpoint // by id
	services map[string]func(net.Conn)
	opening  int  // links of others that are not authenticated yet
	closed   bool // the node has left
}

// An endpoint is this node's end of a link.
type endpoint struct {
	*nodelink.Conn
	id   string // that of the link and the letter of the end
	node string // the other one
}

const (
	dialing, accepting = "d", "a" // the letters of the ends
	openToken          = "open"   // stands in place of an id where an opening is sent
)

// An opening asks a node for a link. Messages of the link follow it at once.
type opening struct {
	Link    string `json:"link"` // its id
	From    string `json:"from"` // the node that asks
	Service string `json:"service"`
}

// A linkAddr is the address of an end of a link.
type linkAddr struct{ node, service string }

func (a linkAddr) Network() string { return "nats" }
func (a linkAddr) String() string  { return a.node + "/" + a.service }

// startLinks subscribes to what others send to this node.
func (n *Node) startLinks() error {
	seed, err := n.opts.key("links")
	if err != nil {
		return err
	}
	identity, err := nodelink.NewIdentity(seed)
	if err != nil {
		return err
	}
	n.links = &links{node: n, identity: identity, warn: seldom.Seldom{Every: 10 * time.Second}, patience: patience, open: map[string]*endpoint{}, services: map[string]func(net.Conn){}}
	n.running.Go(n.links.breakGone)
	return n.subscribe(n.subject("link", n.opts.Name, "*"), n.links.receive)
}

// dial opens a link to a service of a node. If the node neither holds its lease nor can be
// reached, the error wraps relay.ErrGone. One that was taken for gone, and is there, can be.
// A node that holds its lease is tried again until ctx ends, or until there has been no
// connection of it to NATS for some seconds: then it is gone, for all nodes.
func (n *Node) dial(ctx context.Context, node, service string) (net.Conn, error) {
	c, err := n.links.dial(ctx, node, service)
	if err != nil {
		return nil, fmt.Errorf("cluster: link to node %s for %s: %w", node, service, err)
	}
	return c, nil
}

// handle sets the function that is called, on a goroutine of its own, for each link to a
// service of this node. It owns the link and closes it.
func (n *Node) handle(service string, f func(net.Conn)) {
	n.links.mu.Lock()
	defer n.links.mu.Unlock()
	n.links.services[service] = f
}

func (l *links) dial(ctx context.Context, node, service string) (net.Conn, error) {
	if !relay.ValidName(node) {
		return nil, relay.ErrGone
	}
	var absent absence
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := l.tryDial(ctx, node, service)
		if err == nil || final(err) {
			return c, err
		}
		m, alive := l.node.members.Node(node)
		if alive && absent.longer(l.patience, err, m.Incarnation) {
			l.node.members.Expel(node, m.Incarnation)
			alive = false
		}
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w; the last attempt: %w", context.Cause(ctx), err)
		case !alive:
			return nil, relay.ErrGone
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// patience is for how long a node may have no connection to NATS until it is taken for
// gone, if somebody dials it. By default nats.go connects again after two seconds.
const patience = 4 * time.Second

// An absence is a time for which an incarnation of a node had no connection to NATS.
type absence struct {
	incarnation string
	since       time.Time
}

// longer reports whether the absence is longer than a time, after an attempt to dial.
func (a *absence) longer(than time.Duration, err error, incarnation string) bool {
	if !errors.Is(err, errUnheard) {
		*a = absence{}
		return false
	}
	if a.incarnation != incarnation {
		*a = absence{incarnation, time.Now()}
	}
	return time.Since(a.since) > than
}

// final reports whether it is useless to dial again.
func final(err error) bool {
	for _, e := range []error{nodelink.ErrNoService, nodelink.ErrStranger, errTooMany, errNotHere} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

var (
	errTooMany = errors.New("this node has NodeOptions.MaxLinks links")
	errNotHere = errors.New("this node has left the cluster")
	errUnheard = errors.New("NATS does not carry messages to it")
)

// tryDial opens a link once.
func (l *links) tryDial(ctx context.Context, node, service string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.node.opts.LeaseTime/3)
	defer cancel()
	o := opening{Link: rand.Text(), From: l.node.Name(), Service: service}
	e, err := l.add(o.Link, dialing, node, service)
	if err != nil {
		return nil, err
	}
	if err := l.ask(e, o); err != nil {
		e.Break(err)
		return nil, err
	}
	c, err := l.identity.Client(ctx, e, serviceName(node, service))
	if broken := e.Err(); err != nil && broken != nil {
		err = broken
	}
	l.logStranger(err, node, service)
	return c, err
}

// serviceName is what the dialing end of a link asks for, so that a link cannot be turned
// to another node or service.
func serviceName(node, service string) string { return service + "." + node }

// ask sends an opening.
func (l *links) ask(e *endpoint, o opening) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return l.node.nc.PublishRequest(l.node.subject("link", e.node, openToken), l.subject(e), data)
}

// subject returns the subject of what the other end sends.
func (l *links) subject(e *endpoint) string { return l.node.subject("link", l.node.Name(), e.id) }

// add adds an end of a link.
func (l *links) add(id, end, node, service string) (*endpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &endpoint{id: id + end, node: node}
	switch {
	case l.closed:
		return nil, errNotHere
	case len(l.open) >= l.node.opts.MaxLinks || l.open[e.id] != nil:
		return nil, errTooMany
	}
	other := map[string]string{dialing: accepting, accepting: dialing}[end]
	e.Conn = nodelink.New(nodelink.Options{
		Send:       l.sender(l.node.subject("link", node, id+other), l.subject(e)),
		Ended:      func() { l.remove(e.id) },
		Local:      linkAddr{l.node.Name(), service},
		Remote:     linkAddr{node, service},
		MaxMessage: min(maxLinkMessage, int(l.node.nc.MaxPayload())),
		Beat:       l.node.opts.LeaseTime / 6,
	})
	l.open[e.id] = e
	return e, nil
}

// sender returns what sends the messages of a link. They have the end's own subject as
// their reply, so that NATS says there if nobody receives them.
func (l *links) sender(to, own string) func([]byte) error {
	return func(message []byte) error {
		if nodelink.Last(message) {
			return l.node.nc.Publish(to, message)
		}
		return l.node.nc.PublishRequest(to, own, message)
	}
}

func (l *links) remove(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, id)
}

// receive takes a message to this node.
func (l *links) receive(m *nats.Msg) {
	id := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	if id == openToken {
		l.accept(m.Data)
		return
	}
	l.mu.Lock()
	e := l.open[id]
	l.mu.Unlock()
	switch {
	case e != nil && noResponders(m):
		e.Break(errUnheard)
	case e != nil:
		e.Receive(m.Data)
	case strings.HasPrefix(m.Reply, l.node.subject("link", "")) && !nodelink.Last(m.Data): // nothing else is sent to, whatever it says
		l.node.nc.Publish(m.Reply, nodelink.Reset(nil))
	}
}

// noResponders reports whether a message is from the server of NATS, that nobody receives
// what was sent with its subject as the reply.
func noResponders(m *nats.Msg) bool {
	return len(m.Data) == 0 && m.Header.Get("Status") == "503"
}

// accept takes an opening.
func (l *links) accept(data []byte) {
	var o opening
	if json.Unmarshal(data, &o) != nil || !relay.ValidName(o.Link) || !relay.ValidName(o.From) {
		return
	}
	if err := l.begin(o); err != nil {
		l.node.nc.Publish(l.node.subject("link", o.From, o.Link+dialing), nodelink.Reset(err))
	}
}

// begin adds the accepting end of a link and authenticates the other.
func (l *links) begin(o opening) error {
	l.mu.Lock()
	f := l.services[o.Service]
	full := l.opening >= maxOpening
	l.mu.Unlock()
	switch {
	case f == nil:
		return nodelink.ErrNoService
	case full:
		return nodelink.ErrBusy
	}
	e, err := l.add(o.Link, accepting, o.From, o.Service)
	if err != nil {
		return nodelink.ErrBusy
	}
	l.countOpening(1)
	go l.serve(e, o.Service, f)
	return nil
}

func (l *links) countOpening(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opening += n
}

// serve authenticates the other end of a link and passes it to the service.
func (l *links) serve(e *endpoint, service string, f func(net.Conn)) {
	ctx, cancel := context.WithTimeout(l.node.ctx, l.node.opts.LeaseTime/3)
	c, err := l.identity.Server(ctx, e, serviceName(l.node.Name(), service))
	cancel()
	l.countOpening(-1)
	if err != nil {
		l.logStranger(err, e.node, service)
		return
	}
	f(c)
}

// logStranger logs that an end of a link has another secret.
func (l *links) logStranger(err error, node, service string) {
	if !errors.Is(err, nodelink.ErrStranger) {
		return
	}
	l.warn.Do(func() {
		l.node.opts.Logger.Warn("cluster: refused a link whose ends have different secrets: give all nodes the same NodeOptions.Secret", "node", node, "service", service)
	})
}

// breakGone breaks the links to nodes that leave.
func (l *links) breakGone() {
	for c := range l.node.watchNodes(l.node.ctx) {
		if !c.Here {
			l.breakAll(c.Name, relay.ErrGone)
		}
	}
}

// breakAll breaks the links to a node, or to all if it is "".
func (l *links) breakAll(node string, err error) {
	var all []*endpoint
	l.mu.Lock()
	for _, e := range l.open {
		if node == "" || e.node == node {
			all = append(all, e)
		}
	}
	l.mu.Unlock()
	for _, e := range all {
		e.Break(err)
	}
}

// close breaks all links, and lets none begin.
func (l *links) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.breakAll("", errNotHere)
}
