package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// follow keeps the nodes that are here, and passes on what is published live, until the
// node ends. It is a goroutine.
func (e *entries) follow(status chan nats.Status) {
	ctx := e.node.ctx
	e.tasks.Go(func() {
		for c := range e.node.watchNodes(ctx) {
			e.nodeChanged(c)
		}
	})
	defer e.node.nc.RemoveStatusListener(status)
	for {
		select {
		case m := <-e.live:
			e.receive(m)
		case s := <-status:
			e.statusChanged(s)
		case <-ctx.Done():
			return
		}
	}
}

// statusChanged applies that the connection to NATS has broken, or there is another one.
// Meanwhile messages were lost, and perhaps the stream.
func (e *entries) statusChanged(s nats.Status) {
	if s != nats.CONNECTED {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.disconnect(errAway)
		return
	}
	e.connected()
	e.check()
	for _, w := range e.allWatched() {
		w.refresh()
	}
}

func (e *entries) connected() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.connection, e.disconnect = context.WithCancelCause(e.node.ctx)
}

// errAway is the error of what needs the connection to NATS while there is none.
var errAway = errors.New("NATS cannot be reached")

// attempt returns a context for what needs the connection to NATS: it ends with ctx, when
// the connection breaks, and with the node.
func (e *entries) attempt(ctx context.Context) (try context.Context, end func()) {
	e.mu.Lock()
	connection := e.connection
	e.mu.Unlock()
	try, cancel := context.WithCancelCause(ctx)
	if err := context.Cause(e.node.ctx); err != nil {
		cancel(err)
	} else if !e.node.nc.IsConnected() {
		cancel(errAway)
	}
	stop := context.AfterFunc(connection, func() { cancel(context.Cause(connection)) })
	return try, func() {
		stop()
		cancel(nil)
	}
}

// receive passes a message to the room that it is about.
func (e *entries) receive(m *nats.Msg) {
	s := e.parse(m)
	e.mu.Lock()
	w := e.watched[s.in]
	e.mu.Unlock()
	if w != nil && s.device != "" {
		w.receive(&s)
	}
}

func (e *entries) allWatched() (all []*watched) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.watched {
		all = append(all, w)
	}
	return all
}

// nodeChanged applies that a node came or has left.
func (e *entries) nodeChanged(c nodeChange) {
	if c.Here {
		e.came(c.Name, c.Incarnation)
		for _, w := range e.allWatched() {
			w.nodeCame(c.Incarnation)
		}
		return
	}
	e.left(c.Incarnation)
	for _, w := range e.allWatched() {
		w.nodeLeft(c.Incarnation)
	}
	time.AfterFunc(rand.N(e.node.opts.LeaseTime/3), func() {
		if e.node.ctx.Err() == nil {
			e.purge(e.node.ctx, c.Incarnation)
		}
	})
}
