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

// Sorted is ps in the order of the source, each problem once.
func (ps Problems) Sorted() Problems {
	ps = slices.Clone(ps)
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	var once Problems
	for _, p := range ps {
		if !slices.Contains(once, p) {
			once = append(once, p)
		}
	}
	return once
}
