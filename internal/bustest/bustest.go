// Package bustest tests what every topic.Bus promises.
package bustest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/wirecall/wirecall/rpc/topic"
)

// Kept is how many events of a topic of the class few the bus has to keep; it keeps more than
// 1,000 of others.
const Kept = 10

// Run runs the tests on a bus that is empty.
func Run(t *testing.T, bus topic.Bus) {
	for name, test := range map[string]func(*testing.T, topic.Bus){
		"empty":     empty,
		"history":   historyThenLive,
		"together":  together,
		"once":      once,
		"condition": condition,
		"counter":   counter,
		"retention": retention,
		"places":    places,
		"latest":    latest,
		"rewind":    rewind,
		"names":     names,
		"leaving":   leaving,
	} {
		t.Run(name, func(t *testing.T) { test(t, bus) })
	}
}

// publish publishes values and returns their places.
func publish[T any](t *testing.T, to *topic.Topic[T], values ...T) (places []topic.Seq) {
	t.Helper()
	for _, v := range values {
		at, err := to.Publish(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
	}
	return places
}

// follow pulls events from a subscription.
func follow[T any](t *testing.T, events iter.Seq2[topic.Event[T], error]) (next func() topic.Event[T]) {
	t.Helper()
	pull, stop := iter.Pull2(events)
	t.Cleanup(stop)
	return func() topic.Event[T] {
		t.Helper()
		e, err, ok := pull()
		if err != nil || !ok {
			t.Fatalf("the subscription has ended: %v", err)
		}
		return e
	}
}

// failure returns the error with which a subscription begins.
func failure[T any](t *testing.T, events iter.Seq2[topic.Event[T], error]) error {
	t.Helper()
	for e, err := range events {
		if err == nil {
			t.Errorf("the subscription yields %v", e)
		}
		return err
	}
	return nil
}

func empty(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "empty")
	if e, ok, err := to.Last(t.Context()); ok || err != nil {
		t.Errorf("the last event of an empty topic: %v, %v", e, err)
	}
	for _, n := range []int{-1, 0, 1} {
		if _, err := to.Back(t.Context(), n); err != nil {
			t.Errorf("%d back in an empty topic: %v", n, err)
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	for _, events := range []iter.Seq2[topic.Event[int], error]{to.Subscribe(ended, ""), to.Latest(ended, "")} {
		if err := failure(t, events); err == nil || err.Error() != "enough" {
			t.Errorf("a subscription whose context has ended: %v", err)
		}
	}
}

func historyThenLive(t *testing.T, bus topic.Bus) {
	to := topic.New[string](bus, "history")
	places := publish(t, to, "one", "two", "three")
	all, rest := follow(t, to.Subscribe(t.Context(), "")), follow(t, to.Subscribe(t.Context(), places[1]))
	for i, want := range []string{"one", "two", "three", "four"} {
		if i == 3 {
			places = append(places, publish(t, to, want)...)
		}
		if e := all(); e.Value != want || e.Seq != places[i] || e.Time.IsZero() {
			t.Errorf("event %d is %v, want %q at %q", i, e, want, places[i])
		}
	}
	if a, b := rest(), rest(); a.Value != "three" || b.Value != "four" || a.Seq != places[2] || b.Seq != places[3] {
		t.Errorf("behind the second event: %v, %v", a, b)
	}
	if e, ok, err := to.Last(t.Context()); !ok || err != nil || e.Value != "four" || e.Seq != places[3] {
		t.Errorf("the last event is %v, %t, %v", e, ok, err)
	}
}

// Subscribers that come at any time see what several publish, in one order, without a seam
// between history and what is live.
func together(t *testing.T, bus topic.Bus) {
	const publishers, each, subscribers = 3, 200, 5
	to := topic.New[[2]int](bus, "together")
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				if _, err := to.Publish(t.Context(), [2]int{p, i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	orders := make([][]topic.Seq, subscribers)
	for s := range subscribers {
		all.Go(func() {
			var next [publishers]int
			for e, err := range to.Subscribe(t.Context(), "") {
				if err != nil {
					t.Error(err)
					return
				}
				if p, i := e.Value[0], e.Value[1]; next[p] != i {
					t.Errorf("event %d of publisher %d in place of %d", i, p, next[p])
				}
				next[e.Value[0]]++
				if orders[s] = append(orders[s], e.Seq); len(orders[s]) == publishers*each {
					return
				}
			}
		})
	}
	all.Wait()
	for _, order := range orders {
		if fmt.Sprint(order) != fmt.Sprint(orders[0]) {
			t.Error("two subscribers saw different orders")
		}
	}
}

func once(t *testing.T, bus topic.Bus) {
	to := topic.New[string](bus, "once")
	var places []topic.Seq
	for _, id := range []string{"a", "a", "b", "a"} {
		at, err := to.PublishOnce(t.Context(), id, "of "+id)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
	}
	if places[0] != places[1] || places[0] != places[3] || places[0] == places[2] {
		t.Errorf("stored at %q", places)
	}
	next := follow(t, to.Subscribe(t.Context(), ""))
	if a, b := next(), next(); a.Value != "of a" || b.Value != "of b" {
		t.Errorf("events %v, %v", a, b)
	}
}

func condition(t *testing.T, bus topic.Bus) {
	to := topic.New[string](bus, "condition")
	first, err := to.PublishAfter(t.Context(), "", "one")
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.PublishAfter(t.Context(), "", "other")
	if conflict, ok := errors.AsType[*topic.ConflictError](err); !ok || conflict.Last != first {
		t.Errorf("published to a topic that is not empty: %v", err)
	}
	second, err := to.PublishAfter(t.Context(), first, "two")
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.PublishAfter(t.Context(), first, "other")
	if conflict, ok := errors.AsType[*topic.ConflictError](err); !ok || conflict.Last != second {
		t.Errorf("published after an event that is not the last: %v", err)
	}
}

// Several count up one state, each from what it has read.
func counter(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "counter")
	publish(t, to, 0)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for done := 0; done < 20; {
				last, _, err := to.Last(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				_, err = to.PublishAfter(t.Context(), last.Seq, last.Value+1)
				if _, conflict := errors.AsType[*topic.ConflictError](err); err != nil && !conflict {
					t.Error(err)
					return
				}
				if err == nil {
					done++
				}
			}
		})
	}
	all.Wait()
	if last, _, err := to.Last(t.Context()); last.Value != 60 || err != nil {
		t.Errorf("counted to %v, %v", last.Value, err)
	}
}

func retention(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "few.retention")
	var values []int
	for i := range 3 * Kept {
		values = append(values, i)
	}
	places := publish(t, to, values...)
	if e := follow(t, to.Subscribe(t.Context(), ""))(); e.Value != 2*Kept {
		t.Errorf("the first event that is stored is %d", e.Value)
	}
	gap, ok := errors.AsType[*topic.GapError](failure(t, to.Subscribe(t.Context(), places[3])))
	if !ok || gap.After != places[3] {
		t.Fatalf("a place that retention has passed: %v", gap)
	}
	if e := follow(t, to.Subscribe(t.Context(), gap.Begin))(); e.Value != 2*Kept {
		t.Errorf("behind where the gap says that the topic begins is %d", e.Value)
	}
	if e := follow(t, to.Latest(t.Context(), places[3]))(); e.Value != 3*Kept-1 {
		t.Errorf("the latest is %d", e.Value)
	}

	pull, stop := iter.Pull2(to.Subscribe(t.Context(), ""))
	defer stop()
	pull()
	publish(t, to, values...)
	var err error
	for n := 0; err == nil && n < 100; n++ { // first what it has taken already
		_, err, _ = pull()
	}
	if _, ok := errors.AsType[*topic.GapError](err); !ok {
		t.Errorf("a reader that retention has passed: %v", err)
	}
}

func places(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "places")
	at := publish(t, to, 1)[0]
	epoch, _, _ := strings.Cut(string(at), ".")
	for _, after := range []topic.Seq{"other.1", "other.0", topic.Seq(epoch + ".1000000000000")} {
		if gap, ok := errors.AsType[*topic.GapError](failure(t, to.Subscribe(t.Context(), after))); !ok || gap.After != after {
			t.Errorf("subscribed after %q: %v", after, gap)
		}
		if e := follow(t, to.Latest(t.Context(), "other.5"))(); e.Value != 1 {
			t.Errorf("the latest for one of another epoch is %v", e)
		}
	}
	for _, after := range []topic.Seq{"1", ".", ".1", "e.", "e.-1", "e.1.2", "e.99999999999999999999", topic.Seq(strings.Repeat("x", 1000))} {
		err := failure(t, to.Subscribe(t.Context(), after))
		if err == nil || !strings.Contains(err.Error(), "is not the sequence of an event") || len(err.Error()) > 200 {
			t.Errorf("subscribed after %q: %v", after, err)
		}
	}
}

func latest(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "latest")
	publish(t, to, 1, 2, 3)
	next := follow(t, to.Latest(t.Context(), ""))
	e := next()
	if e.Value != 3 {
		t.Errorf("the latest is %d", e.Value)
	}
	publish(t, to, 4, 5)
	if e := next(); e.Value != 5 {
		t.Errorf("after two more it is %d", e.Value)
	}
	if e := follow(t, to.Latest(t.Context(), e.Seq))(); e.Value != 5 {
		t.Errorf("behind the third it is %d", e.Value)
	}
	last := publish(t, to, 6)[0]
	ctx, cancel := context.WithCancel(t.Context())
	pull, stop := iter.Pull2(to.Latest(ctx, last))
	defer stop()
	cancel()
	if e, err, _ := pull(); !errors.Is(err, context.Canceled) {
		t.Errorf("behind the last it is %v, %v", e, err)
	}
}

func rewind(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "rewind")
	publish(t, to, 1, 2, 3, 4, 5)
	after, err := to.Back(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	live := follow(t, to.Subscribe(t.Context(), after))
	publish(t, to, 6)
	if e := live(); e.Value != 6 {
		t.Errorf("from now on: %v", e)
	}
	for n := 1; n < 9; n++ {
		after, err := to.Back(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if e := follow(t, to.Subscribe(t.Context(), after))(); e.Value != max(7-n, 1) {
			t.Errorf("%d back is %d", n, e.Value)
		}
	}
	all := follow(t, to.Subscribe(t.Context(), ""))
	for range 4 {
		all()
	}
	fifth := all()
	after, err = to.Since(t.Context(), fifth.Time)
	if err != nil {
		t.Fatal(err)
	}
	if e := follow(t, to.Subscribe(t.Context(), after))(); e.Time.Before(fifth.Time) || e.Value > 5 {
		t.Errorf("since %v: %v", fifth.Time, e)
	}
	if after, err := to.Since(t.Context(), fifth.Time.AddDate(-1, 0, 0)); err != nil || after.Number() >= fifth.Seq.Number() {
		t.Errorf("since a year before: %q, %v", after, err)
	}
	if after, err := to.Since(t.Context(), fifth.Time.AddDate(1, 0, 0)); err != nil || after.Number() < fifth.Seq.Number() {
		t.Errorf("since a year after: %q, %v", after, err)
	}
}

// Names come from clients. None is read as another topic, or as several.
func names(t *testing.T, bus topic.Bus) {
	for _, name := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a\n", "\xff", "a.é", "$SYS.x", "a.😀", "a\r\nPUB b 1", "a\x00", strings.Repeat("x", 256), strings.Repeat("a.", 5<<10) + "a", topic.Name("a", strings.Repeat("*", 10<<10))} {
		to := topic.New[int](bus, name)
		_, _, errLast := to.Last(t.Context())
		_, errBack := to.Back(t.Context(), 1)
		_, errPublish := to.Publish(t.Context(), 1)
		for _, err := range []error{errLast, errBack, errPublish, failure(t, to.Subscribe(t.Context(), "")), failure(t, to.Latest(t.Context(), ""))} {
			if err == nil || !strings.HasPrefix(err.Error(), "topic: ") || len(err.Error()) > 1000 {
				t.Errorf("%.40q: %.200v", name, err)
			}
		}
	}
	seen := map[string]string{}
	for _, key := range []string{"", "*", ">", ".", "..", "a.b", "é", "\xff", "\x00", "=", "=2A", "2A", "a b", "A", "a", "😀", "\r\n", ">.*", strings.Repeat("x", 200)} {
		name := topic.Name("names", key)
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q have the name %q", key, other, name)
		}
		seen[name] = key
		to := topic.New[string](bus, name)
		publish(t, to, key)
		if e, _, err := to.Last(t.Context()); e.Value != key && key != "\xff" || err != nil {
			t.Errorf("the topic %q of %q has %q, %v", name, key, e.Value, err)
		}
	}
}

// A range that is left ends the subscription, and its context ends one that waits.
func leaving(t *testing.T, bus topic.Bus) {
	to := topic.New[int](bus, "leaving")
	publish(t, to, 1, 2, 3)
	for range to.Subscribe(t.Context(), "") {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	for e, err := range to.Subscribe(ctx, "") {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
		if seen = e.Value; seen == 3 {
			cancel()
		}
	}
	if seen != 3 {
		t.Errorf("saw %d", seen)
	}
}
