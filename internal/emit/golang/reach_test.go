package golang

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

// link is a type that a test gives the number n.
func link(n int) *model.Type {
	return &model.Type{Kind: model.Named, Name: fmt.Sprint("T", n), Pkg: model.Import{Path: "example.com/p", Name: "p"}}
}

// graph returns the structs T0, T1 and so on, each with a number and with
// pointers to others, and a service with a method for the last.
func graph(to [][]int) *model.Package {
	p := &model.Package{Path: "example.com/p", Name: "p", Declared: map[string]model.Pos{}}
	for n := range to {
		s := &model.Type{Kind: model.Struct, Fields: []*model.Field{{Name: "N", Wire: "N", Type: &model.Type{Kind: model.Int, Name: "int"}}}}
		for i, next := range to[n] {
			name := fmt.Sprint("F", i)
			s.Fields = append(s.Fields, &model.Field{Name: name, Wire: name, Type: &model.Type{Kind: model.Pointer, Elem: link(next)}})
		}
		p.Types = append(p.Types, &model.Def{Type: link(n), Is: s})
	}
	m := &model.Method{Name: "M", Wire: "S.M", Error: true, JSON: model.JSONAll, Params: []*model.Value{{Name: "p", Wire: "p", Type: link(len(to) - 1), Named: true}}}
	p.Services = []*model.Service{{Name: "S", Wire: "S", Methods: []*model.Method{m}}}
	return p
}

// TestReach compares what is found in one pass with a search from each type, in
// random graphs of types.
func TestReach(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		to := make([][]int, 1+r.IntN(8))
		for n := range to {
			for range r.IntN(4) {
				to[n] = append(to[n], r.IntN(len(to)))
			}
		}
		p := graph(to)
		own, varies := make([]bool, len(to)), make([]bool, len(to))
		for n, d := range p.Types {
			own[n], varies[n] = r.IntN(8) == 0, r.IntN(8) == 0
			d.Own, d.Varies = own[n], varies[n]
		}
		e := &emitter{pkg: p}
		e.planJSON()
		for n, d := range p.Types {
			want := reached{}
			seen := map[int]bool{}
			var search func(int)
			search = func(from int) {
				for _, next := range to[from] {
					if own[next] || seen[next] {
						continue
					}
					seen[next] = true
					want.recursive = want.recursive || next == n
					want.varies = want.varies || varies[next]
					search(next)
				}
			}
			search(n)
			if got := *e.json.reach(d); got != want && !own[n] {
				t.Fatalf("T%d of %v, with methods of their own %v and varying %v: %+v, want %+v (seed %d)", n, to, own, varies, got, want, seed)
			}
		}
	}
}

// TestChainsTakeLinearTime plans JSON for a chain of structs, and counts
// allocations in place of time.
func TestChainsTakeLinearTime(t *testing.T) {
	allocs := func(n int) float64 {
		to := make([][]int, n)
		for i := 1; i < n; i++ {
			to[i] = []int{i - 1}
		}
		p := graph(to)
		return testing.AllocsPerRun(1, func() {
			e := &emitter{pkg: p}
			if e.planJSON(); len(e.json.structs) != n {
				t.Fatalf("JSON is generated for %d structs, want %d", len(e.json.structs), n)
			}
		})
	}
	if small, large := allocs(300), allocs(1200); large > 6*small {
		t.Errorf("%.0f allocations for 300 structs, and %.0f for 1200", small, large)
	}
}
