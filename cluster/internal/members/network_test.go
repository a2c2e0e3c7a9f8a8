package members_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/cluster/internal/members"
)

const lease = 15 * time.Second

// A network carries notices between nodes in one order, as a server of NATS does.
type network struct {
	queue chan delivery

	mu      sync.Mutex
	nodes   []*node
	inboxes map[string]chan []byte
	away    bool     // nothing gets through
	toAll   [][]byte // what has been sent to all
}

type delivery struct {
	from   *node
	to     string // an incarnation that has asked; "" for all, "?" for all who receive questions
	notice []byte
}

// A node is a process with its view of the others.
type node struct {
	*members.Members
	net  *network
	name string
	log  syncBuffer
	kill context.CancelFunc
	done chan error // has what Run returned

	cut    bool // nothing gets through to it or from it
	deaf   bool // nothing gets through to it
	paused bool // what gets through to it, and what it sends, waits
	later  []delivery
	asked  bool // it receives questions
}

// start starts a network until the test ends.
func start(t *testing.T) *network {
	net := &network{queue: make(chan delivery, 10_000), inboxes: map[string]chan []byte{}}
	go func() {
		for {
			select {
			case d := <-net.queue:
				net.deliver(d)
			case <-t.Context().Done():
				return
			}
		}
	}()
	return net
}

func (net *network) deliver(d delivery) {
	for _, to := range net.receivers(d) {
		to.Receive(d.notice)
	}
}

// receivers returns who gets a message now.
func (net *network) receivers(d delivery) (all []*node) {
	net.mu.Lock()
	defer net.mu.Unlock()
	switch {
	case net.away || d.from.cut:
		return nil
	case d.from.paused:
		d.from.later = append(d.from.later, d)
		return nil
	case d.to != "" && d.to != "?":
		net.inboxes[d.to] <- d.notice
		return nil
	case d.to == "":
		net.toAll = append(net.toAll, d.notice)
	}
	for _, n := range net.nodes {
		if !n.cut && !n.deaf && (d.to == "" || n.asked) {
			all = append(all, n)
		}
	}
	return all
}

// set changes what the network carries.
func (net *network) set(change func()) {
	net.mu.Lock()
	defer net.mu.Unlock()
	change()
}

// add adds a node that has not joined.
func (net *network) add(name, secret string) *node {
	n := &node{net: net, name: name, done: make(chan error, 1)}
	n.Members = members.New(members.Options{
		Name: name, URL: "wss://" + name + ".example", Lease: lease, Key: []byte(secret), Ask: n.ask,
		Log: slog.New(slog.NewTextHandler(&n.log, nil)),
		Send: func(to string, notice []byte) error {
			net.queue <- delivery{from: n, to: to, notice: notice}
			return nil
		},
	})
	net.set(func() { net.nodes = append(net.nodes, n) })
	return n
}

// ask is the Ask of a node.
func (n *node) ask(ctx context.Context, from string, notice []byte, f func([]byte) bool) error {
	answers, alone := make(chan []byte, 1000), true
	n.net.set(func() {
		n.net.inboxes[from] = answers
		for _, o := range n.net.nodes {
			alone = alone && !o.asked
		}
	})
	n.net.queue <- delivery{from: n, to: "?", notice: notice}
	for !alone {
		select {
		case a := <-answers:
			if f(a) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// join claims the node's name and runs it until the test ends or the node is killed.
func (n *node) join(t *testing.T) error {
	if err := n.Claim(t.Context()); err != nil {
		return err
	}
	n.run(t)
	return nil
}

func (n *node) run(t *testing.T) {
	ctx, kill := context.WithCancel(t.Context())
	n.kill = kill
	go func() {
		defer kill()
		n.done <- n.Run(ctx)
	}()
	for range n.Watch(ctx) {
		if _, ok := n.Node(n.name); ok {
			break
		}
	}
	n.net.set(func() { n.asked = true })
	n.Renew()
}

// die ends a node without a notice.
func (n *node) die() {
	n.kill()
	n.net.set(func() { n.cut, n.asked = true, false })
}

// join3 starts three nodes that see each other.
func join3(t *testing.T, net *network) (a, b, c *node) {
	t.Helper()
	a, b, c = net.add("a", "secret"), net.add("b", "secret"), net.add("c", "secret")
	for _, n := range []*node{a, b, c} {
		if err := n.join(t); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return a, b, c
}

// A syncBuffer may be written and read at the same time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
