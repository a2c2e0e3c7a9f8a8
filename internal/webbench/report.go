package main

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// report prints the results as Markdown.
func report(w io.Writer, all []*result, seconds float64, rounds int) error {
	version, err := exec.Command(node(), "--version").Output()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, heading, seconds)
	for _, r := range all {
		fmt.Fprintf(w, "| %s | %s | %s | %s |", r.name, r.about, whole(float64(r.minified)), whole(float64(r.gzip)))
		for _, c := range columns {
			fmt.Fprintf(w, " %s |", r.median(c.of, c.format))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, explanation, strings.TrimSpace(string(version)), runtime.Version(), runtime.NumCPU(), rounds, seconds)
	return nil
}

const heading = `# Clients for a page

| client | what | minified | gzip | calls/s, one at a time | calls/s, a hundred at once | items/s | CPU, µs a call | CPU, µs an item | MB of an unread stream after %g s |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`

const explanation = `
Bytes of what a page loads for a client of two methods, bundled and minified by esbuild, and compressed with gzip. Rates are of two processes over
127.0.0.1; the server of wirecall is Go's, those of the others are their own in Node, so that rates say what a user of each has. CPU is that of the client's
process alone, per call of a hundred at once and per item. An unread stream is one of which one item was read, and memory that of the client.

Node %s, %s, %d CPUs. Medians of %d rounds of %g s, in which all clients take turns. Clients without figures are there for their sizes. Made by
[internal/webbench](../../internal/webbench/README.md), which says what each does.
`

// columns are the figures that are measured, in the order of the heading.
var columns = []struct {
	of     func(figures) float64
	format func(float64) string
}{
	{func(f figures) float64 { return f.One }, whole},
	{func(f figures) float64 { return f.Hundred }, whole},
	{func(f figures) float64 { return f.Stream }, whole},
	{func(f figures) float64 { return f.Call }, tenths},
	{func(f figures) float64 { return f.Item }, tenths},
	{func(f figures) float64 { return f.Memory }, tenths},
}

// median is that of a figure over the rounds, or a dash without any.
func (r *result) median(f func(figures) float64, format func(float64) string) string {
	var all []float64
	for _, run := range r.runs {
		all = append(all, f(run))
	}
	if len(all) == 0 {
		return "–"
	}
	slices.Sort(all)
	return format(all[len(all)/2])
}

func tenths(x float64) string { return fmt.Sprintf("%.1f", x) }

// whole is x without a fraction, its thousands apart.
func whole(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
