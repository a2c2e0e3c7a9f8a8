package members

import (
	"crypto/rand"
	"time"
)

// Receive takes a notice that arrived. Calls for notices to all nodes are made in the order
// in which these arrived.
func (m *Members) Receive(sealed []byte) {
	n, ok := m.sealer.open(sealed)
	if !ok {
		m.takeRefused(n)
		return
	}
	to := ""
	if n.Kind == kindAsk {
		to = n.Incarnation
	}
	m.mu.Lock()
	answer := m.apply(n)
	m.mu.Unlock()
	m.send(to, answer)
}

// takeRefused takes a notice that is not authentic. If it is the question of a node that
// joins, a renewal shows that there are others; it goes to all, since the question does not
// prove from whom it is.
func (m *Members) takeRefused(n notice) {
	m.mu.Lock()
	var all []notice
	switch {
	case n.Kind == kindRenew && m.renewed == 0:
		m.stranger, m.refused = shorten(n.Name), true
	case n.Kind == kindAsk && m.here():
		m.showOthers.Do(func() {
			m.number++
			all = []notice{m.notice()}
		})
	}
	m.mu.Unlock()
	m.send("", all)
}

// apply applies a notice, and returns those that answer it.
func (m *Members) apply(n notice) []notice {
	switch {
	case n.Kind == kindAsk && n.Incarnation != m.self:
		return m.answer()
	case n.Kind == kindGone:
		m.takeGone(n.Name, n.Incarnation)
	case n.Kind == kindRenew && n.Name == m.opts.Name && n.Incarnation == m.self:
		m.takeOwn(n)
	case n.Kind == kindRenew:
		return m.takeRenewal(n)
	}
	return nil
}

// answer returns the answer to a question who is there, if this node is.
func (m *Members) answer() []notice {
	if !m.here() {
		return nil
	}
	m.number++
	n := m.notice()
	for name := range m.nodes {
		n.Nodes = append(n.Nodes, name)
	}
	return []notice{n}
}

// takeRenewal applies a renewal of another node, or of an earlier incarnation of this one.
func (m *Members) takeRenewal(n notice) []notice {
	if _, left := m.gone[n.Incarnation]; left {
		return []notice{{Kind: kindGone, Name: n.Name, Incarnation: n.Incarnation}} // it does not know
	}
	if n.Name == m.opts.Name {
		return m.takeConflict(n)
	}
	o := m.nodes[n.Name]
	switch {
	case o != nil && o.incarnation != n.Incarnation: // it crashed, and is back before its lease has passed
		m.takeGone(n.Name, o.incarnation)
		o = nil
	case o != nil && n.Number <= o.number:
		return nil // repeated, or overtaken by an answer
	}
	if o == nil {
		o = &member{incarnation: n.Incarnation}
		m.nodes[n.Name] = o
		m.notify()
	}
	o.url, o.number, o.lease, o.silent = n.URL, n.Number, time.Duration(n.Lease)*time.Millisecond, 0
	return nil
}

// takeConflict applies a renewal of another node with this one's name, of which the one
// stays whose incarnation is less. But if this one has joined, the other may be one that was
// away: it is given time to learn that it is gone.
func (m *Members) takeConflict(n notice) []notice {
	m.contested = 2
	switch {
	case m.renewed == 0 || !m.here() && m.self > n.Incarnation:
		m.yield()
	case m.self < n.Incarnation:
		m.number++
		return []notice{m.notice()}
	case m.rival != n.Incarnation:
		m.rival, m.rivalry = n.Incarnation, 0
	}
	return nil
}

// lookAtRival is called before each renewal.
func (m *Members) lookAtRival() {
	if m.rival == "" {
		return
	}
	if m.rivalry++; m.rivalry == 2 {
		m.yield()
	}
}

// yield ends the node, since another has its name.
func (m *Members) yield() {
	m.taken = true
	m.lose()
}

// here reports whether this incarnation has joined.
func (m *Members) here() bool {
	o := m.nodes[m.opts.Name]
	return o != nil && o.incarnation == m.self
}

// takeOwn applies a renewal of this node that has come back, if it is the last one.
func (m *Members) takeOwn(n notice) {
	if n.Number != m.renewed {
		return
	}
	m.back = true
	if m.still {
		m.still = false
		m.opts.Log.Info("cluster: NATS carries the renewals of this node's lease again", "node", m.opts.Name)
	}
	if !m.here() {
		m.nodes[m.opts.Name] = &member{incarnation: m.self, url: m.opts.URL}
		m.notify()
	}
}

// remembered is for how many of its own renewals a node knows an incarnation that has left.
const remembered = 300

// expire removes the nodes that have not renewed their leases, and returns what says so.
func (m *Members) expire() (gone []notice) {
	for incarnation, left := range m.gone {
		if m.gone[incarnation] = left - 1; left == 0 {
			delete(m.gone, incarnation)
		}
	}
	for name, o := range m.nodes {
		if name == m.opts.Name {
			continue
		}
		if o.silent++; o.silent >= o.renewals(m.opts.Lease/3) {
			gone = append(gone, notice{Kind: kindGone, Name: name, Incarnation: o.incarnation})
		}
	}
	for _, n := range gone {
		m.takeGone(n.Name, n.Incarnation)
	}
	return gone
}

// renewals returns how many renewals, one every so often, take as long as a member's lease.
func (o *member) renewals(every time.Duration) int {
	return max(2, int((o.lease+every-1)/every))
}

// takeGone applies that a node has left.
func (m *Members) takeGone(name, incarnation string) {
	if name == m.opts.Name && incarnation == m.self {
		m.lose()
		return
	}
	m.gone[incarnation] = remembered
	if name == m.opts.Name && m.freed != nil {
		m.freed()
	}
	if m.rival == incarnation {
		m.rival = ""
	}
	if o := m.nodes[name]; o != nil && o.incarnation == incarnation {
		delete(m.nodes, name)
		m.notify()
	}
}

// lose ends this incarnation. The next one has not joined.
func (m *Members) lose() {
	m.gone[m.self] = remembered
	if m.here() {
		delete(m.nodes, m.opts.Name)
		m.notify()
	}
	m.self, m.claimed, m.number, m.renewed, m.rival = rand.Text(), false, 0, 0, ""
	select {
	case m.lost <- struct{}{}:
	default:
	}
}

// notify wakes who waits for a change of nodes.
func (m *Members) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}
