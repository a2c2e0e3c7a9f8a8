package main

import (
	"fmt"
	"slices"
	"strings"
)

// An edit is one line of a diff: kept, taken away or added.
type edit struct {
	sign byte // ' ', '-' or '+'
	line string
}

// diff is the change from old to new in the unified format.
func diff(name, old, new string) string {
	const context = 3
	edits := compare(slices.Collect(strings.Lines(old)), slices.Collect(strings.Lines(new)))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s (as it would be)\n", name, name)
	for i := 0; i < len(edits); {
		if edits[i].sign == ' ' {
			i++
			continue
		}
		from, to := max(0, i-context), i
		for kept := 0; to < len(edits) && kept <= 2*context; to++ {
			if kept++; edits[to].sign != ' ' {
				kept = 0
			}
		}
		for to > i && edits[to-1].sign == ' ' {
			to--
		}
		i, to = to, min(len(edits), to+context)
		hunk(&out, edits, from, to)
	}
	return out.String()
}

// hunk writes the lines of edits between two places.
func hunk(out *strings.Builder, edits []edit, from, to int) {
	oldFrom, newFrom := count(edits[:from])
	oldLen, newLen := count(edits[from:to])
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", oldFrom+1, oldLen, newFrom+1, newLen)
	for _, e := range edits[from:to] {
		fmt.Fprintf(out, "%c%s\n", e.sign, strings.TrimSuffix(e.line, "\n"))
	}
}

// count is how many lines of the old and of the new text the edits stand for.
func count(edits []edit) (old, new int) {
	for _, e := range edits {
		if e.sign != '+' {
			old++
		}
		if e.sign != '-' {
			new++
		}
	}
	return old, new
}

// compare turns a into b by way of their longest common subsequence.
func compare(a, b []string) (edits []edit) {
	common := make([][]int32, len(a)+1) // of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	return edits
}
