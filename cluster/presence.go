package cluster

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/presence"
)

// Presence returns the registry of who is where in all processes whose nodes are in this
// node's cluster.
//
// Who has entered by a node that dies leaves when its lease has passed, at most
// NodeOptions.LeaseTime and a second later, and once. While NATS cannot be reached, those
// who enter and leave by the same node are seen, and others are as they were; Members fails
// at once with CodeUnavailable. If NATS loses what it has in memory, the nodes store it
// again, and nobody leaves by that.
func (n *Node) Presence() presence.Registry { return registry{n.entries()} }

// A registry is a presence.Registry of a node.
type registry struct{ entries *entries }

// A roomValue is the value of an entry of a room.
type roomValue struct {
	Who   string          `json:"w"`
	Value json.RawMessage `json:"v"`
}

func (r registry) Enter(room string, e presence.Entry) <-chan error {
	value, err := json.Marshal(roomValue{e.Who, e.Value})
	if err != nil {
		failed := make(chan error, 1)
		failed <- err
		return failed
	}
	return r.entries.put(kindRoom, room, e.Device, value)
}

func (r registry) Leave(room, device string) { r.entries.remove(kindRoom, room, device) }

func (r registry) Entries(ctx context.Context, room string) (all []presence.Entry, err error) {
	stored, err := r.entries.list(ctx, kindRoom, room)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeUnavailable, "cluster: read who is in %q: %w", room, err)
	}
	for _, s := range stored {
		var v roomValue
		if json.Unmarshal(s.value, &v) == nil {
			all = append(all, presence.Entry{Device: s.device, Who: v.Who, Value: v.Value, Order: s.order})
		}
	}
	return all, nil
}

func (r registry) View(ctx context.Context, room string) (v *presence.View, release func(), err error) {
	w, err := r.entries.watch(ctx, room)
	if err != nil {
		return nil, nil, err
	}
	return &w.view, sync.OnceFunc(w.release), nil
}
