package gen1_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/wirecall/wirecall/rpc/gen1"
)

var errCut = errors.New("cut")

// upTo yields the numbers below n and then err, if that is not nil. It notes what
// yield returned last.
func upTo(n int, err error, wanted *bool) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		*wanted = true
		for i := 0; i < n && *wanted; i++ {
			*wanted = yield(i, nil)
		}
		if *wanted && err != nil {
			*wanted = yield(0, err)
		}
	}
}

// collect ranges over a stream, up to limit items.
func collect[T any](s gen1.Stream, limit int) (items []T, err error) {
	for v, end := range gen1.Receive[T](s) {
		if end != nil {
			return items, end
		}
		if items = append(items, v); len(items) == limit {
			break
		}
	}
	return items, nil
}

// TestStreamInProcess checks a stream that crosses no wire, as between a client and a
// service that are called in one process.
func TestStreamInProcess(t *testing.T) {
	var wanted bool
	for name, test := range map[string]struct {
		stream gen1.Stream
		limit  int
		items  []int
		err    error
		wanted bool // the producer may go on, which it may not behind an error
	}{
		"whole":     {gen1.Send(upTo(3, nil, &wanted)), 9, []int{0, 1, 2}, nil, true},
		"cut":       {gen1.Send(upTo(2, errCut, &wanted)), 9, []int{0, 1}, errCut, false},
		"left":      {gen1.Send(upTo(9, errCut, &wanted)), 2, []int{0, 1}, nil, false},
		"nil":       {gen1.Send[int](nil), 9, nil, nil, true},
		"of a call": {gen1.Stream{Err: errCut}, 9, nil, errCut, true},
	} {
		wanted = true
		items, err := collect[int](test.stream, test.limit)
		if !slices.Equal(items, test.items) || err != test.err || wanted != test.wanted {
			t.Errorf("%s: %v, %v, the producer may go on: %t", name, items, err, wanted)
		}
	}
}

// TestStreamOfAnotherType checks that the two ends of a stream have to agree on its
// type, where no encoding stands between them.
func TestStreamOfAnotherType(t *testing.T) {
	var wanted bool
	items, err := collect[string](gen1.Send(upTo(3, nil, &wanted)), 9)
	if len(items) > 0 || err == nil || wanted {
		t.Errorf("%q, %v, the producer may go on: %t", items, err, wanted)
	}
	if all, err := collect[any](gen1.Send(upTo(2, nil, &wanted)), 9); len(all) != 2 || err != nil {
		t.Errorf("as any: %v, %v", all, err)
	}
}
