package main

import (
	"context"
	"sync"
	"time"
)

const (
	idleFor  = 7 * time.Second
	idlePing = 3 * time.Second // how often a silent connection is pinged meanwhile
)

// perAddress is how many connections are made to one address. By default Linux has
// some 28,000 local ports for them.
const perAddress = 25_000

// options are what the work asks of a server.
func (w Work) options() Options {
	o := Options{Addresses: 1 + w.Conns/perAddress}
	if w.Kind == Idle {
		o.Ping = idlePing
	}
	return o
}

// idle opens connections, if the work says so with a stream each, over which one item
// comes and then nothing, and looks at what the server holds and does meanwhile.
func (j *Job) idle(ctx context.Context) (s Sample, err error) {
	before, err := j.serverUsage("Tidy")
	if err != nil {
		return s, err
	}
	clients, err := j.dial(ctx, j.Work.Conns)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if j.Work.Streams > 0 {
		if err := hold(ctx, clients); err != nil {
			return s, err
		}
	}
	start, err := j.serverUsage("Usage")
	if err != nil {
		return s, err
	}
	if !j.tiny() {
		time.Sleep(idleFor)
	}
	end, err := j.serverUsage("Usage")
	if err != nil {
		return s, err
	}
	held, err := j.serverUsage("Tidy")
	each := func(now, then uint64) float64 { return (float64(now) - float64(then)) / float64(j.Work.Conns) }
	s.Ops = int64(j.Work.Conns)
	s.Heap, s.Stacks, s.RSS = each(held.Heap, before.Heap), each(held.Stacks, before.Stacks), each(held.RSS, before.RSS)
	used, seconds := end.since(start), idleFor.Seconds()*float64(s.Ops)
	s.ServerCPU, s.ServerWrites = micros(used.CPU)/seconds, float64(used.Writes)/seconds
	return s, err
}

// hold opens a stream over each connection, and returns when all have brought
// an item. They end with ctx.
func hold(ctx context.Context, clients []Client) error {
	var (
		begun sync.WaitGroup
		fails = make(chan error, len(clients))
		all   = make(chan struct{})
	)
	for _, c := range clients {
		begun.Add(1)
		go func() {
			fails <- c.Items(ctx, Feed{N: 1, Hold: true}, func(Item) error {
				begun.Done()
				return nil
			})
		}()
	}
	go func() {
		begun.Wait()
		close(all)
	}()
	select {
	case <-all:
		return nil
	case err := <-fails:
		return err
	}
}
