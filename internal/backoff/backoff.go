// Package backoff computes how long to wait before something is tried again.
package backoff

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// Delay returns the time to wait before try n, counted from 0: least, doubled n
// times, but at most most, of which a random part between half and all is taken, so
// that many clients do not come at once.
func Delay(least, most time.Duration, n int) time.Duration {
	d := Doubled(least, most, n)
	return Between(d/2, d)
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Doubled returns least, doubled n times, but at most most.
func Doubled(least, most time.Duration, n int) time.Duration {
	d := least
	for ; n > 0 && 0 < d && d < most; n-- {
		if d > most/2 {
			return most
		}
		d *= 2
	}
	return min(d, most)
}

// Between returns a random time from least to most, both included and not negative.
// If most is not more than least it returns least.
func Between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + rand.N(min(most-least, math.MaxInt64-1)+1)
}
