// Package lab is a service for clients in browsers, with a method of each kind.
package lab

import (
	"context"
	"fmt"
	"iter"
	"time"
)

//go:generate go tool wirecall gen

// Lab has a method of each kind.
//
//wirecall:service
type Lab interface {
	// Echo returns text.
	Echo(ctx context.Context, text string) (string, error)

	// Half returns half of n, or an *Odd.
	//
	//wirecall:error Odd 3001
	Half(ctx context.Context, n int) (int, error)

	// Count streams the numbers from the given one to the other, exclusive.
	Count(ctx context.Context, from, to int) (iter.Seq2[int, error], error)

	// Feed streams n points, so many a second, and those together that are due within a
	// tick. It goes by the clock: points that could not be sent in time follow at once.
	Feed(ctx context.Context, n, rate int, tick time.Duration) (iter.Seq2[Point, error], error)

	// Produced returns how many numbers the latest Count has produced.
	Produced(ctx context.Context) (int, error)

	// Check takes numbers, which must count up from 0, and returns how many there were.
	Check(ctx context.Context, numbers iter.Seq2[int, error]) (int, error)

	// Double streams the double of each number.
	Double(ctx context.Context, numbers iter.Seq2[int, error]) (iter.Seq2[int, error], error)

	// Publish hands numbers to those who follow, each to one, and returns how many.
	Publish(ctx context.Context, numbers iter.Seq2[int, error]) (int, error)

	// Follow streams as many of the numbers that are published.
	Follow(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// CallBack calls the caller's Page, and returns what that returns.
	CallBack(ctx context.Context, text string) (string, error)

	// Sleep returns when the call is canceled, with the cause.
	Sleep(ctx context.Context) error

	// Cut cuts the sockets of all connections, and returns how many there were.
	Cut(ctx context.Context) (int, error)

	// Dismiss closes the connection of the caller for good.
	//
	//wirecall:notify
	Dismiss(ctx context.Context, reason string) error

	// Ends streams why the sessions have ended that end from now on.
	Ends(ctx context.Context) (iter.Seq2[string, error], error)
}

// A Point is an item of Feed. They are numbered from 0.
type Point struct {
	Seq   int     `json:"seq"`
	Time  float64 `json:"time"` // seconds
	Value float64 `json:"value"`
}

// Page is what a page serves to the server.
//
//wirecall:service
type Page interface {
	// Reverse returns text backwards.
	Reverse(ctx context.Context, text string) (string, error)
}

// Odd is the error for a number without a half.
type Odd struct {
	N int `json:"n"`
}

func (e *Odd) Error() string { return fmt.Sprintf("%d is odd", e.N) }
