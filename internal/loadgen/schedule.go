package loadgen

import (
	"math"
	"time"
)

// A Schedule says when calls are due, as the time since the run began. First comes the
// warm-up, at Rate calls a second, then a time For in which the rate goes from Rate to To.
type Schedule struct {
	Rate   float64 // calls a second
	To     float64 // the rate at the end; 0 for Rate
	For    time.Duration
	Warmup time.Duration
}

// end is when the last call has been due.
func (s *Schedule) end() time.Duration { return s.Warmup + s.For }

func (s *Schedule) to() float64 {
	if s.To == 0 {
		return s.Rate
	}
	return s.To
}

// rounding keeps a count such as 0.1 × 30 from being one less than it is on paper.
const rounding = 1e-6

// warm is the number of calls of the warm-up.
func (s *Schedule) warm() int64 { return int64(s.Rate*s.Warmup.Seconds() + rounding) }

// count is the number of all calls.
func (s *Schedule) count() int64 {
	return s.warm() + int64((s.Rate+s.to())/2*s.For.Seconds()+rounding)
}

// due is when the call i is due, counted from 0.
func (s *Schedule) due(i int64) time.Duration {
	w := s.warm()
	if i < w {
		return seconds(float64(i) / s.Rate)
	}
	return s.Warmup + seconds(s.ramp(float64(i-w)))
}

// ramp is the time in which n calls are due while the rate changes: the t for which
// Rate·t + slope·t²/2 = n, in the form that a slope of 0 does not divide by.
func (s *Schedule) ramp(n float64) float64 {
	slope := (s.to() - s.Rate) / s.For.Seconds()
	return 2 * n / (s.Rate + math.Sqrt(max(0, s.Rate*s.Rate+2*slope*n)))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
