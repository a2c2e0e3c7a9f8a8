package cluster

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// purge removes all entries of an incarnation that has left.
func (e *entries) purge(ctx context.Context, incarnation string) error {
	stream, err := e.js.Stream(ctx, e.name)
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(e.node.subject("entry", "*.*", incarnation, ">")))
}

// sweep removes what was left of nodes that have died while no other node was there. It
// is a goroutine.
func (e *entries) sweep() {
	ctx := e.node.ctx
	lease := e.node.opts.LeaseTime
	seen := make(map[string]bool) // incarnations with marks whose nodes were not here
	for {
		e.mu.Lock()
		nodes := time.Duration(len(e.nodes)) // each of which sweeps
		e.mu.Unlock()
		select {
		case <-time.After(lease + rand.N(lease*(nodes+1))):
		case <-ctx.Done():
			return
		}
		marks, _, err := e.multiLast(ctx, e.markSubject("*"))
		for _, m := range marks {
			of := e.parse(m).incarnation
			if name, _ := e.nodeOf(of); name != "" {
				continue
			}
			if seen[of] {
				err = cmp.Or(err, e.purge(ctx, of))
			}
			seen[of] = true
		}
		if err != nil && ctx.Err() == nil {
			e.node.opts.Logger.Debug("cluster: entries of nodes that are gone", "node", e.node.opts.Name, "error", err)
		}
	}
}
