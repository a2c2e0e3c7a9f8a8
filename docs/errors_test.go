package docs_test

import (
	"context"
	"fmt"

	"github.com/wirecall/wirecall/rpc"
)

// A call that has surely not run may be made again whatever it does.
func Example_notRun() {
	ctx := context.Background()
	left := 1
	restart := func(context.Context) error {
		if left == 0 {
			return nil
		}
		left--
		return notRun(ctx)
	}
	err := restart(ctx)
	if rpc.NotRun(err) {
		err = restart(ctx) // the first one has surely not run
	}
	fmt.Println(err)
	// Output: <nil>
}

// notRun returns the error of a call over a connection that has ended.
func notRun(ctx context.Context) error {
	srv := rpc.NewServer(nil)
	caller := srv.Caller(ctx)
	srv.Close()
	return caller.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Restart"}})
}
