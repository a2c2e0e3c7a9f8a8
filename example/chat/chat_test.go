package chat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// serve opens a room on a server and returns what enters it: a connection of
// its own for each visitor.
func serve(t *testing.T) (enter func() (*RoomClient, *rpc.Conn)) {
	srv := rpc.NewServer(nil)
	srv.Register(RoomService(InMemory()))
	return func() (*RoomClient, *rpc.Conn) {
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		return NewRoomClient(conn), conn
	}
}

// post posts, which must work.
func post(t *testing.T, r Room, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := r.Post(t.Context(), "ann", text); err != nil {
			t.Fatal(err)
		}
	}
}

// follow pulls from what a method has returned.
func follow[T any](t *testing.T, seq iter.Seq2[T, error], err error) (next func() T) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	pull, stop := iter.Pull2(seq)
	t.Cleanup(stop)
	return func() T {
		t.Helper()
		v, err, ok := pull()
		if !ok || err != nil {
			t.Fatal("the stream has ended:", err)
		}
		return v
	}
}

func TestHistoryThenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, _ := serve(t)()
		post(t, room, "one", "two", "three")
		seq, err := room.Messages(t.Context(), 1)
		next := follow(t, seq, err)
		for i, want := range []string{"two", "three", "four", "five"} {
			if i == 2 {
				synctest.Wait() // until the stream waits at the end of the history
				post(t, room, "four", "five")
			}
			if m := next(); m.Text != want || m.ID != int64(i)+2 {
				t.Errorf("message %d is %q, want %q", m.ID, m.Text, want)
			}
		}
	})
}

func TestSlowReaderLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enter := serve(t)
		slow, _ := enter()
		quick, _ := enter()
		seq, err := slow.Messages(t.Context(), 0)
		next := follow(t, seq, err)
		seq, err = quick.Messages(t.Context(), 0)
		live := follow(t, seq, err)
		const n = 1000
		for i := range n {
			post(t, quick, fmt.Sprint(i))
			live() // not held up
		}
		for i := range n {
			if m := next(); m.ID != int64(i)+1 || m.Text != fmt.Sprint(i) {
				t.Fatalf("message %d is %d, %q", i+1, m.ID, m.Text)
			}
		}
	})
}

func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, _ := serve(t)()
		worst := strings.Repeat("\x00", MaxText) // six times as long in JSON
		seq, err := room.Messages(t.Context(), 0)
		next := follow(t, seq, err)
		post(t, room, worst)
		if next().Text != worst {
			t.Error("the longest text is not what was posted")
		}
		_, err = room.Post(t.Context(), "ann", worst+"!")
		if e, ok := errors.AsType[*TooLong](err); !ok || *e != (TooLong{"text", MaxText + 1, MaxText}) {
			t.Errorf("a text too long: %v", err)
		}
		_, err = room.Post(t.Context(), strings.Repeat("ann", MaxAuthor), "hi")
		if e, ok := errors.AsType[*TooLong](err); !ok || e.What != "author" {
			t.Errorf("an author too long: %v", err)
		}
		_, err = room.Post(t.Context(), "ann", strings.Repeat("x", 2<<20))
		if !errors.Is(err, rpc.CodeTooLarge) {
			t.Errorf("a text of 2 MiB: %v", err)
		}
		if _, _, err := room.Watch(t.Context(), worst); err == nil {
			t.Error("watched under an endless name")
		}
	})
}

func TestImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, _ := serve(t)()
		texts := func(yield func(Message, error) bool) {
			for i := range 200 {
				if !yield(Message{ID: 7, Author: "bob", Text: fmt.Sprint(i)}, nil) {
					return
				}
			}
		}
		if n, err := room.Import(t.Context(), texts); n != 200 || err != nil {
			t.Fatalf("imported %d: %v", n, err)
		}
		seq, err := room.Messages(t.Context(), 100)
		if m := follow(t, seq, err)(); m.ID != 101 || m.Text != "100" || m.Author != "bob" {
			t.Errorf("imported %+v", m)
		}
		_, err = room.Import(t.Context(), func(yield func(Message, error) bool) {
			_ = yield(Message{Text: "kept"}, nil) && yield(Message{Text: strings.Repeat("x", MaxText+1)}, nil)
		})
		if _, ok := errors.AsType[*TooLong](err); !ok || !strings.HasPrefix(err.Error(), "after 1 messages") {
			t.Errorf("imported a text too long: %v", err)
		}
	})
}

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enter := serve(t)
		ann, _ := enter()
		now, seq, err := ann.Watch(t.Context(), "ann")
		next := follow(t, seq, err)
		if !slices.Equal(now.Online, []string{"ann"}) {
			t.Errorf("ann finds %v", now.Online)
		}
		synctest.Wait() // until her stream has begun
		expect := func(want string) {
			t.Helper()
			if d := next(); fmt.Sprint(d) != want {
				t.Errorf("ann hears of %v, want %s", d, want)
			}
		}

		bob, line := enter()
		now, _, err = bob.Watch(t.Context(), "bob")
		if err != nil || !slices.Equal(now.Online, []string{"ann", "bob"}) {
			t.Errorf("bob finds %v, %v", now.Online, err)
		}
		expect("{[bob] [] []}")

		bob.Typing(t.Context(), "nobody")
		bob.Typing(t.Context(), "bob")
		expect("{[] [] [bob]}")

		// A second terminal of bob's neither comes nor goes, as others see it.
		ctx, cancel := context.WithCancel(t.Context())
		again, _ := enter()
		if _, _, err = again.Watch(ctx, "bob"); err != nil {
			t.Error(err)
		}
		cancel()
		synctest.Wait()

		line.Close()
		expect("{[] [bob] []}")
	})
}

// Who calls Watch and does not range over the stream is not in the room.
func TestWatchWithoutRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := InMemory()
		now, _, err := room.Watch(t.Context(), "ann")
		if err != nil || !slices.Equal(now.Online, []string{"ann"}) {
			t.Errorf("%v, %v", now, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, changes, err := room.Watch(ctx, "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rpc.Collect(changes); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if now, _, err := room.Watch(t.Context(), ""); err != nil || len(now.Online) > 0 {
			t.Errorf("in the room: %v, %v", now, err)
		}
	})
}

// A watcher that does not read is told of little.
func TestSlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enter := serve(t)
		ann, _ := enter()
		_, seq, err := ann.Watch(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until her stream has begun
		for range 2000 {
			bob, line := enter()
			if _, _, err := bob.Watch(t.Context(), "bob"); err != nil {
				t.Fatal(err)
			}
			line.Close()
		}
		cat, _ := enter()
		if _, _, err := cat.Watch(t.Context(), "cat"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		here, deltas := map[string]bool{}, 0
		for d, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			deltas++
			for _, name := range d.Joined {
				here[name] = true
			}
			for _, name := range d.Left {
				delete(here, name)
			}
			if here["cat"] {
				break
			}
		}
		if here["bob"] || deltas > 500 {
			t.Errorf("after %d deltas there are %v", deltas, here)
		}
	})
}

// Twenty clients over real WebSockets post and read at the same time. Each sees
// everything once, and all in the same order.
func TestEverybodySeesTheSame(t *testing.T) {
	const clients, each = 20, 50
	srv := rpc.NewServer(nil)
	defer srv.Close()
	srv.Register(RoomService(InMemory()))
	web := httptest.NewServer(srv)
	defer web.Close()

	seen := make([][]Message, clients)
	var done sync.WaitGroup
	for c := range clients {
		done.Go(func() {
			conn, err := rpc.Dial(t.Context(), web.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			room := NewRoomClient(conn)
			var posting sync.WaitGroup
			defer posting.Wait()
			posting.Go(func() {
				for i := range each {
					if _, err := room.Post(t.Context(), fmt.Sprint(c), fmt.Sprint(i)); err != nil {
						t.Error(err)
					}
				}
			})
			messages, _ := room.Messages(t.Context(), 0) // yields the error, too
			for m, err := range messages {
				if err != nil {
					t.Error(err)
					return
				}
				if seen[c] = append(seen[c], m); len(seen[c]) == clients*each {
					return
				}
			}
		})
	}
	done.Wait()

	said := make(map[string]bool)
	for i, m := range seen[0] {
		said[m.Author+" "+m.Text] = true
		if m.ID != int64(i)+1 {
			t.Fatalf("message %d has id %d", i+1, m.ID)
		}
	}
	if len(said) != clients*each {
		t.Errorf("%d different messages, want %d", len(said), clients*each)
	}
	for c := range seen {
		if !slices.EqualFunc(seen[c], seen[0], func(a, b Message) bool { return a.ID == b.ID && a.Text == b.Text && a.Author == b.Author }) {
			t.Errorf("client %d has seen something else than client 0", c)
		}
	}
}
