package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fan-out brings every event to everyone, in processes of its own as all
// streams of a process follow one board.
func TestFanOut(t *testing.T) {
	for _, p := range ours(fans) {
		for _, w := range slices.Concat(fanouts("fanout", 3, 10), fanouts("wide", 30, 1)) {
			s := measure(Job{Peer: p.Name, Work: w})
			if s.Err != "" {
				t.Errorf("%s, %s: %s", p.Name, w.Name, s.Err)
				continue
			}
			if want := int64(w.Events * w.Streams * w.Conns); s.Ops != want || s.P50 <= 0 || s.P50 > s.P99 || s.P99 > s.Last50 || s.Rate <= 0 {
				t.Errorf("%s, %s: %+v, want %d deliveries", p.Name, w.Name, s, want)
			}
		}
	}
}

// Who joins late sees item 0 and what comes from then on.
func TestFollow(t *testing.T) {
	f := Feed{N: live, Size: 3}
	news.publish(Publication{Events: 2, Size: 3})
	first := news.seq + 1
	enough := errors.New("enough")
	var got []int64
	err := f.follow(t.Context(), func(p *post) error {
		if got = append(got, p.item.Seq); len(got) == 1 {
			news.publish(Publication{Events: 3, Size: 3})
		}
		if p.shared.Value() != p.item || len(p.item.Symbol) != 3 {
			t.Errorf("%+v is shared as %+v", p.item, p.shared.Value())
		}
		if len(got) == 4 {
			return enough
		}
		return nil
	})
	if err != enough || got[0] != 0 || got[1] != first || got[3] != first+2 {
		t.Errorf("%v, %v", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.follow(gone, func(*post) error { return nil }); err != context.Canceled {
		t.Error(err)
	}
}

// A delivery that is lost, or that comes twice, is found out.
func TestCrowdCountsDeliveries(t *testing.T) {
	for events, right := range map[int]bool{1: false, 2: true, 3: false} {
		t1 := &subscriber{tally: tally{feed: Feed{N: live}}}
		for seq := range int64(3) {
			if err := t1.add(t1.feed.item(seq)); err != nil {
				t.Fatal(err)
			}
		}
		c := &crowd{all: []*subscriber{t1}}
		if err := c.done(events); (err == nil) != right {
			t.Errorf("two events, taken for %d: %v", events, err)
		}
	}
	c := &crowd{fails: make(chan error, 1), limit: time.Hour}
	c.fails <- nil
	if _, err := c.wait(); err == nil || !strings.Contains(err.Error(), "before its time") {
		t.Error(err)
	}
}
