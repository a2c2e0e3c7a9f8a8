package members

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// A Node is a node of the cluster.
type Node struct {
	Name string
	URL  string // where clients reach it, or ""

	// Incarnation is another for each time that a node joins. It is of upper-case letters
	// and digits.
	Incarnation string
}

// Nodes returns the nodes by name.
func (m *Members) Nodes() []Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Node
	for name, o := range m.nodes {
		all = append(all, o.node(name))
	}
	slices.SortFunc(all, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Node returns a node, if there is one of that name.
func (m *Members) Node(name string) (Node, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.nodes[name]
	if o == nil {
		return Node{}, false
	}
	return o.node(name), true
}

func (o *member) node(name string) Node {
	return Node{Name: name, URL: o.url, Incarnation: o.incarnation}
}

// A Change is that a node is there, or no longer.
type Change struct {
	Name        string
	Incarnation string
	Here        bool
}

// Watch returns the nodes that are there, and then what changes, until ctx ends. A node
// that has left and come back while nobody took changes has two of them.
func (m *Members) Watch(ctx context.Context) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		seen := map[string]string{} // incarnations by name
		for {
			changes, changed := m.compare(seen)
			for _, c := range changes {
				if !yield(c) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// compare brings what a watcher has seen up to date, and returns the changes and what is
// closed by the next one.
func (m *Members) compare(seen map[string]string) (changes []Change, next <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, incarnation := range seen {
		if o := m.nodes[name]; o == nil || o.incarnation != incarnation {
			delete(seen, name)
			changes = append(changes, Change{Name: name, Incarnation: incarnation})
		}
	}
	for name, o := range m.nodes {
		if _, ok := seen[name]; !ok {
			seen[name] = o.incarnation
			changes = append(changes, Change{Name: name, Incarnation: o.incarnation, Here: true})
		}
	}
	return changes, m.changed
}
