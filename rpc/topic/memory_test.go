package topic_test

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/bustest"
	"github.com/wirecall/wirecall/rpc/topic"
)

func TestMemory(t *testing.T) {
	bustest.Run(t, &topic.Memory{Retention: topic.Retention{Events: 5000}, Classes: map[string]topic.Retention{"few": {Events: bustest.Kept}}})
}

func TestRetentionByDefault(t *testing.T) {
	to := topic.New[int](&topic.Memory{}, "t")
	for i := range 1100 {
		to.Publish(t.Context(), i)
	}
	for e, err := range to.Subscribe(t.Context(), "") {
		if err != nil || e.Value != 100 {
			t.Errorf("the first is %v, %v", e, err)
		}
		break
	}
}

func TestRetentionByBytes(t *testing.T) {
	to := topic.New[string](&topic.Memory{Retention: topic.Retention{Bytes: 100}}, "t")
	for i := range 10 {
		to.Publish(t.Context(), fmt.Sprint(i)+strings.Repeat("x", 27)) // 30 bytes
	}
	if e := first(t, to); e.Value[0] != '7' {
		t.Errorf("the first is %v", e)
	}
	to.Publish(t.Context(), strings.Repeat("y", 1000))
	if e := first(t, to); e.Value[0] != 'y' {
		t.Errorf("of one that is too large, the first is %v", e)
	}
}

// first returns the first event that is stored.
func first[T any](t *testing.T, to *topic.Topic[T]) topic.Event[T] {
	t.Helper()
	for e, err := range to.Subscribe(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Fatal("no event")
	panic("unreachable")
}

func TestRetentionByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := topic.New[int](&topic.Memory{Retention: topic.Retention{Age: time.Minute}}, "t")
		one, _ := to.Publish(t.Context(), 1)
		time.Sleep(30 * time.Second)
		two, _ := to.Publish(t.Context(), 2)
		if e := first(t, to); e.Value != 1 {
			t.Errorf("after half a minute the first is %v", e)
		}
		time.Sleep(30 * time.Second)
		if e := first(t, to); e.Value != 2 {
			t.Errorf("after a minute the first is %v", e)
		}
		time.Sleep(time.Minute)
		if e, ok, err := to.Last(t.Context()); ok || err != nil {
			t.Errorf("after two minutes the last is %v, %v", e, err)
		}
		for _, err := range to.Subscribe(t.Context(), one) {
			if gap, ok := errors.AsType[*topic.GapError](err); !ok || gap.Begin != two {
				t.Errorf("behind the first, whose next is gone: %v", err)
			}
		}
		three, _ := to.Publish(t.Context(), 3)
		for e, err := range to.Subscribe(t.Context(), two) {
			if err != nil || e.Seq != three {
				t.Errorf("behind the last of those that are gone: %v, %v", e, err)
			}
			break
		}
	})
}

func TestIDsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := topic.New[int](&topic.Memory{}, "t")
		one, _ := to.PublishOnce(t.Context(), "id", 1)
		time.Sleep(2*time.Minute - time.Nanosecond)
		if again, _ := to.PublishOnce(t.Context(), "id", 2); again != one {
			t.Errorf("stored again at %q within two minutes", again)
		}
		time.Sleep(time.Nanosecond)
		if again, _ := to.PublishOnce(t.Context(), "id", 3); again == one {
			t.Error("not stored after two minutes")
		}
	})
}

// A subscriber of a bus that is gone does not take the events of the next one for those
// that it lacks.
func TestAnotherMemoryIsAnotherEpoch(t *testing.T) {
	before, _ := topic.New[int](&topic.Memory{}, "t").Publish(t.Context(), 1)
	to := topic.New[int](&topic.Memory{}, "t")
	to.Publish(t.Context(), 1)
	to.Publish(t.Context(), 2)
	for _, err := range to.Subscribe(t.Context(), before) {
		if _, ok := errors.AsType[*topic.GapError](err); !ok {
			t.Errorf("subscribed after an event of another bus: %v", err)
		}
	}
}

func TestEventsThatCannotBe(t *testing.T) {
	bus := &topic.Memory{}
	if _, err := topic.New[func()](bus, "t").Publish(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "an event of t cannot be encoded") {
		t.Errorf("published a function: %v", err)
	}
	topic.New[string](bus, "t").Publish(t.Context(), "text")
	for _, err := range topic.New[int](bus, "t").Subscribe(t.Context(), "") {
		if err == nil || !strings.Contains(err.Error(), "of t cannot be decoded") {
			t.Errorf("a text as a number: %v", err)
		}
	}
}

// A subscriber that does not read costs what one page does, and nobody waits for it.
func TestSubscriberThatNeverReads(t *testing.T) {
	to := topic.New[string](&topic.Memory{Retention: topic.Retention{Events: 100}}, "t")
	to.Publish(t.Context(), "first")
	pull, stop := iter.Pull2(to.Subscribe(t.Context(), ""))
	defer stop()
	pull()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100_000 {
		if _, err := to.Publish(t.Context(), strings.Repeat("x", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes more", grown)
	}
	_, err, _ := pull()
	if _, ok := errors.AsType[*topic.GapError](err); !ok {
		t.Errorf("passed by retention, it has %v", err)
	}
}
