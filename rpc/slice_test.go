package rpc_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

func ExampleCollect() {
	items, err := rpc.Collect(rpc.Of("a", "b", "c"))
	fmt.Println(items, err)
	// Output: [a b c] <nil>
}

// What came before an error is not lost.
func TestCollectKeepsWhatCame(t *testing.T) {
	cut := errors.New("cut")
	items, err := rpc.Collect(func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, cut)
	})
	if fmt.Sprint(items) != "[1 2]" || err != cut {
		t.Errorf("%v, %v", items, err)
	}
}

// A range that is left ends Of.
func TestOfCanBeLeft(t *testing.T) {
	for v := range rpc.Of(1, 2, 3) {
		if v != 1 {
			t.Error(v)
		}
		break
	}
}
