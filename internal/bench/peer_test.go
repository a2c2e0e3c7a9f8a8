package main

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if isChild() {
		exit(childMain())
	}
	os.Exit(m.Run())
}

// serve serves a peer in this process, for a job of a work.
func serve(t *testing.T, p Peer, w Work) Job {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, err := p.Serve(ln, w.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return Job{Peer: p.Name, Work: w, Addrs: []string{ln.Addr().String()}}
}

// ours are the peers that run no other project's RPC library. Tests assert what
// these do. What the others do is measured: their faults, and how they bear a
// loaded machine, are for -check and for samples to show.
func ours(all []Peer) []Peer {
	return slices.DeleteFunc(slices.Clone(all), func(p Peer) bool {
		return !strings.HasPrefix(p.Name, "wirecall") && !strings.HasPrefix(p.Name, "raw") && p.Name != floor
	})
}

func TestOurPeersDoEveryWork(t *testing.T) {
	all := slices.Concat(works, idles(3), []Work{
		{Name: "size-100000", Kind: Stream, Streams: 1, Size: 100_000},
		{Name: "load", Kind: Load, Rate: 10_000}})
	for _, p := range ours(peers) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			for _, w := range all {
				t.Run(w.Name, func(t *testing.T) {
					j := serve(t, p, w)
					s, err := j.run(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if s.Ops == 0 || s.Timeouts > 0 {
						t.Errorf("%+v", s)
					}
				})
			}
		})
	}
}

func TestUploads(t *testing.T) {
	for _, p := range ours(peers) {
		t.Run(p.Name, func(t *testing.T) {
			j := serve(t, p, uploads[0])
			if s, err := j.run(t.Context()); err != nil || s.Rate == 0 || s.Ops == 0 {
				t.Fatalf("%+v, %v", s, err)
			}
		})
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	feed := Feed{N: 3}
	a, b, c := feed.item(0), feed.item(1), feed.item(2)
	other := b
	other.Price++
	for name, stream := range map[string]struct {
		items []Item
		late  int64
		right bool
	}{
		"in order":         {[]Item{a, b, c}, 0, true},
		"out of order":     {[]Item{a, c, b}, 1, true},
		"one is missing":   {[]Item{a, b}, 0, false},
		"one came twice":   {[]Item{a, b, b}, 0, false},
		"one is different": {[]Item{a, other, c}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			count, right := &tally{feed: feed}, true
			for _, it := range stream.items {
				right = count.add(it) == nil && right
			}
			right = count.done() == nil && right
			if right != stream.right || count.late != stream.late {
				t.Errorf("right %t, %d late, want %t and %d", right, count.late, stream.right, stream.late)
			}
		})
	}
	if checkValue(1, 1, "order-entry-0042", tags) != nil || checkValue(1, 2, "order-entry-0042", tags) == nil ||
		checkValue(1, 1, "order-entry-0042", tags[:3]) == nil || checkText(text) != nil || checkText(text[1:]) == nil {
		t.Error("a value or a text was judged wrongly")
	}
}
