package main

import (
	"fmt"
	"slices"
	"strings"
)

// diff is the change from old to new in the unified format. It is one hunk,
// from the first line that differs to the last: enough to see what is stale.
func diff(name, old, new string) string {
	const context = 3
	a, b := slices.Collect(strings.Lines(old)), slices.Collect(strings.Lines(new))
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	from, after := max(0, head-context), max(0, tail-context)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s (as it would be)\n@@ -%d,%d +%d,%d @@\n", name, name,
		from+1, len(a)-after-from, from+1, len(b)-after-from)
	lines := func(sign string, list []string) {
		for _, line := range list {
			out.WriteString(sign + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	lines(" ", a[from:head])
	lines("-", a[head:len(a)-tail])
	lines("+", b[head:len(b)-tail])
	lines(" ", a[len(a)-tail:len(a)-after])
	return out.String()
}
