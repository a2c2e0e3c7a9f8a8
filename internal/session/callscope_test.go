package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A call's context behaves like one of package context, whenever somebody first waits for
// it.
func TestCallContext(t *testing.T) {
	first, later := errors.New("first"), errors.New("later")
	for name, test := range map[string]struct {
		timeout    time.Duration
		end        func(parent context.CancelCauseFunc, c *callContext)
		err, cause error
	}{
		"running":             {0, func(context.CancelCauseFunc, *callContext) {}, nil, nil},
		"cancelled":           {0, func(_ context.CancelCauseFunc, c *callContext) { c.cancel(first) }, context.Canceled, first},
		"cancelled twice":     {0, func(_ context.CancelCauseFunc, c *callContext) { c.cancel(first); c.cancel(later) }, context.Canceled, first},
		"parent ended":        {0, func(p context.CancelCauseFunc, _ *callContext) { p(first) }, context.Canceled, first},
		"parent ended first":  {0, func(p context.CancelCauseFunc, c *callContext) { p(first); c.cancel(later) }, context.Canceled, first},
		"parent ended second": {0, func(p context.CancelCauseFunc, c *callContext) { c.cancel(first); p(later) }, context.Canceled, first},
		"timed out":           {time.Second, func(context.CancelCauseFunc, *callContext) { time.Sleep(2 * time.Second) }, context.DeadlineExceeded, context.DeadlineExceeded},
		"cancelled in time":   {time.Second, func(_ context.CancelCauseFunc, c *callContext) { c.cancel(first) }, context.Canceled, first},
	} {
		for _, before := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					c, in := &callContext{}, &Incoming{}
					c.begin(parent, in, test.timeout)
					defer c.cancel(nil)
					if _, ok := c.Deadline(); ok != (test.timeout > 0) {
						t.Errorf("a deadline: %v", ok)
					}
					var derived context.Context
					derive := func() {
						var undo context.CancelFunc
						derived, undo = context.WithCancel(c)
						t.Cleanup(undo)
					}
					if before {
						derive()
					}
					test.end(cancel, c)
					if err, cause := c.Err(), context.Cause(c); err != test.err || cause != test.cause {
						t.Errorf("ended with %v, %v, want %v, %v", err, cause, test.err, test.cause)
					}
					if !before {
						derive()
					}
					synctest.Wait()
					if err, cause := derived.Err(), context.Cause(derived); err != test.err || cause != test.cause {
						t.Errorf("derived ended with %v, %v, want %v, %v", err, cause, test.err, test.cause)
					}
					select {
					case <-c.Done():
						if test.err == nil {
							t.Error("done")
						}
					default:
						if test.err != nil {
							t.Error("not done")
						}
					}
					if err, cause := c.Err(), context.Cause(c); err != test.err || cause != test.cause {
						t.Errorf("once waited for: ended with %v, %v, want %v, %v", err, cause, test.err, test.cause)
					}
					if CallFromContext(derived) != in {
						t.Error("the call is not among the values")
					}
				})
			})
		}
	}
}
