package main

import (
	"fmt"
	"testing"
	"time"
)

func TestQuickTakesUnderTwoMinutes(t *testing.T) {
	p, err := config{quick: true}.plan()
	if err != nil {
		t.Fatal(err)
	}
	if d := p.estimate(); d < 30*time.Second || d > 110*time.Second || p.Limit > 2*time.Minute {
		t.Errorf("-quick takes %s, and %s at most", d, p.Limit)
	}
	for _, w := range works {
		if p.Rounds < 2 || len(p.Peers) != len(peers) || len(p.Works) != len(works) {
			t.Errorf("-quick leaves out something of %s", w.Name)
		}
	}
}

// In each round every work comes once, whole, and in it every peer that can do
// it once.
func TestRoundsAreInterleaved(t *testing.T) {
	p := Plan{Peers: peers, Works: works, Rounds: 2}
	var order []string
	seen := map[string]int{}
	for round, j := range p.jobs() {
		if at := fmt.Sprintf("%d %s", round, j.Work.Name); len(order) == 0 || order[len(order)-1] != at {
			order = append(order, at)
		}
		seen[j.Peer+" "+j.Work.Name]++
	}
	for i, at := range order {
		if want := fmt.Sprintf("%d %s", i/len(works), works[i%len(works)].Name); at != want {
			t.Errorf("at %d comes %s, want %s", i, at, want)
		}
	}
	for _, peer := range peers {
		for _, w := range works {
			want := p.Rounds
			if w.streams() && peer.NoStreams {
				want = 0
			}
			if n := seen[peer.Name+" "+w.Name]; n != want {
				t.Errorf("%s does %s %d times, want %d", peer.Name, w.Name, n, want)
			}
		}
	}
}

func TestFlagsPick(t *testing.T) {
	p, err := config{peers: "raw,grpc", works: "small,stream-1"}.plan()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(p.Peers[0].Name, p.Peers[1].Name, p.Works[0].Name, len(p.Works))
	if want := "grpcrawsmall-16"; got != want {
		t.Errorf("picked %s, want %s", got, want)
	}
	for _, c := range []config{{peers: "grcp"}, {works: "large"}, {growth: true, works: "small"}} {
		if _, err := c.plan(); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
