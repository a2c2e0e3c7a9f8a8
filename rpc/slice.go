package rpc

import "iter"

// Of returns a stream of the given items.
func Of[T any](items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range items {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Collect ranges over seq and returns its items and the error that it ended with, if
// any. With an error it returns the items that came before it. It is for streams that
// are known to be short, since it holds all items in memory.
func Collect[T any](seq iter.Seq2[T, error]) (items []T, err error) {
	for v, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, v)
	}
	return items, nil
}
