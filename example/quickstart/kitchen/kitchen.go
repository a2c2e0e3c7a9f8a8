// Package kitchen is what a guest and a kitchen can ask of each other: an
// interface for each direction, with every shape that a method can have.
package kitchen

import (
	"context"
	"fmt"
	"iter"

	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen

// Kitchen is what guests ask of the kitchen.
//
//wirecall:service
type Kitchen interface {
	// Order cooks a dish. For one that is not on the menu the error is a
	// *NotOnMenu.
	Order(ctx context.Context, dish string) (Meal, error)

	// Ring rings the bell at a table. Nobody answers.
	//
	//wirecall:notify
	Ring(ctx context.Context, table int) error

	// Dinner serves one course after the other.
	Dinner(ctx context.Context, courses int) (iter.Seq2[Meal, error], error)

	// Larder returns what is in the larder, and a stream of what changes.
	Larder(ctx context.Context) (now map[string]int, changes iter.Seq2[Change, error], err error)

	// Deliver takes crates into the larder and returns how many pieces were in
	// them.
	Deliver(ctx context.Context, crates iter.Seq2[Crate, error]) (pieces int, err error)

	// Taste gives an opinion on each spoonful, as they come.
	Taste(ctx context.Context, spoons iter.Seq2[string, error]) (iter.Seq2[string, error], error)

	// Steak asks the guest how, and then cooks it.
	Steak(ctx context.Context) (Meal, error)

	// Music plays for as long as someone listens.
	Music(ctx context.Context) iter.Seq2[string, error]
}

// Guest is what the kitchen asks of a guest.
//
//wirecall:service
type Guest interface {
	// Choose picks one of the options.
	Choose(ctx context.Context, question string, options []string) (string, error)
}

// A Meal is a dish on a plate.
type Meal struct {
	Dish  string `json:"dish"`
	Cents int    `json:"cents"`
}

// A Crate is what a farmer brings.
type Crate struct {
	Content string `json:"content"`
	Pieces  int    `json:"pieces"`
}

// A Change says how much there is now of something in the larder.
type Change struct {
	Content string `json:"content"`
	Pieces  int    `json:"pieces"`
}

// NotOnMenu is the error of an order that the kitchen does not know.
type NotOnMenu struct {
	Dish    string `json:"dish"`
	Instead string `json:"instead"`
}

// Error says what is missing.
func (e *NotOnMenu) Error() string { return fmt.Sprintf("%s is not on the menu", e.Dish) }

// ErrorCode is the error's code on the wire. Any number outside of JSON-RPC's
// own range will do.
func (e *NotOnMenu) ErrorCode() int { return 404 }

func init() { rpc.RegisterError[*NotOnMenu]() }
