package presence

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
)

// A watcher that does not take what has changed costs no more than the members that it was
// told of and those who are here, however many come and go.
func TestWatcherIsBounded(t *testing.T) {
	m := &Memory{}
	room := New[int](m, "room")
	enter := func(who string) (leave func()) {
		leave, err := room.Enter(t.Context(), who, 1)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	for i := range 10 {
		enter(fmt.Sprint("told ", i))
	}
	view, release, _ := m.View(t.Context(), "room")
	defer release()
	w := view.watch()
	w.take()
	for i := range 100_000 {
		leave := enter(fmt.Sprint("visitor ", i))
		if i%1000 == 0 {
			enter(fmt.Sprint("told ", i/1000%10))
			enter(fmt.Sprint("new ", i/1000%10))
		}
		leave()
		if len(w.pending) > 21 {
			t.Fatalf("%d changes are kept", len(w.pending))
		}
	}
	w.take()
	if w.pending != nil || len(w.first) > 0 {
		t.Errorf("%d and %d changes are left", len(w.pending), len(w.first))
	}
}

// Nothing is left of those who have left, and of rooms that were looked into.
func TestRoomsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Memory{}
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 100 {
			room := New[int](m, fmt.Sprint("room ", i))
			room.Members(ctx)
			for range room.Watch(ctx) {
				break
			}
			m.Leave(room.name, "unknown")
			leave, _ := room.Enter(ctx, "ann", 1)
			leave()
			room.Enter(ctx, "bob", 1)
		}
		if len(m.rooms) != 100 {
			t.Errorf("%d rooms of 100 with somebody", len(m.rooms))
		}
		cancel()
		synctest.Wait()
		if len(m.rooms) > 0 || len(seats.byKey) > 0 {
			t.Errorf("%d rooms and %d seats are left", len(m.rooms), len(seats.byKey))
		}
	})
}

// Of several devices the one that entered last is shown, in whatever order a view gets them.
func TestOrder(t *testing.T) {
	v := new(View)
	w := v.watch()
	w.take()
	shown := func() string { return string(v.members["ann"].shown.Value) }
	v.Put(Entry{"A", "ann", []byte("1"), 5})
	v.Put(Entry{"B", "ann", []byte("2"), 3})
	if shown() != "1" {
		t.Errorf("shown is %s", shown())
	}
	v.Put(Entry{"B", "ann", []byte("3"), 6})
	if shown() != "3" {
		t.Errorf("shown is %s", shown())
	}
	v.Put(Entry{"B", "ann", []byte("3"), 4}) // it was not the last after all
	if shown() != "1" {
		t.Errorf("shown is %s", shown())
	}
	v.Put(Entry{"B", "bob", []byte("4"), 7}) // the device is another's
	if shown() != "1" || string(v.members["bob"].shown.Value) != "4" {
		t.Errorf("shown are %s and %v", shown(), v.members["bob"])
	}
	v.Remove("A")
	v.Remove("A")
	v.Remove("B")
	if len(v.members)+len(v.devices) > 0 {
		t.Errorf("%d members are left", len(v.members))
	}
	if p, some, err := w.take(); some || err != nil {
		t.Errorf("told %+v, %v of those who came and left", p, err)
	}
}

// A view that fails tells what has changed until then, and the error to all.
func TestFail(t *testing.T) {
	v := new(View)
	v.Put(Entry{"A", "ann", []byte("1"), 1})
	w := v.watch()
	v.Fail(context.DeadlineExceeded)
	v.Fail(context.Canceled)
	for _, w := range []*watcher{w, v.watch()} {
		if p, err := w.next(t.Context()); len(p.here) != 1 || err != nil {
			t.Errorf("told %+v, %v", p, err)
		}
		if _, err := w.next(t.Context()); err != context.DeadlineExceeded {
			t.Errorf("the error is %v", err)
		}
	}
}
