package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"sync"

	"github.com/wirecall/wirecall/example/quickstart/kitchen"
	"github.com/wirecall/wirecall/rpc"
)

// A cook is a kitchen.Kitchen. Nothing in it knows of the wire, but for Steak,
// which calls back whoever called.
type cook struct {
	prices map[string]int
	heard  chan string // what an onlooker in the kitchen would hear

	mu      sync.Mutex
	larder  map[string]int
	changes []kitchen.Change // all there have been
	changed chan struct{}    // closed at the next one
}

func newCook() *cook {
	return &cook{
		prices:  map[string]int{"soup": 450, "omelette": 700, "pie": 520},
		heard:   make(chan string, 8),
		larder:  map[string]int{"eggs": 6},
		changed: make(chan struct{}),
	}
}

func (c *cook) Order(ctx context.Context, dish string) (kitchen.Meal, error) {
	price, ok := c.prices[dish]
	if !ok {
		return kitchen.Meal{}, &kitchen.NotOnMenu{Dish: dish, Instead: "soup"}
	}
	return kitchen.Meal{Dish: dish, Cents: price}, nil
}

func (c *cook) Ring(ctx context.Context, table int) error {
	c.heard <- fmt.Sprintf("the bell of table %d", table)
	return nil
}

// Dinner refuses at once, as an error, or serves later, as a stream.
func (c *cook) Dinner(ctx context.Context, courses int) (iter.Seq2[kitchen.Meal, error], error) {
	menu := []string{"soup", "omelette", "pie"}
	if courses > len(menu) {
		return nil, fmt.Errorf("there are only %d courses", len(menu))
	}
	return func(yield func(kitchen.Meal, error) bool) {
		for _, dish := range menu[:courses] {
			if !yield(c.Order(ctx, dish)) {
				return
			}
		}
	}, nil
}

// Larder takes the snapshot and the place from which the changes are told under
// one lock, so that nothing is missing between the two and nothing told twice.
func (c *cook) Larder(ctx context.Context) (map[string]int, iter.Seq2[kitchen.Change, error], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.larder), c.changesFrom(ctx, len(c.changes)), nil
}

// changesFrom goes by a place in what is kept for all, so that a slow reader
// needs no queue of its own.
func (c *cook) changesFrom(ctx context.Context, next int) iter.Seq2[kitchen.Change, error] {
	return func(yield func(kitchen.Change, error) bool) {
		for {
			c.mu.Lock()
			news, changed := c.changes[next:], c.changed
			c.mu.Unlock()
			for _, change := range news {
				if !yield(change, nil) {
					return
				}
			}
			next += len(news)
			if len(news) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *cook) Deliver(ctx context.Context, crates iter.Seq2[kitchen.Crate, error]) (pieces int, err error) {
	for crate, err := range crates {
		if err != nil {
			return pieces, err
		}
		c.store(crate)
		pieces += crate.Pieces
	}
	return pieces, nil
}

func (c *cook) store(crate kitchen.Crate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.larder[crate.Content] += crate.Pieces
	c.changes = append(c.changes, kitchen.Change{Content: crate.Content, Pieces: c.larder[crate.Content]})
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cook) Taste(ctx context.Context, spoons iter.Seq2[string, error]) (iter.Seq2[string, error], error) {
	return func(yield func(string, error) bool) {
		for spoon, err := range spoons {
			if err != nil {
				yield("", err)
				return
			}
			if !yield("more salt in the "+spoon, nil) {
				return
			}
		}
	}, nil
}

func (c *cook) Steak(ctx context.Context) (kitchen.Meal, error) {
	guest := kitchen.NewGuestClient(rpc.Peer(ctx))
	how, err := guest.Choose(ctx, "how would you like it?", []string{"rare", "medium", "well done"})
	if err != nil {
		return kitchen.Meal{}, err
	}
	return kitchen.Meal{Dish: "steak, " + how, Cents: 2400}, nil
}

func (c *cook) Music(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		defer func() { c.heard <- "the music stops" }()
		for {
			for _, note := range []string{"do", "re", "mi", "fa"} {
				if !yield(note, nil) {
					return
				}
			}
		}
	}
}
