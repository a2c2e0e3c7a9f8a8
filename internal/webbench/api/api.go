// Package api is what every client is measured with: the small value and the items of the
// Go benchmarks.
package api

import (
	"context"
	"iter"
)

// A Value is the small call: 95 bytes as JSON, parameters and result alike.
type Value struct {
	ID   int64    `json:"id"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// An Item is what the stream carries.
type Item struct {
	Seq    int64   `json:"seq"`
	Price  float64 `json:"price"`
	Symbol string  `json:"symbol"`
}

// Bench is the work.
//
//wirecall:service
type Bench interface {
	Echo(ctx context.Context, v Value) (Value, error)

	// Items streams items as fast as they are taken.
	Items(ctx context.Context) (iter.Seq2[Item, error], error)
}

// Service does the work.
type Service struct{}

// Echo implements Bench.
func (Service) Echo(_ context.Context, v Value) (Value, error) { return v, nil }

// Items implements Bench.
func (Service) Items(context.Context) (iter.Seq2[Item, error], error) {
	return func(yield func(Item, error) bool) {
		for i := int64(0); yield(Item{i, 100 + float64(i%1000)/8, "AAPL"}, nil); i++ {
		}
	}, nil
}
