package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// A crowd is the clients: each has a connection to one of the nodes, and follows one topic.
type crowd struct {
	load
	Nodes []string // their URLs

	conns  []*rpc.Conn
	begun  chan struct{} // has a value for each stream that has begun
	failed chan error    // has an error of each stream that has failed

	events, deliveries atomic.Int64
	arrived            chan struct{} // has a value when a delivery has come

	mu     sync.Mutex
	delays []time.Duration // of some deliveries
}

// runClients is a crowd, of which the argument is the JSON.
func runClients(args []string) (string, func(string, *usage) error, error) {
	c := &crowd{arrived: make(chan struct{}, 1)}
	if err := json.Unmarshal([]byte(args[0]), c); err != nil {
		return "", nil, err
	}
	ctx := context.Background()
	c.begun, c.failed = make(chan struct{}, c.Connections), make(chan error, c.Connections)
	for i := range c.Connections {
		conn, err := rpc.Dial(ctx, c.Nodes[i%len(c.Nodes)], &rpc.DialOptions{Resume: true})
		if err != nil {
			return "", nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return "", func(command string, u *usage) (err error) {
		switch command {
		case "follow":
			err = c.follow(ctx)
		case "publish":
			u.Rate, err = c.publish(ctx)
		}
		u.Events, u.Deliveries = c.events.Load(), c.deliveries.Load()
		u.P50, u.P99 = c.delay(50), c.delay(99)
		return err
	}, nil
}

// topicOf returns the topic that a connection follows. Those of a topic are on all nodes.
func (c *crowd) topicOf(conn int) string {
	return fmt.Sprint(conn / len(c.Nodes) % c.Topics)
}

// follow has all connections follow their topics, and returns when all streams have begun.
func (c *crowd) follow(ctx context.Context) error {
	for i := range c.Topics {
		if _, err := NewFeedClient(c.conns[0]).Publish(ctx, fmt.Sprint(i), Item{}); err != nil {
			return err
		}
	}
	for i, conn := range c.conns {
		items, err := NewFeedClient(conn).Follow(ctx, c.topicOf(i))
		if err != nil {
			return err
		}
		go func() { c.failed <- c.read(items) }()
	}
	for range c.conns {
		select {
		case <-c.begun:
		case err := <-c.failed:
			return err
		}
	}
	return nil
}

// read reads a stream. Its first event is what was there.
func (c *crowd) read(items iter.Seq2[topic.Event[Item], error]) error {
	first := true
	for e, err := range items {
		switch {
		case err != nil:
			return err
		case first:
			first = false
			c.begun <- struct{}{}
		default:
			c.take(e)
		}
	}
	return errors.New("a stream has ended")
}

// take counts a delivery.
func (c *crowd) take(e topic.Event[Item]) {
	if n := c.deliveries.Add(1); n%16 == 0 {
		delay := time.Since(e.Time)
		c.mu.Lock()
		c.delays = append(c.delays, delay)
		c.mu.Unlock()
	}
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

// publish publishes events at the rate of the load, and returns when all have been
// delivered, and how many were a second.
func (c *crowd) publish(ctx context.Context) (rate float64, err error) {
	began := time.Now()
	text := strings.Repeat("x", c.Bytes)
	published := make(chan error, c.Events)
	for n := range c.Events {
		time.Sleep(time.Until(began.Add(time.Duration(float64(n) / c.Rate * float64(time.Second)))))
		client := NewFeedClient(c.conns[n%len(c.conns)])
		go func() {
			_, err := client.Publish(ctx, fmt.Sprint(n%c.Topics), Item{text})
			published <- err
		}()
	}
	for range c.Events {
		if err := <-published; err != nil {
			return 0, err
		}
		c.events.Add(1)
	}
	for c.deliveries.Load() < c.expected() {
		select {
		case <-c.arrived:
		case err := <-c.failed:
			return 0, err
		}
	}
	return float64(c.Events) / time.Since(began).Seconds(), nil
}

// expected returns how many deliveries there are when all have come.
func (c *crowd) expected() (n int64) {
	followers := make(map[string]int64)
	for i := range c.conns {
		followers[c.topicOf(i)]++
	}
	for i := range c.Events {
		n += followers[fmt.Sprint(i%c.Topics)]
	}
	return n
}

func (c *crowd) delay(percent int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.delays) == 0 {
		return 0
	}
	slices.Sort(c.delays)
	return c.delays[(len(c.delays)-1)*percent/100]
}
