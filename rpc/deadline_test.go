package rpc_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A deadline that is far away arrives as it is, or as none where it is further
// away than the wire can say: never as one that is near.
func TestDistantDeadlines(t *testing.T) {
	const day = 24 * time.Hour
	const longest = math.MaxInt32 * time.Millisecond
	for _, test := range []struct{ left, want time.Duration }{
		{1, time.Millisecond},
		{time.Millisecond, time.Millisecond},
		{time.Millisecond + 1, 2 * time.Millisecond},
		{day, day},
		{longest, longest},
		{longest + 1, 0},
		{30 * day, 0},
		{100 * 365 * day, 0},
		{math.MaxInt64 - 1, 0},
		{math.MaxInt64, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got time.Duration
			conn := rpctest.Connect(t.Context(), t, method("Test.Left", nil, func(ctx context.Context, _ *rpc.Call) error {
				if deadline, ok := ctx.Deadline(); ok {
					got = time.Until(deadline)
				}
				return nil
			}))
			ctx, cancel := context.WithTimeout(t.Context(), test.left)
			defer cancel()
			if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Left")}); err != nil || got != test.want {
				t.Errorf("%v: %v were left in the handler, want %v; %v", test.left, got, test.want, err)
			}
		})
	}
}

// So does one that no duration can hold.
func TestDeadlineBeyondDurations(t *testing.T) {
	conn := rpctest.Connect(t.Context(), t, method("Test.Left", nil, func(ctx context.Context, _ *rpc.Call) error {
		if deadline, ok := ctx.Deadline(); ok {
			t.Errorf("it is %v", deadline)
		}
		return nil
	}))
	ctx, cancel := context.WithDeadline(t.Context(), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	defer cancel()
	if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Left")}); err != nil {
		t.Error(err)
	}
}
