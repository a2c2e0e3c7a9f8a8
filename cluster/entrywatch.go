package cluster

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc/presence"
)

// A watched is a room that somebody in this process watches. It has one subscription, and
// reads the stream when it begins, when something may have been missed, and now and then.
//
// The entries of this node are shown as they are in its memory. Locks are taken in the order
// watched.mu, entries.mu, that of the view.
type watched struct {
	entries *entries
	in      entryName
	view    presence.View
	ctx     context.Context // ends with the watching
	cancel  context.CancelFunc
	ready   chan struct{} // closed when the view is complete
	sub     *nats.Subscription
	users   int // guarded by entries.mu

	mu      sync.Mutex
	known   map[string]*stored // of other nodes, by device, without values
	counts  map[string]uint64  // message.Count of the last message, by incarnation
	last    uint64             // the highest sequence received
	missed  map[string]bool    // incarnations of nodes that were not here, with entries
	reading bool
	again   bool        // read again behind the read under way
	waiting []*stored   // received while reading
	unsure  bool        // entries are shown of nodes whose marks are missing
	timer   *time.Timer // looks whether something was missed
}

// quietRoom is about how long it may take until a change is noticed of which the message
// was lost on its way, where no later one shows it.
const quietRoom = 30 * time.Second

// watch returns what is shown of a room for one user, who must release it. It waits until
// it is complete.
func (e *entries) watch(ctx context.Context, room string) (w *watched, err error) {
	in := entryName{kindRoom, room}
	e.mu.Lock()
	w = e.watched[in]
	switch {
	case e.closed != nil:
		err = e.closed
	case w == nil:
		if w, err = e.newWatched(in); err == nil {
			e.watched[in] = w
		}
	}
	if err != nil {
		e.mu.Unlock()
		return nil, err
	}
	w.users++
	e.mu.Unlock()
	select {
	case <-w.ready:
		return w, nil
	case <-ctx.Done():
		w.release()
		return nil, context.Cause(ctx)
	case <-e.node.ctx.Done():
		w.release()
		return nil, context.Cause(e.node.ctx)
	}
}

// newWatched begins to watch a room. The mutex of the entries must be held.
func (e *entries) newWatched(in entryName) (*watched, error) {
	sub, err := e.node.nc.ChanSubscribe(e.node.subject("live", in.tokens(), ">"), e.live)
	if err != nil {
		return nil, err
	}
	w := &watched{
		entries: e, in: in, ready: make(chan struct{}), sub: sub,
		known: make(map[string]*stored), counts: make(map[string]uint64), missed: make(map[string]bool),
	}
	w.ctx, w.cancel = context.WithCancel(e.node.ctx)
	if on := e.own[in]; on != nil {
		for _, o := range on.devices {
			w.show(o.device, o.value, o.shownOrder())
		}
	}
	w.timer = time.AfterFunc(untilLook(), w.look)
	go w.refresh()
	return w, nil
}

func untilLook() time.Duration { return quietRoom/2 + rand.N(quietRoom/2) }

// release ends the use of one user.
func (w *watched) release() {
	e := w.entries
	e.mu.Lock()
	w.users--
	last := w.users == 0
	if last {
		delete(e.watched, w.in)
	}
	e.mu.Unlock()
	if last {
		w.cancel()
		w.sub.Unsubscribe()
		w.timer.Stop()
	}
}

// show shows an entry of a device, or that it has been removed.
func (w *watched) show(device string, value []byte, order uint64) {
	if value == nil {
		w.view.Remove(device)
		return
	}
	var v roomValue
	if json.Unmarshal(value, &v) == nil {
		w.view.Put(presence.Entry{Device: device, Who: v.Who, Value: v.Value, Order: order})
	}
}

// receive takes what was published live.
func (w *watched) receive(s *stored) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reading {
		w.waiting = append(w.waiting, s)
		return
	}
	w.take(s)
}

// take applies what was published live, and reads the stream if a message before it is
// missing. The mutex must be held.
func (w *watched) take(s *stored) {
	if _, own := w.entries.nodeOf(s.incarnation); own {
		w.takeOwn(s)
		return
	}
	if s.Before > w.counts[s.incarnation] || s.Before == 0 && w.knows(s.incarnation) {
		w.readAgain()
	}
	w.apply(s)
	w.last = max(w.last, s.sequence)
}

// takeOwn applies that an entry of this node has been removed. The mutex must be held.
func (w *watched) takeOwn(s *stored) {
	w.last = max(w.last, s.sequence)
	if s.Value == nil && !w.entries.has(w.in, s.device) {
		w.view.Remove(s.device)
	}
}

// has reports whether this node has an entry.
func (e *entries) has(in entryName, device string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	on := e.own[in]
	return on != nil && on.devices[device] != nil && on.devices[device].value != nil
}

// knows reports whether an entry of an incarnation is shown. The mutex must be held.
func (w *watched) knows(incarnation string) bool {
	for _, k := range w.known {
		if k.incarnation == incarnation {
			return true
		}
	}
	return false
}

// apply applies what was stored of a device. The mutex must be held.
func (w *watched) apply(s *stored) {
	node, own := w.entries.nodeOf(s.incarnation)
	if own {
		return
	}
	if node == "" {
		w.missed[s.incarnation] = true
		return
	}
	w.counts[s.incarnation] = max(w.counts[s.incarnation], s.Count)
	k := w.known[s.device]
	if k != nil && k.incarnation == s.incarnation && k.Count >= s.Count {
		k.sequence = max(k.sequence, s.sequence)
		return
	}
	w.entries.saw(s.order())
	w.show(s.device, s.Value, s.order())
	if s.Value == nil {
		delete(w.known, s.device)
		return
	}
	w.known[s.device] = &stored{incarnation: s.incarnation, device: s.device, sequence: s.sequence, message: message{Count: s.Count}}
}

// saw notes an order, so that what this node enters is later.
func (e *entries) saw(order uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = max(e.last, order)
}

// refresh reads the stream.
func (w *watched) refresh() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readAgain()
}

// readAgain has the stream read from now on. The mutex must be held.
func (w *watched) readAgain() {
	if w.again = w.reading; !w.reading && w.ctx.Err() == nil {
		w.reading = true
		go w.read()
	}
}

// read reads the stream until nothing was missed meanwhile.
func (w *watched) read() {
	for {
		s, err := w.tryRead()
		if w.ctx.Err() != nil {
			return
		}
		if err == nil && w.update(s) {
			return
		}
		if err != nil {
			select {
			case <-time.After(readPause):
			case <-w.ctx.Done():
			}
		}
	}
}

// readPause is how long a read waits after one that has failed.
const readPause = 200 * time.Millisecond

func (w *watched) tryRead() (snapshot, error) {
	select {
	case w.entries.reads <- struct{}{}:
	case <-w.ctx.Done():
		return snapshot{}, context.Cause(w.ctx)
	}
	defer func() { <-w.entries.reads }()
	return w.entries.read(w.ctx, w.in)
}

// update brings what is known up to date with what the stream has, and with what was
// received while it was read. It returns false if it must be read again.
func (w *watched) update(s snapshot) (done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	there := make(map[string]bool, len(s.entries))
	for i := range s.entries {
		there[s.entries[i].device] = true
		w.apply(&s.entries[i])
	}
	w.unsure = false
	for device, k := range w.known {
		if there[device] || k.sequence > s.upTo {
			continue
		}
		if s.complete[k.incarnation] {
			delete(w.known, device)
			w.view.Remove(device)
		} else {
			w.unsure = true // it may not have been stored again yet
		}
	}
	stale := s.upTo < w.last // a server that is behind has answered
	w.last = max(w.last, s.upTo)
	again := w.again
	w.again = false
	for _, r := range w.waiting {
		if _, own := w.entries.nodeOf(r.incarnation); own || r.sequence > s.upTo {
			w.take(r)
		} // else what came of it is in the snapshot
	}
	w.waiting = nil
	if again || w.again {
		w.again = false
		return false
	}
	w.reading = false
	w.begin()
	if w.unsure || stale {
		w.timer.Reset(min(time.Second, w.entries.node.opts.LeaseTime/5))
	}
	return true
}

// begin says that the view is complete. The mutex must be held.
func (w *watched) begin() {
	select {
	case <-w.ready:
	default:
		close(w.ready)
	}
}

// look looks whether something was missed.
func (w *watched) look() {
	w.mu.Lock()
	last, unsure := w.last, w.unsure
	w.mu.Unlock()
	w.timer.Reset(untilLook())
	if w.ctx.Err() != nil {
		w.timer.Stop()
		return
	}
	if !unsure {
		now, err := w.entries.lastUnder(w.ctx, w.in)
		if err != nil || now <= last {
			return
		}
	}
	w.refresh()
}

// nodeCame shows the entries of a node that were passed over before it was known.
func (w *watched) nodeCame(incarnation string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missed[incarnation] {
		delete(w.missed, incarnation)
		w.readAgain()
	}
}

// nodeLeft removes the entries of a node.
func (w *watched) nodeLeft(incarnation string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.counts, incarnation)
	delete(w.missed, incarnation)
	for device, k := range w.known {
		if k.incarnation == incarnation {
			delete(w.known, device)
			w.view.Remove(device)
		}
	}
}

// streamLost begins anew with the sequences of another stream.
func (w *watched) streamLost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = 0
	for _, k := range w.known {
		k.sequence = 0
	}
	w.readAgain()
}
