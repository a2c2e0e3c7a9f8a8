package cluster_test

import (
	"errors"
	"iter"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc/topic"
)

// open returns a bus with one class, t.
func open(t *testing.T, nc *nats.Conn, keep topic.Retention) topic.Bus {
	t.Helper()
	bus, err := cluster.NewFaultyBus(t.Context(), nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"t": keep}}, 100*time.Millisecond, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bus
}

func publish(t *testing.T, to *topic.Topic[int], v int) topic.Seq {
	t.Helper()
	at, err := to.Publish(t.Context(), v)
	if err != nil {
		t.Fatalf("publish %d: %v", v, err)
	}
	return at
}

// pull subscribes, and returns what takes the next event.
func pull(t *testing.T, to *topic.Topic[int], after topic.Seq) (next func() (topic.Event[int], error)) {
	t.Helper()
	all, stop := iter.Pull2(to.Subscribe(t.Context(), after))
	t.Cleanup(stop)
	return func() (topic.Event[int], error) {
		e, err, _ := all()
		return e, err
	}
}

func wantEvent(t *testing.T, next func() (topic.Event[int], error), want int) topic.Seq {
	t.Helper()
	e, err := next()
	if err != nil || e.Value != want {
		t.Fatalf("the next event is %v, %v; want %d", e.Value, err, want)
	}
	return e.Seq
}

func wantGap(t *testing.T, next func() (topic.Event[int], error)) topic.Seq {
	t.Helper()
	e, err := next()
	gap, ok := errors.AsType[*topic.GapError](err)
	if !ok {
		t.Fatalf("%v, %v in place of a gap", e.Value, err)
	}
	return gap.Begin
}

// A stream that is deleted under running buses is recreated, whoever needs it first.
// Subscriptions have a gap, and then what is published; what was said of places in the old
// stream holds in no other.
func TestStreamIsDeleted(t *testing.T) {
	for name, first := range map[string]func(t *testing.T, js jetstream.JetStream, to *topic.Topic[int]){
		"a publisher is first": func(*testing.T, jetstream.JetStream, *topic.Topic[int]) {},
		"a reader is first": func(t *testing.T, _ jetstream.JetStream, to *topic.Topic[int]) {
			if _, ok, err := to.Last(t.Context()); ok || err != nil {
				t.Errorf("the last event: %t, %v", ok, err)
			}
		},
		"another process is first": func(t *testing.T, js jetstream.JetStream, _ *topic.Topic[int]) {
			open(t, js.Conn(), topic.Retention{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
			t.Cleanup(stop)
			nc := connectTo(t, s)
			to, other := topic.New[int](open(t, nc, topic.Retention{}), "t"), topic.New[int](open(t, connectTo(t, s), topic.Retention{}), "t")
			waiting, away := pull(t, other, ""), pull(t, other, "")
			for i := range 3 {
				publish(t, to, i)
				wantEvent(t, waiting, i)
			}
			last := wantEvent(t, away, 0)
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			if err := js.DeleteStream(t.Context(), "WC_T_t"); err != nil {
				t.Fatal(err)
			}
			first(t, js, to)
			for i := range 4 {
				publish(t, to, 10+i)
			}
			begin := wantGap(t, waiting)
			wantGap(t, pull(t, to, last))
			next := pull(t, other, begin)
			for i := range 4 {
				wantEvent(t, next, 10+i)
			}
			if _, err := to.PublishAfter(t.Context(), last, 1); err == nil {
				t.Error("published after an event of the old stream")
			}
		})
	}
}

// A server that comes back without its last events, as after a power failure, begins another
// epoch, since others get their numbers.
func TestStreamLosesItsEnd(t *testing.T) {
	folder := t.TempDir()
	s, stop := start(t, folder, server.RANDOM_PORT)
	port := s.Addr().(*net.TCPAddr).Port
	nc, other := connectTo(t, s), connectTo(t, s)
	to, reader := topic.New[int](open(t, nc, topic.Retention{}), "t"), topic.New[int](open(t, other, topic.Retention{}), "t")
	waiting, away := pull(t, reader, ""), pull(t, to, "")
	publish(t, to, 0)
	wantEvent(t, waiting, 0)
	stop()
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	_, stop = start(t, folder, port)
	var last topic.Seq
	for i := 1; i < 5; i++ {
		last = publish(t, to, i)
		wantEvent(t, waiting, i)
	}
	wantEvent(t, away, 0)
	stop()
	_, stop = start(t, before, port)
	defer stop()
	for i := 5; i < 20; i++ {
		publish(t, to, i)
	}
	wantGap(t, waiting)
	wantGap(t, pull(t, reader, last))
	next := pull(t, reader, "")
	wantEvent(t, next, 0)
	for i := 5; i < 20; i++ {
		wantEvent(t, next, i)
	}
}

// A limit by count that is changed makes no gap silent: neither for a bus that was there
// before, nor for events that the lower limit has removed before it was raised.
func TestLimitIsChanged(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	nc := connectTo(t, s)
	many := topic.New[int](open(t, nc, topic.Retention{Events: 100}), "t")
	places := make([]topic.Seq, 0, 30)
	for i := range 20 {
		places = append(places, publish(t, many, i))
	}
	few := topic.New[int](open(t, nc, topic.Retention{Events: 5}), "t")
	for i := 20; i < 30; i++ {
		places = append(places, publish(t, few, i))
	}
	wantGap(t, pull(t, many, places[3]))
	wantEvent(t, pull(t, many, ""), 25)
	wantEvent(t, pull(t, many, places[24]), 25)
	again := topic.New[int](open(t, nc, topic.Retention{Events: 50}), "t")
	wantGap(t, pull(t, again, places[3]))
	wantGap(t, pull(t, few, places[3]))
	wantEvent(t, pull(t, again, places[25]), 26)
	for i := 30; i < 60; i++ {
		places = append(places, publish(t, again, i))
	}
	next := pull(t, again, places[29])
	for i := 30; i < 60; i++ {
		wantEvent(t, next, i)
	}
}

// What retention by count has removed last is no gap for who has read it.
func TestGapsAreExactByCount(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus := open(t, connectTo(t, s), topic.Retention{Events: 3})
	to, other := topic.New[int](bus, "t"), topic.New[int](bus, "t.other")
	var places []topic.Seq
	for i := range 10 {
		places = append(places, publish(t, to, i))
		publish(t, other, i)
	}
	wantGap(t, pull(t, to, places[5]))
	wantEvent(t, pull(t, to, places[6]), 7)
	wantEvent(t, pull(t, to, ""), 7)
	if begin := wantGap(t, pull(t, to, places[0])); begin != places[6] {
		t.Errorf("the topic begins behind %q, not %q", begin, places[6])
	}
	for n, want := range map[int]int{1: 9, 3: 7, 5: 7} {
		after, err := to.Back(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		wantEvent(t, pull(t, to, after), want)
	}
	after, err := to.Since(t.Context(), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantEvent(t, pull(t, to, after), 7)
}

// A topic that is followed and has no events for longer than they are kept has no gap.
func TestQuietTopicHasNoGap(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus := open(t, connectTo(t, s), topic.Retention{Age: time.Second})
	to, other := topic.New[int](bus, "t.quiet"), topic.New[int](bus, "t.busy")
	next := pull(t, to, "")
	publish(t, to, 1)
	wantEvent(t, next, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 25 { // two and a half times as long, by the clock of the server
			publish(t, other, i)
			time.Sleep(100 * time.Millisecond)
		}
		publish(t, to, 2)
	}()
	wantEvent(t, next, 2)
	<-done
}
