package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is something in the source that the generator refuses.
type Problem struct {
	Pos  Pos
	Text string // what is wrong, and what to write instead
	Fact string // the part of Text that other problems may share
	Once bool   // the fact need not be said more than once
}

// Problems is every mistake of one run, as an error of one line each.
type Problems []Problem

func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

func (p Problem) String() string {
	if p.Pos == (Pos{}) {
		return p.Text
	}
	return p.Pos.String() + ": " + p.Text
}

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxPlaces is how often a fact is said, each time with its place, before it is
// said once with a count.
const maxPlaces = 10

// Sorted is ps in the order of the source, each problem once. A fact that was
// found in many places is said once with their number.
func (ps Problems) Sorted() Problems {
	ps = slices.Clone(ps)
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	var once Problems
	seen := map[Problem]bool{}
	for _, p := range ps {
		if !seen[p] {
			once = append(once, p)
		}
		seen[p] = true
	}
	return once.folded()
}

// folded is ps with a count in place of problems that share a fact.
func (ps Problems) folded() (out Problems) {
	count := map[string]int{}
	for _, p := range ps {
		count[p.Fact]++
	}
	said := map[string]bool{}
	for _, p := range ps {
		n := count[p.Fact]
		if p.Fact == "" || n == 1 || n <= maxPlaces && !p.Once {
			out = append(out, p)
		} else if !said[p.Fact] {
			said[p.Fact] = true
			p.Text += fmt.Sprintf(" (and so for %d more)", n-1)
			out = append(out, p)
		}
	}
	return out
}
