package docs_test

import (
	"fmt"

	"github.com/wirecall/wirecall/rpc"
)

// worst returns how many bytes a connection holds at most, but for what handlers
// hold and for 128 KiB of a stream whose reader has kept up.
func worst(l rpc.Limits) int {
	return l.BufferedBytes + l.MessageBytes + 2*l.SendQueueBytes + l.MessageBytes + l.NotificationBytes + l.ReplayBytes
}

func Example_limits() {
	options := &rpc.ServerOptions{Limits: rpc.Limits{MessageBytes: 8 << 20, BufferedBytes: 4 << 20}}
	if err := options.Validate(); err != nil {
		fmt.Println(err)
	}
	defaults := rpc.Limits{
		BufferedBytes: 16 << 20, MessageBytes: 1 << 20, SendQueueBytes: 1 << 20, NotificationBytes: 1 << 20, ReplayBytes: 1 << 20,
	}
	fmt.Println(worst(defaults)>>20, "MiB")
	// Output:
	// Limits.BufferedBytes is 4194304: want Limits.MessageBytes, 8388608, at least, or the largest messages could not be taken
	// 22 MiB
}
