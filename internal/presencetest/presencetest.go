// Package presencetest tests what every presence.Registry promises.
package presencetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/presence"
)

// Run runs the tests on two registries of the same rooms, which may be one. No room has
// anybody in it. Up to n are in one room, or come and go.
func Run(t *testing.T, n int, here, there presence.Registry) {
	for name, test := range map[string]func(t *testing.T, here, there presence.Registry){
		"coming and going": comingAndGoing,
		"two devices":      twoDevices,
		"context":          endOfContext,
		"replaced":         replaced,
		"a slow watcher":   slowWatcher,
		"many":             func(t *testing.T, here, there presence.Registry) { many(t, n, here, there) },
		"flood":            func(t *testing.T, here, there presence.Registry) { flood(t, n, here, there) },
		"names":            names,
		"ends":             ends,
	} {
		t.Run(name, func(t *testing.T) { test(t, here, there) })
	}
}

// A Follower keeps who is here by the changes of a watch, and fails the test where they
// are not what a Change promises.
type Follower struct {
	Here    map[string]int
	Changes int // that it has taken
	Left    int // those who have left in them

	t    testing.TB
	next func() (presence.Change[int], error, bool)
	more bool
	want map[string]int // of the last Until
}

// Follow watches a room until the test ends.
func Follow(t testing.TB, room *presence.Room[int]) *Follower {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("nothing changes"))
	next, stop := iter.Pull2(room.Watch(ctx))
	t.Cleanup(func() {
		cancel()
		stop()
	})
	return &Follower{t: t, next: next}
}

// Take takes one change and returns it.
func (f *Follower) Take() presence.Change[int] {
	f.t.Helper()
	c, err, ok := f.next()
	if err != nil || !ok {
		f.t.Fatalf("the watch has ended with %d here, and %v in place of %v: %v", len(f.Here), without(f.Here, f.want), without(f.want, f.Here), err)
	}
	f.apply(c)
	return c
}

// without returns those of here who are not in other, or have another value there.
func without(here, other map[string]int) map[string]int {
	rest := maps.Clone(here)
	maps.DeleteFunc(rest, func(who string, v int) bool {
		value, ok := other[who]
		return ok && value == v
	})
	return rest
}

func (f *Follower) apply(c presence.Change[int]) {
	f.t.Helper()
	f.Changes++
	if c.Number != f.Changes || c.All != (c.Number == 1) {
		f.t.Errorf("change %d has the number %d, and All %t", f.Changes, c.Number, c.All)
	}
	if c.All {
		f.Here = make(map[string]int)
	} else if !f.more && len(c.Here)+len(c.Left) == 0 {
		f.t.Errorf("nothing has changed in %v", c)
	}
	if f.more = c.More; len(c.Here)+len(c.Left) > 500 {
		f.t.Errorf("a change with %d members and %d that left", len(c.Here), len(c.Left))
	}
	seen := make(map[string]bool)
	for _, m := range c.Here {
		if seen[m.Who] {
			f.t.Errorf("%q twice in one change", m.Who)
		}
		seen[m.Who] = true
		f.Here[m.Who] = m.Value
	}
	f.Left += len(c.Left)
	for _, who := range c.Left {
		if _, ok := f.Here[who]; !ok || seen[who] {
			f.t.Errorf("%q has left and was not here", who)
		}
		delete(f.Here, who)
	}
}

// Until takes changes until those are here who are wanted.
func (f *Follower) Until(want map[string]int) {
	f.t.Helper()
	f.want = want
	for f.Here == nil || f.more || !maps.Equal(f.Here, want) {
		f.Take()
	}
}

// Enter puts somebody into a room until leave is called or the test ends.
func Enter(t testing.TB, room *presence.Room[int], who string, v int) (leave func()) {
	t.Helper()
	leave, err := room.Enter(t.Context(), who, v)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

// rooms returns one room by both registries.
func rooms(name string, here, there presence.Registry) (a, b *presence.Room[int]) {
	return presence.New[int](here, name), presence.New[int](there, name)
}

type set = map[string]int

func comingAndGoing(t *testing.T, here, there presence.Registry) {
	a, b := rooms("coming and going", here, there)
	before, far := Follow(t, a), Follow(t, b)
	if c := before.Take(); !c.All || c.More || len(c.Here)+len(c.Left) > 0 {
		t.Errorf("a room that is empty begins with %+v", c)
	}
	leaveAnn, leaveBob := Enter(t, a, "ann", 1), Enter(t, b, "bob", 2)
	for _, f := range []*Follower{before, far, Follow(t, a), Follow(t, b)} {
		f.Until(set{"ann": 1, "bob": 2})
	}
	members, err := b.Members(t.Context())
	if len(members) != 2 || err != nil {
		t.Errorf("the members are %v, %v", members, err)
	}
	leaveAnn()
	leaveAnn() // again, without effect
	before.Until(set{"bob": 2})
	far.Until(set{"bob": 2})
	leaveBob()
	leaveAnn = Enter(t, a, "ann", 3)
	before.Until(set{"ann": 3})
	far.Until(set{"ann": 3})
	leaveAnn()
	before.Until(set{})
	far.Until(set{})
	if members, err := a.Members(t.Context()); len(members) > 0 || err != nil {
		t.Errorf("the members of an empty room are %v, %v", members, err)
	}
}

func twoDevices(t *testing.T, here, there presence.Registry) {
	a, b := rooms("two devices", here, there)
	f := Follow(t, a)
	f.Until(set{})
	leavePhone := Enter(t, a, "ann", 1)
	f.Until(set{"ann": 1})
	leaveLaptop := Enter(t, b, "ann", 2) // the last counts
	f.Until(set{"ann": 2})
	leaveLaptop()
	f.Until(set{"ann": 1})
	leaveLaptop = Enter(t, b, "ann", 1)
	leavePhone() // nobody sees either
	Enter(t, a, "bob", 5)
	f.Until(set{"ann": 1, "bob": 5})
	if f.Changes != 5 {
		t.Errorf("%d changes, for ann in three and for bob", f.Changes)
	}
	leaveLaptop()
	f.Until(set{"bob": 5})
}

func endOfContext(t *testing.T, here, there presence.Registry) {
	a, b := rooms("context", here, there)
	f := Follow(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	leave, err := a.Enter(ctx, "ann", 1)
	if err != nil {
		t.Fatal(err)
	}
	f.Until(set{"ann": 1})
	cancel()
	f.Until(set{})
	leave() // without effect
	if _, err := a.Enter(ctx, "ann", 1); err == nil {
		t.Error("entered with a context that has ended")
	}
	Enter(t, a, "bob", 1)
	f.Until(set{"bob": 1})
}

func replaced(t *testing.T, here, there presence.Registry) {
	a, b := rooms("replaced", here, there)
	f := Follow(t, b)
	f.Until(set{})
	for i := range 50 {
		Enter(t, a, "ann", i)
	}
	f.Until(set{"ann": 49})
	if err := a.Update(t.Context(), "ann", 1); !errors.Is(err, presence.ErrNotHere) {
		t.Errorf("updated without a connection: %v", err)
	}
}

// What a watcher has not taken is told as what it comes to.
func slowWatcher(t *testing.T, here, there presence.Registry) {
	a, b := rooms("slow", here, there)
	slow, quick := Follow(t, b), Follow(t, b)
	leaveAnn := Enter(t, a, "ann", 1)
	slow.Until(set{"ann": 1})
	quick.Until(set{"ann": 1})
	taken := slow.Changes
	for i := range 100 {
		Enter(t, a, "visitor", i)()
		Enter(t, a, "carl", i)
	}
	leaveAnn()
	Enter(t, a, "last", 1)
	quick.Until(set{"carl": 99, "last": 1})
	slow.Until(set{"carl": 99, "last": 1})
	if slow.Changes > taken+1 {
		t.Errorf("%d changes for one who was slow", slow.Changes-taken)
	}
}

// Many are told of in changes of a bounded size.
func many(t *testing.T, n int, here, there presence.Registry) {
	const parts = 50 // at the same time
	a, b := rooms("many", here, there)
	want := make(set)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for part := range parts {
		for i := part; i < n; i += parts {
			want[fmt.Sprint("somebody ", i)] = i
		}
		all.Go(func() {
			for i := part; i < n; i += parts {
				if _, err := []*presence.Room[int]{a, b}[i%2].Enter(ctx, fmt.Sprint("somebody ", i), i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	f := Follow(t, a)
	f.Take()
	all.Wait()
	f.Until(want)
	late := Follow(t, b)
	late.Until(want)
	if late.Changes < n/500 {
		t.Errorf("%d members in %d changes", n, late.Changes)
	}
	if members, err := b.Members(t.Context()); len(members) != n || err != nil {
		t.Errorf("%d members, %v", len(members), err)
	}
	cancel()
	f.Until(set{})
	late.Until(set{})
}

// Those who come and go in great numbers leave nothing behind.
func flood(t *testing.T, n int, here, there presence.Registry) {
	a, b := rooms("flood", here, there)
	slow, quick := Follow(t, a), Follow(t, b)
	Enter(t, a, "ann", 1)
	slow.Until(set{"ann": 1})
	var all sync.WaitGroup
	for part := range 20 {
		all.Go(func() {
			for i := range n / 20 {
				leave, err := []*presence.Room[int]{a, b}[part%2].Enter(t.Context(), fmt.Sprint(part, " ", i), i)
				if err != nil {
					t.Error(err)
					return
				}
				leave()
			}
		})
	}
	all.Wait()
	Enter(t, b, "last", 2)
	quick.Until(set{"ann": 1, "last": 2})
	slow.Until(set{"ann": 1, "last": 2})
	if slow.Changes > 10 {
		t.Errorf("%d changes for one who was slow", slow.Changes)
	}
}

// Names come from clients. None is read as another, and none reaches another room.
func names(t *testing.T, here, there presence.Registry) {
	texts := []string{"*", ">", ".", "a.b", "a", "a.*", "a.>", " ", "a b", "\n", "é", "\x00", "%", "%2E", "$SYS", "!", "/", "=", "ann\r\nHeader: x"}
	for i, text := range texts {
		a, _ := rooms("names "+text, here, there)
		Enter(t, a, text, i)
	}
	for i, text := range texts {
		_, b := rooms("names "+text, here, there)
		Follow(t, b).Until(set{text: i})
		if members, err := b.Members(t.Context()); len(members) != 1 || err != nil {
			t.Errorf("in the room %q are %v, %v", text, members, err)
		}
	}
	for _, text := range []string{"", "\xff", strings.Repeat("x", 10_000)} {
		if _, err := presence.New[int](here, text).Enter(t.Context(), "ann", 1); err == nil || !strings.HasPrefix(err.Error(), "presence: the name of a room ") {
			t.Errorf("entered the room %.10q: %v", text, err)
		}
		if _, err := presence.New[int](here, text).Members(t.Context()); err == nil {
			t.Errorf("the room %.10q has members", text)
		}
		for _, err := range presence.New[int](here, text).Watch(t.Context()) {
			if err == nil {
				t.Errorf("watched the room %.10q", text)
			}
		}
		if _, err := presence.New[int](here, "room").Enter(t.Context(), text, 1); err == nil || !strings.HasPrefix(err.Error(), "presence: the name of a member ") {
			t.Errorf("%.10q has entered: %v", text, err)
		}
	}
	if _, err := presence.New[string](here, "room").Enter(t.Context(), "ann", strings.Repeat("x", 33<<10)); err == nil {
		t.Error("entered with a value of 33 KiB")
	}
}

// A range that is left ends a watch, and so does its context, whose cause is its error.
func ends(t *testing.T, here, there presence.Registry) {
	a, _ := rooms("ends", here, there)
	for range a.Watch(t.Context()) {
		break
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	for c, err := range a.Watch(ctx) {
		if last = err; c.All {
			cancel(errors.New("enough"))
		}
	}
	if last == nil || last.Error() != "enough" {
		t.Errorf("the watch ended with %v", last)
	}
}
