package chaos

import (
	"context"
	"slices"
	"testing"
	"time"
)

// Whatever happens to nodes and NATS, those that are there soon know each other and no one
// else.
func TestNodesKnowEachOther(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newSite(t, &options{})
	var took times
	order := r.Perm(len(blows))
	for began, i := time.Now(), 0; i < scale(6, 3*len(blows)) || *long && time.Since(began) < *size; i++ {
		b := blows[order[i%len(blows)]]
		b.strike(s, r)
		s.awaitNodes()
		at := time.Now()
		awaitMembers(t, s, b.name)
		took.add(time.Since(at))
		t.Logf("%s: all know each other after %v", b.name, time.Since(at).Round(time.Millisecond))
	}
	t.Logf("until all knew each other, with a lease of %v: %v", lease, &took)
}

// awaitMembers waits until all nodes have the names of all.
func awaitMembers(t *testing.T, s *site, what string) {
	t.Helper()
	var boards [nodes]Board
	for i := range nodes {
		boards[i] = NewBoardClient(dialGuest(t, s.addr(i)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		var names []string
		var known [nodes][]string
		for i, b := range boards {
			own, all, err := b.Nodes(ctx)
			if err != nil {
				t.Fatalf("%s: %v; known are %q", what, err, known)
			}
			slices.Sort(all)
			names, known[i] = append(names, own), all
		}
		slices.Sort(names)
		if !slices.ContainsFunc(known[:], func(all []string) bool { return !slices.Equal(all, names) }) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s: nodes %q know %q", what, names, known)
		}
	}
}
