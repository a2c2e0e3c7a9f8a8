package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/wirecall/wirecall/example/quickstart/kitchen"
)

// A guest has a kitchen, which may be anywhere, and tells what it did there.
type guest struct {
	kitchen kitchen.Kitchen
	out     io.Writer
	heard   <-chan string // what is to be heard from the kitchen
}

// hear waits for what is next to be heard from the kitchen.
func (g *guest) hear(ctx context.Context) error {
	select {
	case what := <-g.heard:
		g.say("  in the kitchen: %s", what)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *guest) say(format string, args ...any) { fmt.Fprintf(g.out, format+"\n", args...) }

// Choose makes a guest a kitchen.Guest, which the kitchen can ask.
func (g *guest) Choose(ctx context.Context, question string, options []string) (string, error) {
	g.say("  the kitchen asks: %s %v", question, options)
	return options[1], nil
}

// dine does one thing after the other, until one fails.
func (g *guest) dine(ctx context.Context) error {
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"A call", g.order},
		{"A notification, which nobody answers", g.ring},
		{"An error with a type", g.orderInVain},
		{"A stream from the server", g.dinner},
		{"An upload, watched as a snapshot and its changes", g.deliver},
		{"Streams in both directions", g.taste},
		{"A call from the server to the client", g.steak},
		{"A stream that is left", g.listen},
	} {
		g.say("%s:", step.title)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return nil
}

func (g *guest) order(ctx context.Context) error {
	meal, err := g.kitchen.Order(ctx, "omelette")
	if err != nil {
		return err
	}
	g.say("  %s for %d cents", meal.Dish, meal.Cents)
	return nil
}

func (g *guest) ring(ctx context.Context) error {
	if err := g.kitchen.Ring(ctx, 7); err != nil {
		return err
	}
	return g.hear(ctx)
}

func (g *guest) orderInVain(ctx context.Context) error {
	_, err := g.kitchen.Order(ctx, "caviar")
	missing, ok := errors.AsType[*kitchen.NotOnMenu](err)
	if !ok {
		return fmt.Errorf("ordered caviar: %v", err)
	}
	g.say("  %v; the kitchen suggests %s", err, missing.Instead)
	return nil
}

func (g *guest) dinner(ctx context.Context) error {
	meals, err := g.kitchen.Dinner(ctx, 3)
	if err != nil {
		return err
	}
	for meal, err := range meals {
		if err != nil {
			return err
		}
		g.say("  %s", meal.Dish)
	}
	return nil
}

func (g *guest) deliver(ctx context.Context) error {
	now, changes, err := g.kitchen.Larder(ctx)
	if err != nil {
		return err
	}
	g.say("  in the larder: %d eggs", now["eggs"])
	pieces, err := g.kitchen.Deliver(ctx, streamOf(
		kitchen.Crate{Content: "leeks", Pieces: 8},
		kitchen.Crate{Content: "eggs", Pieces: 12},
	))
	if err != nil {
		return err
	}
	g.say("  delivered: %d pieces", pieces)
	for change, err := range changes {
		if err != nil {
			return err
		}
		g.say("  now %d %s", change.Pieces, change.Content)
		if change.Content == "eggs" {
			break
		}
	}
	return nil
}

func (g *guest) taste(ctx context.Context) error {
	opinions, err := g.kitchen.Taste(ctx, streamOf("soup", "gravy"))
	if err != nil {
		return err
	}
	for opinion, err := range opinions {
		if err != nil {
			return err
		}
		g.say("  %s", opinion)
	}
	return nil
}

func (g *guest) steak(ctx context.Context) error {
	meal, err := g.kitchen.Steak(ctx)
	if err != nil {
		return err
	}
	g.say("  %s", meal.Dish)
	return nil
}

// listen breaks out of a stream without an end, and the iterator in the server
// returns.
func (g *guest) listen(ctx context.Context) error {
	for note, err := range g.kitchen.Music(ctx) {
		if err != nil {
			return err
		}
		g.say("  %s", note)
		if note == "mi" {
			break
		}
	}
	return g.hear(ctx)
}

// streamOf is a stream of what is there already.
func streamOf[T any](items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
