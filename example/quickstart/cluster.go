package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"sync"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
)

// A cluster is a deploy.Cluster. Nothing in it knows of the wire, but for
// Restart, which calls back whoever called.
type cluster struct {
	events chan string // what is to be seen at the cluster

	mu        sync.Mutex
	versions  map[string]string
	instances map[string]int
	changes   []deploy.Change // of instances, all there have been
	changed   chan struct{}   // closed at the next one
}

func newCluster() *cluster {
	return &cluster{
		events:    make(chan string, 8),
		versions:  map[string]string{"web": "v1.4", "worker": "v2.0"},
		instances: map[string]int{"web": 3},
		changed:   make(chan struct{}),
	}
}

func (c *cluster) Status(ctx context.Context, service string) (deploy.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	version, ok := c.versions[service]
	if !ok {
		return deploy.Status{}, &deploy.UnknownService{Service: service, Similar: "web"}
	}
	return deploy.Status{Service: service, Version: version, Instances: c.instances[service]}, nil
}

func (c *cluster) Heartbeat(ctx context.Context, instance int) error {
	c.events <- fmt.Sprintf("instance %d is alive", instance)
	return nil
}

// Deploy refuses at once, as an error, or works later, as a stream.
func (c *cluster) Deploy(ctx context.Context, service, version string) (iter.Seq2[deploy.Step, error], error) {
	old, err := c.Status(ctx, service)
	if err != nil {
		return nil, err
	}
	return func(yield func(deploy.Step, error) bool) {
		for _, step := range []deploy.Step{
			{Action: "pulled", Version: version},
			{Action: "started", Version: version},
			{Action: "stopped", Version: old.Version},
		} {
			if !yield(step, nil) {
				return
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.versions[service] = version
	}, nil
}

// Instances takes the snapshot and the place where the changes go on under one
// lock, so that no change is missing between the two and none comes twice.
func (c *cluster) Instances(ctx context.Context) (map[string]int, iter.Seq2[deploy.Change, error], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.instances), c.changesFrom(ctx, len(c.changes)), nil
}

// changesFrom goes by a place in what is kept for all, so that a slow reader
// needs no queue of its own.
func (c *cluster) changesFrom(ctx context.Context, next int) iter.Seq2[deploy.Change, error] {
	return func(yield func(deploy.Change, error) bool) {
		for {
			c.mu.Lock()
			news, changed := c.changes[next:], c.changed
			c.mu.Unlock()
			for _, change := range news {
				if !yield(change, nil) {
					return
				}
			}
			next += len(news)
			if len(news) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *cluster) Start(ctx context.Context, orders iter.Seq2[deploy.Order, error]) (started int, err error) {
	for order, err := range orders {
		if err != nil {
			return started, err
		}
		c.start(order)
		started += order.Instances
	}
	return started, nil
}

func (c *cluster) start(order deploy.Order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instances[order.Service] += order.Instances
	c.changes = append(c.changes, deploy.Change{Service: order.Service, Instances: c.instances[order.Service]})
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cluster) Check(ctx context.Context, lines iter.Seq2[string, error]) (iter.Seq2[string, error], error) {
	known := map[string]bool{"port=8080": true, "replicas=3": true}
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err != nil {
				yield("", err)
				return
			}
			verdict := "unknown"
			if known[line] {
				verdict = "ok"
			}
			if !yield(line+": "+verdict, nil) {
				return
			}
		}
	}, nil
}

func (c *cluster) Restart(ctx context.Context, service string) (string, error) {
	operator := deploy.NewOperatorClient(rpc.Peer(ctx))
	how, err := operator.Choose(ctx, "how to restart "+service+"?", []string{"all at once", "one by one"})
	if err != nil {
		return "", err
	}
	return "restarted " + service + ", " + how, nil
}

func (c *cluster) Logs(ctx context.Context, service string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		defer func() { c.events <- "nobody reads the logs of " + service }()
		for n := 1; ; n++ {
			if !yield(fmt.Sprintf("%s: request %d", service, n), nil) {
				return
			}
		}
	}
}
