package main

import (
	"cmp"
	"maps"
	"slices"
)

// arrows returns how many there are, and how many of them go upwards.
func (g graph) arrows() (n, up int) {
	rank := g.order()
	for from, to := range g {
		n += len(to)
		for file := range to {
			if rank[from] > rank[file] {
				up++
			}
		}
	}
	return n, up
}

// order ranks the files from the top, so that few arrows point to a lower rank:
// what uses much and is little used comes first. It is the greedy heuristic of
// Eades, Lin and Smyth (1993); to find the fewest is not feasible.
func (g graph) order() map[string]int {
	left := maps.Clone(g)
	rank := map[string]int{}
	for top, bottom := 0, len(g)-1; len(left) > 0; {
		name, sink := left.next()
		if sink {
			rank[name] = bottom
			bottom--
		} else {
			rank[name] = top
			top++
		}
		delete(left, name)
	}
	return rank
}

// next returns a file that uses no other that is left, or else the one that
// uses most more than use it.
func (g graph) next() (name string, sink bool) {
	out, in := g.degrees()
	names := slices.Sorted(maps.Keys(g))
	for _, name := range names {
		if out[name] == 0 {
			return name, true
		}
	}
	return slices.MaxFunc(names, func(a, b string) int {
		return cmp.Compare(out[a]-in[a], out[b]-in[b])
	}), false
}

// degrees counts the arrows between files that are left.
func (g graph) degrees() (out, in map[string]int) {
	out, in = map[string]int{}, map[string]int{}
	for from, to := range g {
		for file := range to {
			if _, left := g[file]; left {
				out[from]++
				in[file]++
			}
		}
	}
	return out, in
}
