package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/internal/presencetest"
	"github.com/wirecall/wirecall/rpc/presence"
)

// newTestEntries returns entries of a node that does not run, beside one other node.
func newTestEntries(t *testing.T) *entries {
	n := &Node{opts: NodeOptions{Name: "own", Prefix: defaultPrefix, LeaseTime: time.Hour, Logger: slog.Default()}, ctx: t.Context()}
	return &entries{
		node: n, incarnation: "OWN", nodes: map[string]string{"OWN": "own", "OTHER": "other"},
		own: make(map[entryName]*ownName), watched: make(map[entryName]*watched), wake: make(chan struct{}, 1),
	}
}

// A fakeAck is what came of an attempt to store an entry.
type fakeAck struct {
	sequence uint64 // 0 if it was not stored
}

func (a fakeAck) Ok() <-chan *jetstream.PubAck {
	c := make(chan *jetstream.PubAck, 1)
	if a.sequence > 0 {
		c <- &jetstream.PubAck{Sequence: a.sequence}
	}
	return c
}

func (a fakeAck) Err() <-chan error {
	c := make(chan error, 1)
	if a.sequence == 0 {
		c <- nats.ErrTimeout
	}
	return c
}

func (a fakeAck) Msg() *nats.Msg { return nil }

// attempt takes a batch of the devices that are wanted, in their order, and has each get a
// sequence.
func attempt(t *testing.T, e *entries, devices string, sequences ...uint64) error {
	t.Helper()
	all, got := e.batch(), ""
	for i, w := range all {
		got += w.entry.device
		w.ack = fakeAck{sequences[i]}
	}
	if got != devices {
		t.Fatalf("%q are stored in place of %q", got, devices)
	}
	return e.settle(t.Context(), all)
}

// order returns the devices under a name in their order.
func order(t *testing.T, e *entries) (devices string) {
	t.Helper()
	all := e.ownUnder(entryName{"k", "name"})
	sortEntries(all)
	for _, a := range all {
		devices += a.device
	}
	return devices
}

// What is put later is behind what was put earlier: before it is stored, when others are, and
// when what was earlier is stored at a second attempt.
func TestOrderOfEntries(t *testing.T) {
	e := newTestEntries(t)
	a, b := e.put("k", "name", "A", []byte("1")), e.put("k", "name", "B", []byte("2"))
	if err := attempt(t, e, "AB", 0, 1_000_000); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("an attempt that fails: %v", err)
	}
	if order(t, e) != "AB" {
		t.Errorf("the order is %s", order(t, e))
	}
	if err := attempt(t, e, "AB", 1_000_001, 1_000_002); err != nil || order(t, e) != "AB" {
		t.Errorf("the order is %s, %v", order(t, e), err)
	}
	if err := errors.Join(<-a, <-b); err != nil {
		t.Error(err)
	}
	e.put("k", "name", "A", []byte("3"))
	e.saw(5_000_000)
	e.put("k", "name", "C", []byte("4"))
	if order(t, e) != "BAC" {
		t.Errorf("before it is stored the order is %s", order(t, e))
	}
	all := e.batch()
	all[0].ack, all[1].ack = fakeAck{6_000_000}, fakeAck{0}
	e.settle(t.Context(), all)
	if order(t, e) != "BAC" {
		t.Errorf("when one of two is stored the order is %s", order(t, e))
	}
	attempt(t, e, "C", 1) // of a stream that has lost its sequences
	if order(t, e) != "BAC" {
		t.Errorf("with the sequences of another stream the order is %s", order(t, e))
	}
}

// What is removed before it was sent is not sent, and what was sent is removed.
func TestRemovedEntries(t *testing.T) {
	e := newTestEntries(t)
	e.put("k", "name", "A", []byte("1"))
	e.remove("k", "name", "A")
	e.remove("k", "name", "A")
	attempt(t, e, "")
	if len(e.own) > 0 {
		t.Errorf("%d names are left", len(e.own))
	}
	e.put("k", "name", "A", []byte("1"))
	attempt(t, e, "A", 0)
	e.remove("k", "name", "A")
	e.remove("k", "other", "A")
	attempt(t, e, "A", 7)
	if len(e.own) > 0 {
		t.Errorf("%d names are left", len(e.own))
	}
}

// Somebody who has come to a second node and then left this one has not left: what was stored
// before is shown first.
func TestLeaveBehindWhatCame(t *testing.T) {
	e, in := newTestEntries(t), entryName{kindRoom, "room"}
	e.live = make(chan *nats.Msg, 1)
	w := newTestWatched(t, e)
	w.in, w.reading, e.watched[in] = in, false, w
	f := presencetest.Follow(t, presence.New[int](viewed{view: &w.view}, in.name))
	e.put(in.kind, in.name, "PHONE", []byte(`{"w":"ann","v":1}`))
	attempt(t, e, "PHONE", 5)
	f.Until(set{"ann": 1})
	e.remove(in.kind, in.name, "PHONE")
	attempt(t, e, "PHONE", 7)
	e.put(in.kind, in.name, "OTHERS", []byte(`{"w":"bob","v":2}`))
	f.Until(set{"ann": 1, "bob": 2})
	laptop := storedOf("LAPTOP", 1, 6, `{"w":"ann","v":1}`)
	w.receive(&laptop)
	e.receive(<-e.live)
	e.unreachable = true
	e.remove(in.kind, in.name, "OTHERS")
	f.Until(set{"ann": 1})
	if f.Left != 1 {
		t.Errorf("%d have left", f.Left)
	}
}

// A viewed registry has one view.
type viewed struct {
	presence.Registry
	view *presence.View
}

func (v viewed) View(context.Context, string) (*presence.View, func(), error) {
	return v.view, func() {}, nil
}

// newTestWatched returns a room that is being read.
func newTestWatched(t *testing.T, e *entries) *watched {
	w := &watched{
		entries: e, ready: make(chan struct{}), reading: true, timer: time.NewTimer(time.Hour),
		known: make(map[string]*stored), counts: make(map[string]uint64), missed: make(map[string]bool),
	}
	w.ctx, w.cancel = context.WithCancel(t.Context())
	t.Cleanup(w.cancel)
	return w
}

func storedOf(device string, count, sequence uint64, value string) stored {
	s := stored{incarnation: "OTHER", device: device, sequence: sequence, message: message{Count: count, Before: count - 1}}
	if value != "" {
		s.Value = json.RawMessage(value)
	}
	return s
}

// shown returns the devices of other nodes that are shown.
func (w *watched) shown() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.known)
}

// A message that arrived before the stream was read is not applied behind what the stream
// had then: who has left does not come back by it.
func TestMessageBeforeSnapshot(t *testing.T) {
	e := newTestEntries(t)
	w := newTestWatched(t, e)
	here := storedOf("AAA", 1, 50, `{"w":"ann","v":1}`)
	w.receive(&here)
	if !w.update(snapshot{entries: []stored{storedOf("AAA", 2, 60, "")}, complete: map[string]bool{"OTHER": true}, upTo: 60}) {
		t.Error("it is read again")
	}
	if w.shown() > 0 {
		t.Error("who has left is here")
	}
	later := storedOf("BBB", 3, 61, `{"w":"bob","v":1}`)
	w.receive(&later)
	if w.shown() != 1 || w.reading {
		t.Errorf("%d are shown behind the snapshot, reading %t", w.shown(), w.reading)
	}
}

// Entries that the stream does not have any more have left if their node has said that all
// are there, and stay otherwise.
func TestMissingEntries(t *testing.T) {
	e := newTestEntries(t)
	w := newTestWatched(t, e)
	two := snapshot{entries: []stored{storedOf("AAA", 1, 50, `{"w":"ann","v":1}`), storedOf("BBB", 2, 51, `{"w":"bob","v":1}`)}, complete: map[string]bool{"OTHER": true}, upTo: 60}
	w.update(two)
	for _, complete := range []map[string]bool{{}, {"OTHER": false}} {
		w.reading = true
		if w.update(snapshot{complete: complete, upTo: 70}); w.shown() != 2 || !w.unsure {
			t.Errorf("%d are shown, unsure %t, while the marks are %v", w.shown(), w.unsure, complete)
		}
	}
	w.reading = true
	if w.update(snapshot{complete: map[string]bool{"OTHER": true}, upTo: 49}); w.shown() != 2 {
		t.Errorf("%d are shown after the answer of a server that is behind", w.shown())
	}
	w.reading = true
	if w.update(snapshot{complete: map[string]bool{"OTHER": true}, upTo: 71}); w.shown() != 0 || w.unsure {
		t.Errorf("%d are shown, unsure %t, when the node has said that all are there", w.shown(), w.unsure)
	}
}

// A message names the one before it, so that a lost one is noticed.
func TestLostMessageIsNoticed(t *testing.T) {
	e := newTestEntries(t)
	for name, test := range map[string]struct {
		count, before uint64
		lost          bool
	}{
		"the next":                 {3, 2, false},
		"one of other rooms":       {9, 2, false},
		"one is missing":           {4, 3, true},
		"the node was not here":    {9, 0, true},
		"again what is known":      {2, 1, false},
		"other rooms, one missing": {9, 5, true},
	} {
		w := newTestWatched(t, e)
		w.update(snapshot{entries: []stored{storedOf("AAA", 2, 50, `{"w":"ann","v":1}`)}, complete: map[string]bool{"OTHER": true}, upTo: 60})
		w.cancel() // so that it does not read
		s := storedOf("BBB", test.count, 61, `{"w":"bob","v":1}`)
		s.Before = test.before
		w.mu.Lock()
		w.reading, w.again = true, false // a read would be noted
		w.take(&s)
		lost := w.again
		w.mu.Unlock()
		if lost != test.lost {
			t.Errorf("%s: read again is %t", name, lost)
		}
	}
}
