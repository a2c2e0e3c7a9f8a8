// Package members keeps the view that a node has of the nodes of its cluster. It needs
// nothing but a way to send messages to all of them.
//
// Each node renews its lease by a notice to all nodes, itself included. Nobody compares
// clocks: a node has left when as many of one's own renewals have come back as its lease
// lasts, and none of its. So the view stands still by itself while messages do not get
// through, and every node has a full lease to renew after that. Who finds that a node has
// left says so to all: they agree, and a node that was away too long learns that it is
// taken for gone, and begins again as another incarnation under its name.
package members

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wirecall/wirecall/cluster/internal/seldom"
)

// Options says who a node is, and how it reaches the others.
type Options struct {
	Name  string
	URL   string        // where clients reach the node; may be empty
	Lease time.Duration // renewed every third of it
	Key   []byte        // authenticates notices; the same on all nodes
	Log   *slog.Logger

	// Send sends a notice to all nodes, or if to is not "" to the incarnation that has
	// asked. All nodes receive what one has sent to all in its order.
	Send func(to string, notice []byte) error

	// Ask sends a notice of an incarnation to all other nodes. It passes the answers to f
	// until f returns true, there is no other node, or ctx ends.
	Ask func(ctx context.Context, from string, notice []byte, f func(answer []byte) bool) error
}

// Members is the view of a node. Its methods may be called by any number of goroutines.
type Members struct {
	opts   Options
	sealer *sealer

	mu      sync.Mutex
	nodes   map[string]*member // by name, with this node while its lease is held
	gone    map[string]int     // incarnations that have left, and for how many renewals they are remembered
	changed chan struct{}      // closed by the next change of nodes

	self    string        // this node's incarnation
	claimed bool          // it may be announced
	number  uint64        // of its last notice
	renewed uint64        // the number of its last renewal
	back    bool          // it has come back
	still   bool          // renewals do not come back, which is logged
	lost    chan struct{} // has room for one: other nodes take this incarnation for gone

	freed      context.CancelFunc // ends Claim's wait for a node of this name that is gone
	stranger   string             // the name in a notice that was refused since Claim began
	refused    bool               // there was such a notice
	showOthers seldom.Seldom

	contested int // for how many renewals it is remembered that another node tried this name

	taken   bool   // another node has this one's name
	rival   string // an incarnation with this one's name that is less, if both have joined
	rivalry int    // renewals of this node since the rival was seen
}

// A member is a node whose lease is held.
type member struct {
	incarnation string
	url         string
	number      uint64 // of its last notice
	lease       time.Duration
	silent      int // own renewals since that notice that have come back
}

var (
	// ErrTaken is the error for a name that another node has.
	ErrTaken = errors.New("another node has this name")

	// ErrSecret is wrapped by the error for a node with another key than those that are there.
	ErrSecret = errors.New("there are nodes with another NodeOptions.Secret, and none with this one: give all nodes the same, and other clusters on this NATS another Prefix")
)

// New returns the view of a node that has not joined. Receive must get all notices to all
// nodes from before Claim, and questions from when the node sees itself, when it calls Renew.
func New(opts Options) *Members {
	return &Members{
		opts:    opts,
		sealer:  newSealer(opts.Key, opts.Log),
		nodes:   make(map[string]*member),
		gone:    make(map[string]int),
		changed: make(chan struct{}),
		self:    rand.Text(),
		lost:    make(chan struct{}, 1),

		showOthers: seldom.Seldom{Every: opts.Lease / 6},
	}
}

// Claim finds out which nodes there are, and that none of them has the name of this one.
// It waits until those answer of which others know, for a third of a lease at most. If a
// node of the same name is among them and does not answer, it waits until that has been
// taken for gone, for a whole lease at most.
func (m *Members) Claim(ctx context.Context) error {
	free, freed := context.WithCancel(ctx)
	defer freed()
	m.mu.Lock()
	m.freed, m.refused = freed, false
	m.mu.Unlock()
	known := map[string]bool{}
	asking, cancel := context.WithTimeout(ctx, m.opts.Lease/3)
	defer cancel()
	if err := m.ask(ctx, asking, known); err != nil {
		return err
	}
	if !known[m.opts.Name] {
		return m.checkSecret(len(known) > 0)
	}
	m.opts.Log.Info("cluster: the other nodes know one of this name that does not answer; this node waits until they take that for gone", "node", m.opts.Name)
	waiting, cancel := context.WithTimeout(free, m.opts.Lease-m.opts.Lease/3)
	defer cancel()
	return m.ask(ctx, waiting, known)
}

// checkSecret returns an error if notices were refused, and no node has answered.
func (m *Members) checkSecret(answered bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused && !answered {
		return fmt.Errorf("%w; one of them is %q", ErrSecret, m.stranger)
	}
	return nil
}

// ask asks all nodes who they are until asking ends, and adds those to known of which they
// know.
func (m *Members) ask(ctx, asking context.Context, known map[string]bool) error {
	m.mu.Lock()
	question := notice{Kind: kindAsk, Name: m.opts.Name, Incarnation: m.self}
	m.mu.Unlock()
	answered := map[string]bool{}
	err := m.opts.Ask(asking, question.Incarnation, m.sealer.seal(question), func(answer []byte) bool {
		n, ok := m.sealer.open(answer)
		if !ok || n.Kind != kindRenew {
			return false
		}
		m.Receive(answer)
		answered[n.Name] = true
		for _, name := range n.Nodes {
			known[name] = true
		}
		return allOf(known, answered)
	})
	switch {
	case m.isTaken():
		return ErrTaken
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && asking.Err() == nil:
		return err
	}
	return nil
}

func allOf(known, answered map[string]bool) bool {
	for name := range known {
		if !answered[name] {
			return false
		}
	}
	return true
}

func (m *Members) isTaken() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

// Run announces the node, whose name is claimed, and renews its lease until ctx ends. It
// returns earlier, with an error, if another node has the name.
func (m *Members) Run(ctx context.Context) error {
	timer := time.NewTimer(m.opts.Lease / 3)
	defer timer.Stop()
	m.announce()
	for {
		select {
		case <-timer.C:
			m.send("", m.count())
			m.Renew()
			timer.Reset(m.opts.Lease / 3) // never earlier, as a ticker after a pause
		case <-m.lost:
			if err := m.begin(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// begin begins another incarnation, after this one was taken for gone or for another.
func (m *Members) begin(ctx context.Context) error {
	if m.isTaken() {
		return ErrTaken
	}
	m.mu.Lock()
	why := "other nodes have taken this one for gone, since it did not renew its lease in time"
	if m.contested > 0 {
		why = "another node has tried to take its name"
	}
	m.contested = 0
	m.mu.Unlock()
	m.opts.Log.Warn("cluster: "+why+"; it joins again", "node", m.opts.Name)
	if err := m.Claim(ctx); errors.Is(err, ErrTaken) {
		return err
	}
	m.announce()
	return nil
}

// announce sends the first renewal of an incarnation whose name is claimed.
func (m *Members) announce() {
	m.mu.Lock()
	m.claimed = !m.taken
	m.mu.Unlock()
	m.Renew()
}

// Renew sends a renewal, earlier than Run does by itself.
func (m *Members) Renew() {
	m.mu.Lock()
	if !m.claimed {
		m.mu.Unlock()
		return
	}
	m.number++
	m.renewed, m.back = m.number, false
	n := m.notice()
	m.mu.Unlock()
	m.send("", []notice{n})
}

// send sends notices.
func (m *Members) send(to string, all []notice) {
	for _, n := range all {
		if err := m.opts.Send(to, m.sealer.seal(n)); err != nil {
			m.opts.Log.Warn("cluster: send a notice to the other nodes", "node", m.opts.Name, "error", err)
		}
	}
}

// notice returns the notice that this node is there.
func (m *Members) notice() notice {
	return notice{Kind: kindRenew, Name: m.opts.Name, Incarnation: m.self, Number: m.number, URL: m.opts.URL, Lease: m.opts.Lease.Milliseconds()}
}

// count is called a third of a lease after each renewal. It counts that for the nodes that
// have been silent since, and returns notices of those that have left. If the renewal has
// not come back, those of others may not have got through either, and each has a full lease
// from now on.
func (m *Members) count() (gone []notice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookAtRival()
	m.contested = max(0, m.contested-1)
	if m.back {
		return m.expire()
	}
	for _, o := range m.nodes {
		o.silent = 0
	}
	if !m.still {
		m.still = true
		m.opts.Log.Warn("cluster: NATS does not carry the renewals of this node's lease; its view of the other nodes stands still", "node", m.opts.Name)
	}
	return nil
}

// Expel says to all nodes that an incarnation of another has left, which this one knows
// from elsewhere.
func (m *Members) Expel(name, incarnation string) {
	m.mu.Lock()
	o := m.nodes[name]
	known := name != m.opts.Name && o != nil && o.incarnation == incarnation
	if known {
		m.takeGone(name, incarnation)
	}
	m.mu.Unlock()
	if known {
		m.send("", []notice{{Kind: kindGone, Name: name, Incarnation: incarnation}})
	}
}

// Leave says to all nodes that this one has left.
func (m *Members) Leave() error {
	m.mu.Lock()
	n := notice{Kind: kindGone, Name: m.opts.Name, Incarnation: m.self}
	delete(m.nodes, m.opts.Name)
	m.notify()
	m.mu.Unlock()
	err := m.opts.Send("", m.sealer.seal(n))
	if err != nil {
		err = fmt.Errorf("cluster: leave: %w", err)
	}
	return err
}
