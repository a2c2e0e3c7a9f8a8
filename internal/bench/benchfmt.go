package main

import (
	"errors"
	"io"
	"runtime"

	"golang.org/x/perf/benchfmt"
)

// writeBenchmarks writes the samples in the format of Go's benchmarks: one for
// each work and peer, one line for each round. benchstat compares two such files,
// or with -col /peer the peers in one. Samples that failed, and those without a
// rate, have no line.
func writeBenchmarks(w io.Writer, all Samples) error {
	out := benchfmt.NewWriter(w)
	var err error
	for _, s := range all {
		if s.Err == "" && s.Rate > 0 {
			err = errors.Join(err, out.Write(s.benchmark()))
		}
	}
	return err
}

func (s Sample) benchmark() *benchfmt.Result {
	r := &benchfmt.Result{Name: benchfmt.Name("Peers/work=" + s.Work + "/peer=" + s.Peer), Iters: int(s.Ops)}
	r.Config = []benchfmt.Config{
		{Key: "goos", Value: []byte(runtime.GOOS), File: true},
		{Key: "goarch", Value: []byte(runtime.GOARCH), File: true},
		{Key: "pkg", Value: []byte("github.com/wirecall/wirecall/internal/bench"), File: true},
	}
	for _, v := range []benchfmt.Value{
		{Value: 1e9 / s.Rate, Unit: "ns/op"},
		{Value: s.P50 * 1e3, Unit: "p50-ns"},
		{Value: s.P99 * 1e3, Unit: "p99-ns"},
		{Value: s.CPU * 1e3, Unit: "cpu-ns/op"},
		{Value: s.Bytes, Unit: "B/op"},
		{Value: s.Allocs, Unit: "allocs/op"},
		{Value: s.Writes, Unit: "writes/op"},
	} {
		if v.Value != 0 { // the sample has it
			r.Values = append(r.Values, v)
		}
	}
	return r
}
