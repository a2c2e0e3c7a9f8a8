package main

import (
	"math"
	"slices"
	"time"

	"golang.org/x/perf/benchmath"
)

// quantile is the element below which a part q of the durations lies, 0 of none.
// It sorts them.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// A Spread is the median of some figures, with the least and the most of them.
// Of none it is all NaN.
type Spread struct {
	Mid, Least, Most float64
}

func spread(v []float64) Spread {
	if len(v) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sample := benchmath.NewSample(slices.Clone(v), &benchmath.DefaultThresholds) // sorts
	sum := benchmath.AssumeNothing.Summary(sample, confidence)
	return Spread{sum.Center, sample.Values[0], sample.Values[len(v)-1]}
}

// confidence is of benchmath's interval, which is not used: from three rounds
// there is none. -benchfmt writes what benchstat makes one of.
const confidence = 0.95

// known reports whether there is a figure.
func (s Spread) known() bool { return !math.IsNaN(s.Mid) }

// A figure is what is looked at in a sample; 0 says that the sample has none.
type figure func(Sample) float64

func rate(s Sample) float64      { return s.Rate }
func cpu(s Sample) float64       { return s.CPU }
func serverCPU(s Sample) float64 { return s.ServerCPU }

func p50(s Sample) float64 { return s.P50 }
func p99(s Sample) float64 { return s.P99 }

// times is the p50 of calls beside something as a multiple of their p50 alone.
func times(s Sample) float64 {
	if s.Alone50 == 0 {
		return 0
	}
	return s.P50 / s.Alone50
}

// Samples are those of a run.
type Samples []Sample

// of is a peer's samples of a work, without those that failed.
func (all Samples) of(peer, work string) (found Samples) {
	for _, s := range all {
		if s.Peer == peer && s.Work == work && s.Err == "" {
			found = append(found, s)
		}
	}
	return found
}

// spread is a peer's figure in a work, over the rounds.
func (all Samples) spread(peer, work string, f figure) Spread {
	var v []float64
	for _, s := range all.of(peer, work) {
		if x := f(s); x != 0 {
			v = append(v, x)
		}
	}
	return spread(v)
}

// ratio is a peer's figure as a multiple of another's in the same round, over
// the rounds that have both.
func (all Samples) ratio(peer, other, work string, f figure) Spread {
	return spread(all.ratios(peer, other, work, f))
}

// ratios are those that ratio is the median of.
func (all Samples) ratios(peer, other, work string, f figure) []float64 {
	base := map[int]float64{}
	for _, s := range all.of(other, work) {
		base[s.Round] = f(s)
	}
	var v []float64
	for _, s := range all.of(peer, work) {
		if x, y := f(s), base[s.Round]; x != 0 && y != 0 {
			v = append(v, x/y)
		}
	}
	return v
}
