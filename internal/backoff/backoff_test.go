package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
)

const longest = time.Duration(math.MaxInt64)

func TestDoubled(t *testing.T) {
	for _, test := range []struct {
		least, most time.Duration
		n           int
		want        time.Duration
	}{
		{100, 1000, 0, 100},
		{100, 1000, 1, 200},
		{100, 1000, 3, 800},
		{100, 1000, 4, 1000},
		{100, 1000, math.MaxInt, 1000},
		{100, 1000, -1, 100},
		{100, 50, 0, 50},
		{100, 50, 3, 50},
		{0, 1000, math.MaxInt, 0},
		{3, longest, 62, longest}, // where doubling would overflow
		{longest - 1, longest, 1, longest},
		{longest, longest, math.MaxInt, longest},
	} {
		if got := backoff.Doubled(test.least, test.most, test.n); got != test.want {
			t.Errorf("Doubled(%d, %d, %d) = %d, want %d", test.least, test.most, test.n, got, test.want)
		}
	}
}

// TestRange draws often enough that both ends of a small range are met, but for one
// run in 10^17.
func TestRange(t *testing.T) {
	for _, test := range []struct {
		name        string
		draw        func() time.Duration
		least, most time.Duration
	}{
		{"Between", func() time.Duration { return backoff.Between(3, 5) }, 3, 5},
		{"Between of nothing", func() time.Duration { return backoff.Between(0, 0) }, 0, 0},
		{"Between the wrong way round", func() time.Duration { return backoff.Between(5, 3) }, 5, 5},
		{"Delay", func() time.Duration { return backoff.Delay(1, 4, 9) }, 2, 4},
	} {
		least, most := longest, -longest
		for range 100 {
			d := test.draw()
			least, most = min(least, d), max(most, d)
		}
		if least != test.least || most != test.most {
			t.Errorf("%s: from %d to %d, want %d to %d", test.name, least, most, test.least, test.most)
		}
	}
	for range 100 {
		if d := backoff.Between(0, longest); d < 0 {
			t.Fatalf("Between overflows: %d", d)
		}
		if d := backoff.Delay(longest, longest, math.MaxInt); d < longest/2 {
			t.Fatalf("Delay overflows: %d", d)
		}
	}
}
