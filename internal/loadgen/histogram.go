package loadgen

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Histogram counts durations of up to an hour in a fixed amount of memory, each within
// 0.1 % of what it was. What is longer is counted as an hour.
type Histogram struct {
	hdr      *hdrhistogram.Histogram
	min, max time.Duration
	sum      float64
}

const digits = 3 // that are exact

func newHistogram() *Histogram {
	return &Histogram{hdr: hdrhistogram.New(1, int64(time.Hour), digits)}
}

func (h *Histogram) record(d time.Duration) {
	d = min(max(d, 0), time.Hour)
	if h.Count() == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.sum += d.Seconds()
	h.hdr.RecordValue(int64(d))
}

// Count returns the number of durations.
func (h *Histogram) Count() int64 { return h.hdr.TotalCount() }

// Quantile returns the duration that a part q of all do not exceed, 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	return min(time.Duration(h.hdr.ValueAtQuantile(100*q)), h.max)
}

// Mean returns the mean, 0 of none.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return seconds(h.sum / float64(h.Count()))
}

// A bar is how many durations there are up to one, and above that of the bar before.
type bar struct {
	upTo  time.Duration
	count int64
}

// bars returns the histogram with borders of one significant digit (1, 2 and 5), from the
// first bar that is not empty to the last.
func (h *Histogram) bars() (all []bar) {
	if h.Count() == 0 {
		return nil
	}
	d := h.hdr.Distribution()
	for border := range borders {
		if border < h.min {
			continue
		}
		b := bar{upTo: border}
		for len(d) > 0 && time.Duration(d[0].From) <= border {
			b.count += d[0].Count
			d = d[1:]
		}
		all = append(all, b)
		if border >= h.max {
			return all
		}
	}
	return all
}

// borders yields 100 ns, 200 ns, 500 ns, 1 µs and so on, up to more than an hour.
func borders(yield func(time.Duration) bool) {
	for decade := 100 * time.Nanosecond; decade <= 10*time.Hour; decade *= 10 {
		for _, digit := range []time.Duration{1, 2, 5} {
			if !yield(digit * decade) {
				return
			}
		}
	}
}
