package cluster

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// NewFaultyBus returns a bus that checks quiet topics more often, and whose live messages
// go through a function, which may deliver them later or not at all.
func NewFaultyBus(ctx context.Context, nc *nats.Conn, opts *BusOptions, quiet time.Duration, faults func(m *nats.Msg, deliver func(*nats.Msg))) (*Bus, error) {
	b, err := newBus(nc, opts)
	if err != nil {
		return nil, err
	}
	b.quiet = quiet
	if faults != nil {
		b.deliver = func(m *nats.Msg) { faults(m, b.receive) }
	}
	return b, b.open(ctx, opts)
}
