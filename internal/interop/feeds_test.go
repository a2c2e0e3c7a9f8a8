package interop

import (
	"context"
	"iter"
)

// Feeds are events of a server of rpc-websockets.
//
//wirecall:service names=methodName
//wirecall:subscription rpc-websockets
type Feeds interface {
	Prices(ctx context.Context) (iter.Seq2[int, error], error)
	Alarms(ctx context.Context) (iter.Seq2[Alarm, error], error)

	// Missing is an event that the server does not have.
	Missing(ctx context.Context) (iter.Seq2[int, error], error)

	// Publish has the server emit an event.
	//
	//wirecall:params position
	Publish(ctx context.Context, event string, price int, alarm *Alarm) error
}

// An Alarm is an event with an object, which rpc-websockets sends in the place of the
// array of parameters.
type Alarm struct {
	Where string `json:"where"`
}
