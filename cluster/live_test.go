package cluster_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Readers that keep up make no request, and there is one subscription for all of a topic.
func TestReadersThatKeepUp(t *testing.T) {
	const readers, events = 1000, 100
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	opts := &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {}}, Memory: true}
	writer, err := cluster.NewBus(t.Context(), connectTo(t, s), opts)
	if err != nil {
		t.Fatal(err)
	}
	nc := connectTo(t, s)
	bus, err := cluster.NewFaultyBus(t.Context(), nc, opts, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	to := topic.New[int](writer, "t")
	publish(t, to, 0)
	var all sync.WaitGroup
	var have [2]sync.WaitGroup // the first events
	have[0].Add(readers)
	have[1].Add(readers)
	for range readers {
		all.Go(func() {
			n := 0
			for e, err := range topic.New[int](bus, "t").Subscribe(t.Context(), "") {
				if err != nil || e.Value != n {
					t.Errorf("event %v, %v in place of %d", e.Value, err, n)
					return
				}
				if n < len(have) {
					have[n].Done()
				}
				if n++; n == events {
					return
				}
			}
		})
	}
	have[0].Wait()
	if n := nc.NumSubscriptions(); n > 2 { // that, and what answers of requests come to
		t.Errorf("%d subscriptions for one topic", n)
	}
	publish(t, to, 1)
	have[1].Wait()
	before, begun := nc.Stats().OutMsgs, time.Now()
	for i := 2; i < events; i++ {
		publish(t, to, i)
	}
	all.Wait()
	took := time.Since(begun)
	requests := nc.Stats().OutMsgs - before
	t.Logf("%d requests for %d events; %.0f deliveries a second", requests, events-2, float64(readers*(events-2))/took.Seconds())
	if requests > 0 {
		t.Errorf("%d requests", requests)
	}
}

// Where more is published than a process takes, what is dropped is read at once.
func TestLiveMessagesOverflow(t *testing.T) {
	const events = 3000
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	opts := &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {Events: events}}}
	release, dropped := make(chan struct{}), make(chan struct{})
	drop := sync.OnceFunc(func() { close(dropped) })
	nc, err := nats.Connect(s.ClientURL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrSlowConsumer) {
			drop()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	bus, err := cluster.NewFaultyBus(t.Context(), nc, opts, time.Hour, func(*nats.Msg, func(*nats.Msg)) {
		<-release // and none is delivered, so that a check alone shows them
	})
	if err != nil {
		t.Fatal(err)
	}
	to := topic.New[int](open(t, connectTo(t, s), topic.Retention{Events: events}), "t")
	next := pull(t, topic.New[int](bus, "t"), "")
	for i := range events {
		publish(t, to, i)
		if i == 0 {
			wantEvent(t, next, 0)
		}
	}
	<-dropped
	close(release)
	for i := 1; i < events; i++ {
		wantEvent(t, next, i)
	}
}

// What a topic costs that is followed and has no events.
func TestCostOfFollowing(t *testing.T) {
	const topics = 10_000
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus, err := cluster.NewBus(t.Context(), connectTo(t, s), &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {}}, Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	for i := range topics {
		_, stop := bus.Follow(topic.Name("t", fmt.Sprint(i)))
		defer stop()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / topics
	t.Logf("%d bytes a topic, the server's included", each)
	if each > 4096 {
		t.Errorf("%d bytes a topic", each)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 100 {
		t.Errorf("%d goroutines", n)
	}
}
