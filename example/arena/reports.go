package arena

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/example/internal/signal"
	"github.com/wirecall/wirecall/rpc/topic"
)

// A Report says who plays in a room on a node, and what they want. A node sends one when that
// has changed, at most each Tick, and each second while it has players. A report
// replaces the one before of its node, so that it does no harm if some are lost.
type Report struct {
	Node    string  `json:"node"`
	Players []Steer `json:"players"`
}

// A Steer is what a player wants.
type Steer struct {
	ID    int64       `json:"id"`
	Name  string      `json:"name"`
	Input world.Input `json:"input"`
}

// The players of a room on this node.
type players struct {
	node    string
	reports *topic.Topic[Report]
	tick    signal.Signal // when a report may have been sent

	mu      sync.Mutex
	playing []*Steer // one may play over several connections
	changed bool     // since the last report
}

func newPlayers(bus topic.Bus, node, room string) *players {
	return &players{node: node, reports: topic.New[Report](bus, topic.Name("reports", room))}
}

// enter adds a player, unless the room is full. The player is in the world when the node
// that leads the room has the next report.
func (p *players) enter(id int64, name string, room world.State) (*Steer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[int64]bool{id: true}
	for _, other := range room.Players {
		all[other.ID] = true
	}
	for _, s := range p.playing {
		all[s.ID] = true
	}
	if len(all) > MaxPlayers {
		return nil, &Full{"players", MaxPlayers}
	}
	s := &Steer{ID: id, Name: name}
	p.playing, p.changed = append(p.playing, s), true
	return s, nil
}

func (p *players) leave(s *Steer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.playing = slices.DeleteFunc(p.playing, func(other *Steer) bool { return other == s })
	p.changed = true
}

// steer takes inputs in until ctx ends, and waits for a tick after each MaxInputs of them:
// with more than one a tick a sender that has fallen behind catches up. Without more of
// them the player goes on as the last one says.
func (p *players) steer(ctx context.Context, s *Steer, inputs iter.Seq2[world.Input, error]) error {
	n := 0
	for in, err := range inputs {
		if err != nil {
			return err
		}
		if !in.Valid() {
			return &BadInput{world.Full}
		}
		tick := p.tick.Next()
		p.set(s, in)
		if n++; n%MaxInputs != 0 {
			continue
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (p *players) set(s *Steer, in world.Input) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Input, p.changed = in, true
}

// report sends reports until ctx ends, and then that nobody plays here.
func (p *players) report(ctx context.Context) {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for quiet := 0; ; quiet++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			p.send(context.WithoutCancel(ctx), Report{Node: p.node})
			return
		}
		if r, due := p.due(quiet >= SnapshotEvery); due && p.send(ctx, r) {
			quiet = 0
		}
		p.tick.Fire()
	}
}

// due returns the next report, and whether it must be sent.
func (p *players) due(quiet bool) (Report, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.changed || quiet && len(p.playing) > 0
	p.changed = false
	r := Report{Node: p.node}
	for _, s := range p.playing {
		r.Players = append(r.Players, *s)
	}
	return r, due
}

// send publishes a report. One that fails is sent again.
func (p *players) send(ctx context.Context, r Report) bool {
	ctx, cancel := context.WithTimeout(ctx, Silence)
	defer cancel()
	if _, err := p.reports.Publish(ctx, r); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed = true
		return false
	}
	return true
}

// received is what the node that leads a room has received from all nodes.
type received struct {
	stop      context.CancelFunc
	since     time.Time
	unclaimed map[int64]bool // players who were there before, and have not been reported since

	mu    sync.Mutex
	nodes map[string]receivedReport
}

type receivedReport struct {
	Report
	at time.Time
}

// receive collects reports, about these players and others, until stop is called.
func (p *players) receive(ctx context.Context, before []int64) *received {
	ctx, stop := context.WithCancel(ctx)
	h := &received{stop: stop, since: time.Now(), unclaimed: make(map[int64]bool), nodes: make(map[string]receivedReport)}
	for _, id := range before {
		h.unclaimed[id] = true
	}
	go func() {
		for ctx.Err() == nil {
			h.collect(ctx, p.reports)
			pause(ctx, Tick)
		}
	}()
	return h
}

// collect collects reports until the subscription ends.
func (h *received) collect(ctx context.Context, reports *topic.Topic[Report]) {
	now, err := reports.Back(ctx, 0)
	if err != nil {
		return
	}
	for e, err := range reports.Subscribe(ctx, now) {
		if err != nil {
			return
		}
		h.mu.Lock()
		h.nodes[e.Value.Node] = receivedReport{e.Value, time.Now()}
		h.mu.Unlock()
	}
}

// apply has those play who are reported to, as they want to. Others leave; those who were
// in the room before this node led it have Absence to be reported.
func (h *received) apply(w *world.World) {
	if time.Since(h.since) >= Absence {
		clear(h.unclaimed)
	}
	wanted := h.wanted()
	for _, id := range w.Players() {
		if _, plays := wanted[id]; !plays && !h.unclaimed[id] {
			w.Leave(id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		delete(h.unclaimed, id)
		if len(w.Players()) < MaxPlayers {
			w.Enter(id, wanted[id].Name)
		}
		w.Steer(id, wanted[id].Input)
	}
}

// wanted returns what players want by the last report of each node. Of a player on two
// nodes the later report counts.
func (h *received) wanted() map[int64]Steer {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.nodes, func(_ string, r receivedReport) bool { return time.Since(r.at) >= Absence })
	wanted := make(map[int64]Steer)
	for _, r := range slices.SortedFunc(maps.Values(h.nodes), func(a, b receivedReport) int { return a.at.Compare(b.at) }) {
		for _, s := range r.Players {
			wanted[s.ID] = s
		}
	}
	return wanted
}
