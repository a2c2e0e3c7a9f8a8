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
	fmt.Fprintf(w, "# Clients for a page\n\nBundled and minified by esbuild, with what a client of two methods needs, and compressed with gzip. Node %s, %s, %d CPUs, two processes over\n"+
		"127.0.0.1; the server of wirecall is Go's, those of the others their own in Node. Medians of %d rounds of %g s. Made by\n"+
		"[internal/webbench](../../internal/webbench).\n\n", strings.TrimSpace(string(version)), runtime.Version(), runtime.NumCPU(), rounds, seconds)
	fmt.Fprintln(w, "| client | what | minified | gzip | calls/s, one at a time | a hundred at once | items/s | MB for a stream that nobody reads |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range all {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.name, r.about, whole(float64(r.minified)), whole(float64(r.gzip)),
			r.median(func(f figures) float64 { return f.One }, whole), r.median(func(f figures) float64 { return f.Hundred }, whole),
			r.median(func(f figures) float64 { return f.Stream }, whole), r.median(func(f figures) float64 { return f.Memory }, tenths))
	}
	return nil
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
