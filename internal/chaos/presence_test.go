package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/presence"
)

// place is where everybody is.
const place = "the place"

// A house is the site with residents, who are there by a connection to one node that is not
// made again, and watchers, who are told who is there.
type house struct {
	t         *testing.T
	site      *site
	moved     int               // residents so far
	residents map[string]string // who is there, with the node
	watchers  []*watcher
	progress  chan struct{} // has a value when a watcher has been told something since it was looked at
}

// A watcher is told who is in the place.
type watcher struct {
	node string // or empty, if it goes where the balancer sends it

	mu    sync.Mutex
	here  map[string]string
	left  map[string]time.Time // when it was told so last
	times map[string]int       // how often
}

// moveIn has residents and a watcher on a node.
func (h *house) moveIn(i, residents int) {
	h.t.Helper()
	addr := h.site.addr(i)
	for range residents {
		h.moved++
		who := fmt.Sprint("resident", h.moved)
		conn := h.dial(addr, true)
		if err := NewBoardClient(conn).Enter(h.t.Context(), place, who); err != nil {
			h.t.Fatal(err)
		}
		h.residents[who] = name(i)
	}
	h.watch(addr, name(i))
}

func (h *house) dial(addr string, once bool) *rpc.Conn {
	h.t.Helper()
	conn, err := rpc.Dial(h.t.Context(), "ws://"+addr, &rpc.DialOptions{
		Limits: limits, Logger: slog.New(slog.DiscardHandler),
		Reconnect: rpc.Reconnect{Disabled: once, RetryFirst: !once, MaxDelay: 500 * time.Millisecond},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn
}

// watch has a watcher at an address, which watches until its node, if it has one, is killed.
func (h *house) watch(addr, node string) {
	h.t.Helper()
	w := &watcher{node: node, here: make(map[string]string), left: make(map[string]time.Time), times: make(map[string]int)}
	h.watchers = append(h.watchers, w)
	conn := h.dial(addr, node != "")
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		changes, err := NewBoardClient(conn).Watch(ctx, place, 0)
		for change, e := range changes {
			if err = e; err != nil {
				break
			}
			w.apply(change)
			select {
			case h.progress <- struct{}{}:
			default:
			}
		}
		if err != nil && ctx.Err() == nil && node == "" {
			h.t.Errorf("a watcher: %v", err)
		}
	})
	h.t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
}

func (w *watcher) apply(c presence.Change[string]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.Apply(w.here)
	for _, who := range c.Left {
		w.left[who] = time.Now()
		w.times[who]++
	}
}

func (w *watcher) has(residents map[string]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Equal(w.here, residents)
}

// await waits until all watchers have those who are there.
func (h *house) await(what string) {
	h.t.Helper()
	late := time.After(patience)
	for _, w := range h.watchers {
		for !w.has(h.residents) {
			select {
			case <-h.progress:
			case <-late:
				h.t.Fatalf("%s: a watcher of node %q has %v, and there are %v", what, w.node, w.here, h.residents)
			}
		}
	}
}

// leave takes those away who are on a node, and returns them.
func (h *house) leave(node string) (gone []string) {
	for who, on := range h.residents {
		if on == node {
			gone = append(gone, who)
			delete(h.residents, who)
		}
	}
	return gone
}

// kill kills a node, and measures until watchers of others know who has left.
func (h *house) kill(i int, took *times) {
	h.t.Helper()
	at := time.Now()
	h.site.killNode(i)
	gone := h.leave(name(i))
	h.watchers = without(h.watchers, name(i))
	h.await("after a node was killed")
	for _, w := range h.watchers {
		w.mu.Lock()
		for _, who := range gone {
			if w.node == "" && w.times[who] == 0 {
				continue // it has begun anew on another node
			}
			after := w.left[who].Sub(at)
			took.add(after)
			if after > soon {
				h.t.Errorf("a watcher of %q was told after %v that %s has left", w.node, after, who)
			}
			if w.times[who] != 1 {
				h.t.Errorf("a watcher of %q was told %d times that %s has left", w.node, w.times[who], who)
			}
		}
		w.mu.Unlock()
	}
}

func without(watchers []*watcher, node string) (others []*watcher) {
	for _, w := range watchers {
		if w.node != node {
			others = append(others, w)
		}
	}
	return others
}

// holdNobodyLeft checks that no watcher was told that somebody has left who is there.
func (h *house) holdNobodyLeft(what string) {
	h.t.Helper()
	for _, w := range h.watchers {
		w.mu.Lock()
		for who, node := range h.residents {
			if n := w.times[who]; n > 0 {
				h.t.Errorf("%s: a watcher of node %q was told %d times that %s has left, who is on node %s", what, w.node, n, who, node)
			}
		}
		w.mu.Unlock()
	}
}

// Nodes are killed, and those who were there by them leave, once, within the lease. NATS is
// restarted, and nobody leaves. A node is paused for longer than its lease: who is there by
// it leaves, and is there again when it goes on.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newSite(t, &options{})
	h := &house{t: t, site: s, residents: make(map[string]string), progress: make(chan struct{}, 1)}
	for i := range nodes {
		h.moveIn(i, 10)
		h.watch(s.balancer.addr, "")
	}
	h.await("at first")
	var left times
	for round := range scale(2, 20) {
		i := r.IntN(nodes)
		h.kill(i, &left)
		s.startNode(i)
		s.awaitNodes()
		h.moveIn(i, 10)
		h.await("after a node was started")
		h.holdNobodyLeft("nodes were killed")
		began := time.Now()
		s.nats[0].restart()
		if _, err := s.nats[0].ready(); err != nil {
			t.Fatal(err)
		}
		away := time.Since(began)
		h.moveIn(r.IntN(nodes), 1)
		h.await("after NATS was restarted")
		if away < lease/3 {
			h.holdNobodyLeft(fmt.Sprint("NATS was restarted in round ", round))
		}
	}
	paused := r.IntN(nodes)
	s.processes[paused].pause()
	h.watchers = without(h.watchers, "") // one may be on that node
	watchers := h.watchers
	h.watchers = without(h.watchers, name(paused))
	all := maps.Clone(h.residents)
	h.leave(name(paused))
	h.await("while a node was paused")
	s.processes[paused].cont()
	h.residents, h.watchers = all, watchers
	h.await("after a node was paused")
	t.Logf("until watchers knew who had left by a node that was killed, with a lease of %v: %v", lease, &left)
}
