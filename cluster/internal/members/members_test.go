package members_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/cluster/internal/members"
)

// names returns the names that a node sees.
func (n *node) names() string {
	var all []string
	for _, o := range n.Nodes() {
		all = append(all, o.Name)
	}
	return strings.Join(all, " ")
}

// wantNames waits until nothing moves and compares what nodes see.
func wantNames(t *testing.T, want string, nodes ...*node) {
	t.Helper()
	synctest.Wait()
	for _, n := range nodes {
		if got := n.names(); got != want {
			t.Errorf("%s sees %q in place of %q", n.name, got, want)
		}
	}
}

// A record is what a watcher was given.
type record struct {
	mu  sync.Mutex
	all []string
}

// watch records changes until the test ends.
func (n *node) watch(t *testing.T) *record {
	r := &record{}
	go func() {
		for c := range n.Watch(t.Context()) {
			r.mu.Lock()
			r.all = append(r.all, fmt.Sprint(map[bool]string{true: "+", false: "-"}[c.Here], c.Name))
			r.mu.Unlock()
		}
	}()
	return r
}

// take waits until nothing moves, and returns what was recorded since the last take.
func (r *record) take() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.all)
	defer func() { r.all = nil }()
	return strings.Join(r.all, " ")
}

// A node that joins sees all others when Claim returns, and they see it.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a, b, c := join3(t, start(t))
		if b.names() == "" || c.names() == "" {
			t.Errorf("when they have claimed their names, b sees %q, c sees %q", b.names(), c.names())
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("joining took %v", took)
		}
		wantNames(t, "a b c", a, b, c)
		if o, ok := a.Node("b"); !ok || o.URL != "wss://b.example" {
			t.Errorf("b is %v, %v", o, ok)
		}
		if _, ok := a.Node("d"); ok {
			t.Error("there is a node d")
		}
	})
}

// A node that dies is gone within its lease time, and once.
func TestDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := join3(t, start(t))
		watched := []*record{a.watch(t), b.watch(t)}
		time.Sleep(time.Minute)
		for _, w := range watched {
			if got := w.take(); got != "+a +b +c" {
				t.Errorf("a minute of three nodes is seen as %q", got)
			}
		}
		c.die()
		time.Sleep(lease / 2)
		wantNames(t, "a b c", a, b)
		time.Sleep(lease / 2)
		wantNames(t, "a b", a, b)
		time.Sleep(time.Minute)
		for _, w := range watched {
			if got := w.take(); got != "-c" {
				t.Errorf("the death of c is seen as %q", got)
			}
		}
	})
}

// A node that leaves is gone at once.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := join3(t, start(t))
		w := a.watch(t)
		w.take()
		c.kill()
		c.Leave()
		wantNames(t, "a b", a, b)
		time.Sleep(time.Minute)
		if got := w.take(); got != "-c" {
			t.Errorf("the leave of c is seen as %q", got)
		}
	})
}

// While nothing gets through, the view stands still, and every node has a full lease to
// renew after that.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		w := a.watch(t)
		w.take()
		net.set(func() { net.away = true })
		time.Sleep(10 * lease)
		wantNames(t, "a b c", a, b, c)
		if !strings.Contains(a.log.String(), "stands still") {
			t.Errorf("a has logged %q", &a.log)
		}
		net.set(func() { net.away, c.cut = false, true })
		time.Sleep(lease / 2)
		wantNames(t, "a b c", a, b)
		net.set(func() { c.cut = false })
		time.Sleep(lease)
		wantNames(t, "a b c", a, b, c)
		if got := w.take(); got != "" {
			t.Errorf("an outage is seen as %q", got)
		}
		if !strings.Contains(a.log.String(), "again") {
			t.Errorf("a has logged %q", &a.log)
		}
	})
}

// A node that was away for longer than its lease learns it and joins again.
func TestAway(t *testing.T) {
	for name, away := range map[string]func(*node) *bool{
		"cut":  func(n *node) *bool { return &n.cut },
		"deaf": func(n *node) *bool { return &n.deaf },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := start(t)
				a, b, c := join3(t, net)
				w, own := a.watch(t), c.watch(t)
				w.take()
				own.take()
				net.set(func() { *away(c) = true })
				time.Sleep(2 * lease)
				net.set(func() { *away(c) = false })
				time.Sleep(2 * lease)
				wantNames(t, "a b c", a, b, c)
				want := "+c -c"
				if name == "deaf" { // its renewals got through
					want = ""
				}
				if got := w.take(); got != want {
					t.Errorf("an absence is seen as %q in place of %q", got, want)
				}
				if got := own.take(); got != want {
					t.Errorf("the node itself saw %q in place of %q", got, want)
				}
				if want != "" && !strings.Contains(c.log.String(), "joins again") {
					t.Errorf("c has logged %q", &c.log)
				}
			})
		})
	}
}

// A process that stood still for longer than its lease is a new incarnation when it runs
// again; what it had sent does not bring back the one that has left.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		w := a.watch(t)
		w.take()
		net.set(func() { c.paused = true })
		time.Sleep(2 * lease)
		if got := w.take(); got != "-c" {
			t.Errorf("a pause is seen as %q", got)
		}
		net.set(func() { c.paused = false })
		for _, d := range c.later {
			net.queue <- d
		}
		time.Sleep(lease)
		wantNames(t, "a b c", a, b, c)
		if got := w.take(); got != "+c" {
			t.Errorf("the end of a pause is seen as %q", got)
		}
	})
}

// Many renewals that come back at once, after the network stood still, count as one.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		w := a.watch(t)
		w.take()
		net.set(func() { a.paused, b.paused, c.paused = true, true, true })
		time.Sleep(3 * lease)
		net.set(func() { a.paused, b.paused, c.paused = false, false, false })
		for _, n := range []*node{a, b, c} { // all of a before anything of the others
			for _, d := range n.later {
				net.queue <- d
			}
		}
		time.Sleep(2 * lease)
		wantNames(t, "a b c", a, b, c)
		if got := w.take(); got != "" {
			t.Errorf("a burst is seen as %q", got)
		}
	})
}

// The name of a node that is there is taken, also if it is slow to answer.
func TestNameTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		if err := net.add("c", "secret").join(t); !errors.Is(err, members.ErrTaken) {
			t.Errorf("another c: %v", err)
		}
		net.set(func() { c.paused = true })
		joined := make(chan error)
		go func() { joined <- net.add("c", "secret").join(t) }()
		time.Sleep(lease/2 + lease/10)
		net.set(func() { c.paused = false })
		for _, d := range c.later {
			net.queue <- d
		}
		if err := <-joined; !errors.Is(err, members.ErrTaken) {
			t.Errorf("another c while c is slow: %v", err)
		}
		time.Sleep(lease)
		wantNames(t, "a b c", a, b, c)
	})
}

// The name of a node that has crashed is free when its lease has passed, and earlier if
// it is not asked any more. The others see both incarnations.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		w := a.watch(t)
		w.take()
		c.die()
		began := time.Now()
		again := net.add("c", "secret")
		if err := again.join(t); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > lease {
			t.Errorf("c joined again after %v", took)
		}
		wantNames(t, "a b c", a, b, again)
		if got := w.take(); got != "+c -c" {
			t.Errorf("a crash is seen as %q", got)
		}
	})
}

// Who waits for the name of a node that has crashed logs that it does, and joins when the
// others have taken that for gone.
func TestWaitForName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		c.die()
		time.Sleep(lease / 2)
		again, joined := net.add("c", "secret"), make(chan error, 1)
		began := time.Now()
		go func() { joined <- again.join(t) }()
		time.Sleep(lease/3 + time.Millisecond)
		wantNames(t, "a b c", a, b)
		if log := again.log.String(); !strings.Contains(log, "waits until") {
			t.Errorf("c has logged %q", log)
		}
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > lease/2 {
			t.Errorf("c joined again after %v, %v after the crash", took, took+lease/2)
		}
		wantNames(t, "a b c", a, b, again)
	})
}

// A node whose name another has tried to take says that, and not that it did not renew its
// lease. Which of the two stays is by chance.
func TestContested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a := net.add("a", "secret")
		if err := a.join(t); err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			name := fmt.Sprint("x", i)
			one, two := net.add(name, "secret"), net.add(name, "secret")
			for _, n := range []*node{one, two} { // neither sees the other
				if err := n.Claim(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			net.set(func() { two.deaf = true })
			one.run(t)
			synctest.Wait()
			net.set(func() { two.deaf = false })
			go two.run(t)
			time.Sleep(2 * lease)
			log := one.log.String()
			if strings.Contains(log, "did not renew") || len(two.done) > 0 && !strings.Contains(log, "tried to take its name") {
				t.Errorf("the first of name %s has logged %q", name, log)
			}
			if len(one.done)+len(two.done) != 1 {
				t.Errorf("%d of the two with name %s have ended", len(one.done)+len(two.done), name)
			}
		}
	})
}

// Of two nodes that take one name at the same time, one stays.
func TestSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		one, two := net.add("x", "secret"), net.add("x", "secret")
		for _, n := range []*node{one, two} {
			if err := n.Claim(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		go one.run(t)
		go two.run(t)
		var err error
		select {
		case err = <-one.done:
			wantNames(t, "x", two)
		case err = <-two.done:
			wantNames(t, "x", one)
		}
		if !errors.Is(err, members.ErrTaken) {
			t.Errorf("the other one ended with %v", err)
		}
		time.Sleep(2 * lease)
		if len(one.done)+len(two.done) > 0 { // the first was taken
			t.Error("both ended")
		}
	})
}

// A node that stood still while another took its name ends when it runs again.
func TestReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		net.set(func() { c.cut, c.asked = true, false })
		time.Sleep(2 * lease)
		again := net.add("c", "secret")
		if err := again.join(t); err != nil {
			t.Fatal(err)
		}
		wantNames(t, "a b c", a, b, again)
		net.set(func() { c.cut, c.asked = false, true })
		if err := <-c.done; !errors.Is(err, members.ErrTaken) {
			t.Errorf("the old c ended with %v", err)
		}
		time.Sleep(lease)
		wantNames(t, "a b c", a, b, again)
	})
}

// A node with another secret than those that are there does not join. They log that it
// tried.
func TestOtherSecret(t *testing.T) {
	for name, silence := range map[string]time.Duration{"at once": 0, "before the next renewals": lease/3 - time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := start(t)
				a, b, c := join3(t, net)
				time.Sleep(silence)
				for range 2 {
					err := net.add("d", "other").join(t)
					if !errors.Is(err, members.ErrSecret) {
						t.Fatalf("a node with another secret: %v", err)
					}
					if named := regexp.MustCompile(`one of them is "[abc]"$`); !named.MatchString(err.Error()) {
						t.Errorf("the error is %q", err)
					}
				}
				wantNames(t, "a b c", a, b, c)
				if log := a.log.String(); !strings.Contains(log, "not authentic") {
					t.Errorf("a has logged %q", log)
				}
			})
		})
	}
}

// Notices that are not authentic do not keep out a node that has the secret of others that
// are there, nor end one that has joined.
func TestForgedWhileJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		net.set(func() { c.paused = true }) // so that d waits
		forge := func() {
			for i := range 100 {
				net.queue <- delivery{from: a, notice: fmt.Append(nil, strings.Repeat("x", 32), `{"kind":"renew","name":"`, i, `"}`)}
			}
		}
		d := net.add("d", "secret")
		forge()
		joined := make(chan error)
		go func() { joined <- d.join(t) }()
		synctest.Wait()
		forge()
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
		net.set(func() { c.paused = false })
		for _, d := range c.later {
			net.queue <- d
		}
		forge()
		wantNames(t, "a b c d", a, b, c, d)
	})
}

// Questions that are not authentic make a node send no more than it does by itself.
func TestForgedQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a := net.add("a", "secret")
		if err := a.join(t); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := len(net.toAll)
		for range 1000 {
			a.Receive(fmt.Append(nil, strings.Repeat("x", 32), `{"kind":"ask","name":"a","incarnation":"I"}`))
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if sent := len(net.toAll) - before; sent > 8 {
			t.Errorf("a has sent %d notices in 10 seconds", sent)
		}
	})
}

// Nodes with two secrets that join at the same time do not see each other, and both say why.
func TestTwoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b := net.add("a", "secret"), net.add("b", "other")
		for _, n := range []*node{a, b} {
			if err := n.Claim(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		a.run(t)
		b.run(t)
		time.Sleep(time.Minute)
		for _, n := range []*node{a, b} {
			wantNames(t, n.name, n)
			log := n.log.String()
			if !strings.Contains(log, "the same NodeOptions.Secret") || strings.Contains(log, "secret=") {
				t.Errorf("%s has logged %q", n.name, log)
			}
			if lines := strings.Count(log, "not authentic"); lines > 10 {
				t.Errorf("%s has logged %d lines in a minute", n.name, lines)
			}
		}
	})
}

// What is not a notice, and what is repeated, changes nothing.
func TestForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, b, c := join3(t, net)
		time.Sleep(lease)
		w := a.watch(t)
		w.take()
		recorded := slices.Clone(net.toAll)
		for _, n := range recorded {
			forged := slices.Clone(n)
			forged[len(forged)-3] ^= 1
			for _, f := range [][]byte{nil, n[:10], n[:40], forged, n} {
				a.Receive(f)
			}
		}
		if got := w.take(); got != "" {
			t.Errorf("what was forged is seen as %q", got)
		}
		c.die()
		time.Sleep(lease)
		for _, n := range recorded { // does not bring c back, nor keep it alive
			a.Receive(n)
		}
		time.Sleep(lease)
		wantNames(t, "a b", a, b)
		if got := w.take(); got != "-c" {
			t.Errorf("repeated notices of c are seen as %q", got)
		}
	})
}

// A watcher that takes its time is given what is so now.
func TestSlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := start(t)
		a, _, _ := join3(t, net)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := map[string]bool{}
		for change := range a.Watch(ctx) {
			if seen[change.Name] == change.Here {
				t.Errorf("%v again", change)
			}
			seen[change.Name] = change.Here
			if len(seen) == 3 { // the first three are taken: what follows goes on meanwhile
				for i := range 5 {
					d := net.add(fmt.Sprint("d", i), "secret")
					if err := d.join(t); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if i < 4 {
						d.kill()
						d.Leave()
						net.set(func() { d.asked = false })
					}
				}
				synctest.Wait()
			}
			if seen["d4"] {
				cancel()
			}
		}
		if len(seen) != 4 {
			t.Errorf("the watcher has seen %v", seen)
		}
	})
}
