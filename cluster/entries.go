package cluster

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// entries are what the nodes have under names for as long as they live: who is in a room,
// and where somebody is bound.
//
// They are the messages of one stream in the memory of NATS, one for each device, whose
// subjects begin with kind and name and go on with the incarnation of the node. An entry
// counts while that incarnation is in the cluster, so that entries need no time to live
// and nothing is renewed. Each node has its own entries in its memory, and stores them
// again when the stream has lost them. It says by a mark in the stream that all of them
// are there: without the mark, one that is not there has not left.
type entries struct {
	node  *Node
	js    jetstream.JetStream
	name  string // of the stream
	tasks sync.WaitGroup
	live  chan *nats.Msg // what has been stored under names that are watched
	reads chan struct{}  // has a value for each read under way

	wake chan struct{} // has a value when the writer has something to do

	mu          sync.Mutex
	connection  context.Context // ends when the connection to NATS breaks, and with the node
	disconnect  context.CancelCauseFunc
	closed      error             // why the node has left
	incarnation string            // of this node
	nodes       map[string]string // names of the nodes that are here, by incarnation
	own         map[entryName]*ownName
	dirty       []*ownEntry // to be stored, oldest first
	unreachable bool        // the last attempt to store has failed
	begun       bool        // the mark of this incarnation has been stored
	complete    bool        // it says that all own entries have been
	marked      uint64      // the sequence of the mark
	suspect     bool        // the stream may have lost it
	last        uint64      // the highest order seen
	count       uint64      // of the messages of this node
	turns       uint64      // of put
	watched     map[entryName]*watched
}

// An entryName is what entries are under.
type entryName struct{ kind, name string }

// The kinds of entries, letters.
const (
	kindRoom    = "r"
	kindBinding = "b"
)

// An entry is what a node has under a name by one device.
type entry struct {
	node   string
	device string // of A-Z and 2-7, unique in all nodes
	value  []byte // JSON
	order  uint64 // larger for what was put later
}

// ownName is what this node has under a name.
type ownName struct {
	devices map[string]*ownEntry
	last    uint64 // message.Count of the last message about it
}

// An ownEntry is an entry of this node.
type ownEntry struct {
	in      entryName
	device  string
	value   []byte       // nil if it has been removed
	turn    uint64       // larger for what was put later
	order   uint64       // of the value; 0 until it has been stored
	version int          // of what is to be stored
	queued  bool         // it is among the dirty ones
	sent    bool         // it has been stored, perhaps
	stored  []chan error // of those who wait until the value has been stored
}

// entries returns the entries of the nodes. The first call begins to follow them.
func (n *Node) entries() *entries {
	n.stored.once.Do(func() { n.stored.entries = newEntries(n) })
	return n.stored.entries
}

func newEntries(n *Node) *entries {
	e := &entries{
		node:    n,
		name:    n.opts.Prefix + "_ENTRIES",
		live:    make(chan *nats.Msg, 16<<10),
		reads:   make(chan struct{}, 8),
		wake:    make(chan struct{}, 1),
		nodes:   make(map[string]string),
		own:     make(map[entryName]*ownName),
		watched: make(map[entryName]*watched),
		suspect: true,
	}
	e.connected()
	if e.closed = context.Cause(n.ctx); e.closed != nil {
		return e
	}
	js, err := jetstream.New(n.nc, jetstream.WithPublishAsyncTimeout(storeWithin), jetstream.WithPublishAsyncMaxPending(2*batchSize))
	if err != nil { // of options
		panic(err)
	}
	e.js = js
	for _, o := range n.members.Nodes() {
		e.came(o.Name, o.Incarnation)
	}
	status := n.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	e.tasks.Go(func() { e.follow(status) })
	e.tasks.Go(e.write)
	e.tasks.Go(e.sweep)
	return e
}

// wait waits until nothing of the entries runs, after the node has ended.
func (e *entries) wait() { e.tasks.Wait() }

// put adds an entry of this node, or replaces it. It does not wait. The channel gets nil
// when the entry has been stored, or when it cannot be at present and will be later, or why
// it will not be.
func (e *entries) put(kind, name, device string, value []byte) (stored <-chan error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	done := make(chan error, 1)
	if e.closed != nil {
		done <- e.closed
		return done
	}
	in := entryName{kind, name}
	o := e.ownEntry(in, device)
	e.turns++
	o.value, o.turn, o.order = value, e.turns, 0
	if e.queue(o); e.unreachable {
		done <- nil
	} else {
		o.stored = append(o.stored, done)
	}
	e.show(o)
	return done
}

// remove removes an entry of this node, if there is one. It does not wait. Watches
// yield that when it has been removed from the stream, behind what was stored before: the
// same person may still be here by another node.
func (e *entries) remove(kind, name, device string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	in := entryName{kind, name}
	on := e.own[in]
	if on == nil || on.devices[device] == nil || on.devices[device].value == nil {
		return
	}
	o := on.devices[device]
	o.value = nil
	if e.queue(o); e.unreachable {
		e.show(o)
	}
}

// ownEntry returns the entry of a device, which is made if there is none. The mutex must
// be held.
func (e *entries) ownEntry(in entryName, device string) *ownEntry {
	on := e.own[in]
	if on == nil {
		on = &ownName{devices: make(map[string]*ownEntry)}
		e.own[in] = on
	}
	o := on.devices[device]
	if o == nil {
		o = &ownEntry{in: in, device: device}
		on.devices[device] = o
	}
	return o
}

// forget removes an entry that has been removed from the stream. The mutex must be held.
func (e *entries) forget(o *ownEntry) {
	on := e.own[o.in]
	if delete(on.devices, o.device); len(on.devices) == 0 {
		delete(e.own, o.in)
	}
}

// show shows an own entry to those who watch its name. The mutex must be held.
func (e *entries) show(o *ownEntry) {
	if w := e.watched[o.in]; w != nil {
		w.show(o.device, o.value, o.shownOrder())
	}
}

// shownOrder returns the order by which the entry is shown. What has not been stored will be
// behind all that has been.
func (o *ownEntry) shownOrder() uint64 {
	if o.order == 0 {
		return 1<<63 + o.turn
	}
	return o.order
}

// came adds a node that is in the cluster. If it is another incarnation of this one, all
// that this node has is stored again for it.
func (e *entries) came(name, incarnation string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nodes[incarnation] = name
	if name == e.node.opts.Name && incarnation != e.incarnation {
		e.incarnation = incarnation
		e.restore()
	}
}

// left removes a node that is gone.
func (e *entries) left(incarnation string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.nodes, incarnation)
}

// nodeOf returns the name of the node with an incarnation, if it is in the cluster, and
// whether it is this one.
func (e *entries) nodeOf(incarnation string) (name string, own bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nodes[incarnation], incarnation == e.incarnation
}

// subject returns the subject of an entry. What has been stored is published again with
// live in place of entry.
func (e *entries) subject(in entryName, incarnation, device string) string {
	return e.node.subject("entry", in.tokens(), incarnation, device[:1], device[1:2], device[2:])
}

// tokens returns a name, which may be any text, as tokens of a subject.
func (in entryName) tokens() string {
	return in.kind + "." + strings.ReplaceAll(url.PathEscape(in.name), ".", "%2E")
}

// markSubject returns the subject of the mark of an incarnation, or of all for "*".
func (e *entries) markSubject(incarnation string) string {
	return e.node.subject("entry", "!.!", incarnation, "!")
}

// A message is what is stored of an entry.
type message struct {
	// Count counts the messages of a node, and Before is that of the one before about the
	// same name, so that those who watch it notice that one was lost. Before is 0 if the node
	// had nothing under the name.
	Count  uint64 `json:"n"`
	Before uint64 `json:"b,omitempty"`

	// Order is that of an entry that is stored again. Otherwise it is the sequence of the
	// message, and at least Floor.
	Order uint64 `json:"o,omitempty"`
	Floor uint64 `json:"f,omitempty"`

	Value json.RawMessage `json:"v,omitempty"` // empty if the entry has been removed
}

// A mark says of a node what is stored.
type mark struct {
	Complete bool `json:"complete"` // all its entries are there
}
