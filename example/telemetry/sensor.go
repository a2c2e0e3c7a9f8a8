package telemetry

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// The intervals that a Sensor can keep.
const (
	MinInterval = time.Millisecond
	MaxInterval = time.Hour
)

// A Sensor is a Device that measures something at an interval.
type Sensor struct {
	name    string
	measure func(time.Time) float64
	ticker  *time.Ticker

	mu       sync.Mutex
	interval time.Duration
}

// NewSensor returns a Sensor that reports under a name what measure returns.
func NewSensor(name string, interval time.Duration, measure func(time.Time) float64) *Sensor {
	return &Sensor{name: name, measure: measure, interval: interval, ticker: time.NewTicker(interval)}
}

// SetInterval makes s a Device.
func (s *Sensor) SetInterval(ctx context.Context, interval time.Duration) (was time.Duration, err error) {
	if interval < MinInterval || interval > MaxInterval {
		return 0, &BadInterval{MinInterval, MaxInterval}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.interval = s.interval, interval
	s.ticker.Reset(interval)
	return was, nil
}

// Run reports over a connection at whose this end s is served, until that or ctx
// ends.
func (s *Sensor) Run(ctx context.Context, conn rpc.Caller) error {
	ctx, cancel := context.WithCancel(ctx) // readings end when Report returns, even if ctx does not end
	defer cancel()
	s.mu.Lock()
	interval := s.interval
	s.mu.Unlock()
	_, err := NewIntakeClient(conn).Report(ctx, s.name, interval, s.readings(ctx))
	return err
}

func (s *Sensor) readings(ctx context.Context) iter.Seq2[Reading, error] {
	return func(yield func(Reading, error) bool) {
		for {
			select {
			case now := <-s.ticker.C:
				if !yield(Reading{now, s.measure(now)}, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
