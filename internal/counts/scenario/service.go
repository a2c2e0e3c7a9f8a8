package main

import (
	"context"
	"iter"
)

//go:generate go tool wirecall gen

// Counter is the service of the scenarios.
//
//wirecall:service
type Counter interface {
	// Add returns the sum of a and b.
	Add(ctx context.Context, a, b int) (int, error)

	// Ticks yields the next number whenever the client asks for one.
	Ticks(ctx context.Context) (iter.Seq2[int, error], error)
}

// A counter implements Counter.
type counter struct {
	ask chan struct{} // the client wants the next tick; closed: no more
}

func (c *counter) Add(ctx context.Context, a, b int) (int, error) { return a + b, nil }

func (c *counter) Ticks(ctx context.Context) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		n := 0
		for range c.ask {
			if n++; !yield(n, nil) {
				return
			}
		}
	}, nil
}
