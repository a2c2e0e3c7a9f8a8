package topic_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

//go:generate go tool wirecall gen

// News streams a topic of texts.
//
//wirecall:service
//wirecall:error topic.GapError
type News interface {
	//wirecall:cursor after=Seq
	All(ctx context.Context, name string, after topic.Seq) (iter.Seq2[topic.Event[string], error], error)

	//wirecall:cursor after=Seq
	Latest(ctx context.Context, name string, after topic.Seq) (iter.Seq2[topic.Event[string], error], error)

	// Wrapped is All by another iterator.
	Wrapped(ctx context.Context, name string) (iter.Seq2[topic.Event[string], error], error)

	Fragile(ctx context.Context) (iter.Seq2[topic.Event[Fragile], error], error)
}

type news struct{ bus topic.Bus }

func (n news) topic(name string) *topic.Topic[string] { return topic.New[string](n.bus, name) }

func (n news) All(ctx context.Context, name string, after topic.Seq) (iter.Seq2[topic.Event[string], error], error) {
	return n.topic(name).Subscribe(ctx, after), nil
}

func (n news) Latest(ctx context.Context, name string, after topic.Seq) (iter.Seq2[topic.Event[string], error], error) {
	return n.topic(name).Latest(ctx, after), nil
}

func (n news) Wrapped(ctx context.Context, name string) (iter.Seq2[topic.Event[string], error], error) {
	all := n.topic(name).Subscribe(ctx, "")
	return func(yield func(topic.Event[string], error) bool) { all(yield) }, nil
}

// A place is a server of News in memory, in a bubble.
type place struct {
	news
	srv     *rpc.Server
	network *rpctest.Network
	web     *http.Server
}

// open runs a server for the test, at whose end nothing may be left of topics.
func open(t *testing.T, bus topic.Bus) *place {
	t.Helper()
	p := &place{news{bus}, rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{}}), &rpctest.Network{}, nil}
	p.srv.Register(NewsService(p.news))
	p.web = &http.Server{Handler: p.srv}
	go p.web.Serve(p.network.Listen())
	return p
}

// close ends the server and checks what it has left.
func (p *place) close(t *testing.T) {
	t.Helper()
	p.web.Close()
	p.srv.Close()
	synctest.Wait()
	if n := producers(); n > 0 {
		t.Errorf("%d goroutines of streams are left", n)
	}
	if n := topic.Hubs(); n > 0 {
		t.Errorf("%d hubs are left", n)
	}
}

// dial connects a client.
func (p *place) dial(t *testing.T) (*NewsClient, *rpc.Conn) { return p.dialWith(t, codec.JSON) }

func (p *place) dialWith(t *testing.T, cd codec.Codec) (*NewsClient, *rpc.Conn) {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: p.network.Dial, Resume: true, Codec: cd})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewNewsClient(conn), conn
}

// producers returns how many goroutines run streams.
func producers() int {
	var b strings.Builder
	pprof.Lookup("goroutine").WriteTo(&b, 2)
	return strings.Count(b.String(), "session.(*SendStream).run(")
}

// listen reads a subscription and returns what it has read.
func listen(t *testing.T, events iter.Seq2[topic.Event[string], error], err error) (got func() string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	go func() {
		for e, err := range events {
			mu.Lock()
			if err != nil {
				e.Value = "error: " + err.Error()
			}
			all = append(all, e.Value)
			mu.Unlock()
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(all, " ")
	}
}

// A subscription that has come to the end has no goroutine, and is given what is published.
// One in another iterator has one, and the same events.
func TestFedStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &topic.Memory{})
		to := p.topic("t")
		publish := func(values ...string) {
			t.Helper()
			for _, v := range values {
				if _, err := to.Publish(t.Context(), v); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		publish("a", "b")
		var all []func() string
		for range 3 {
			client, _ := p.dial(t)
			for range 3 {
				events, err := client.All(t.Context(), "t", "")
				all = append(all, listen(t, events, err))
			}
		}
		synctest.Wait()
		if n := producers(); n != 0 {
			t.Errorf("%d goroutines for 9 subscriptions", n)
		}
		client, _ := p.dial(t)
		events, err := client.Wrapped(t.Context(), "t")
		all = append(all, listen(t, events, err))
		events, err = client.Latest(t.Context(), "t", "")
		latest := listen(t, events, err)
		synctest.Wait()
		if n := producers(); n != 1 {
			t.Errorf("%d goroutines with one in another iterator", n)
		}
		publish("c")
		publish("d", "e")
		for i, got := range all {
			if got() != "a b c d e" {
				t.Errorf("subscription %d has got %q", i, got())
			}
		}
		if latest() != "b c d e" {
			t.Errorf("the latest have been %q", latest())
		}
		p.close(t)
	})
}

// A reader that is slow holds nobody up, has its events when it reads, and a gap if it is passed.
func TestFedSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &topic.Memory{Retention: topic.Retention{Events: 2000}})
		to := p.topic("t")
		slow, _ := p.dial(t)
		subscribed, err := slow.All(t.Context(), "t", "")
		if err != nil {
			t.Fatal(err)
		}
		next, stop := iter.Pull2(subscribed)
		defer stop()
		quick, _ := p.dial(t)
		events, err := quick.All(t.Context(), "t", "")
		got := listen(t, events, err)
		synctest.Wait()
		want := make([]string, 1000)
		for i := range want {
			want[i] = fmt.Sprint(i, strings.Repeat("x", 200))
			to.Publish(t.Context(), want[i])
		}
		synctest.Wait()
		if got() != strings.Join(want, " ") {
			t.Errorf("the quick reader has got %d bytes", len(got()))
		}
		if n := producers(); n != 1 {
			t.Errorf("%d goroutines with one slow reader", n)
		}
		for i := range want {
			if e, err, _ := next(); err != nil || e.Value != want[i] {
				t.Fatalf("the slow reader has got %.10q, %v in place of event %d", e.Value, err, i)
			}
		}
		synctest.Wait()
		if n := producers(); n != 0 {
			t.Errorf("%d goroutines when it has caught up", n)
		}
		for i := range 5000 {
			to.Publish(t.Context(), fmt.Sprint(i))
		}
		for err == nil {
			_, err, _ = next()
		}
		if _, ok := errors.AsType[*topic.GapError](err); !ok {
			t.Errorf("passed by retention, it ends with %v", err)
		}
		p.close(t)
	})
}

// A hooked bus calls a function before and after each Read, with whether a hub reads, whose
// context is no call's.
type hooked struct {
	*topic.Memory
	before func(hub bool) error
	after  func(hub bool, p topic.Page)
}

func (h *hooked) Read(ctx context.Context, name string, after uint64, max int) (topic.Page, error) {
	_, ofCall := rpc.ConnFromContext(ctx)
	if h.before != nil {
		if err := h.before(!ofCall); err != nil {
			return topic.Page{}, err
		}
	}
	p, err := h.Memory.Read(ctx, name, after, max)
	if h.after != nil {
		h.after(!ofCall, p)
	}
	return p, err
}

// If the bus fails while streams wait, each reads for itself and waits again.
func TestFedByFailingBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		p := open(t, &hooked{Memory: &topic.Memory{}, before: func(hub bool) error {
			if hub && fails.Swap(false) {
				return errors.New("the bus fails")
			}
			return nil
		}})
		var all []func() string
		for range 3 {
			client, _ := p.dial(t)
			events, err := client.All(t.Context(), "t", "")
			all = append(all, listen(t, events, err))
		}
		synctest.Wait()
		for _, v := range []string{"a", "b", "c"} {
			fails.Store(v == "b")
			p.topic("t").Publish(t.Context(), v)
			synctest.Wait()
			if fails.Load() || producers() != 0 {
				t.Errorf("after %s: %d goroutines, has failed: %t", v, producers(), !fails.Load())
			}
		}
		for i, got := range all {
			if got() != "a b c" {
				t.Errorf("subscription %d has got %q", i, got())
			}
		}
		p.close(t)
	})
}

// While a stream is about to wait, an event is pushed to the others: it reads on.
func TestFedBetweenReadAndPark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var armed atomic.Bool
		bus := &hooked{Memory: &topic.Memory{}}
		p := open(t, bus)
		bus.after = func(hub bool, page topic.Page) {
			if !hub && len(page.Records) == 0 && armed.Swap(false) {
				p.topic("t").Publish(t.Context(), "b")
				synctest.Wait() // the hub has pushed it
			}
		}
		p.topic("t").Publish(t.Context(), "a")
		var all []func() string
		for i := range 2 {
			armed.Store(i == 1)
			client, _ := p.dial(t)
			events, err := client.All(t.Context(), "t", "")
			all = append(all, listen(t, events, err))
			time.Sleep(time.Second) // in the bubble: until nothing happens; the hook waits so, too
		}
		for i, got := range all {
			if got() != "a b" {
				t.Errorf("subscription %d has got %q", i, got())
			}
		}
		p.close(t)
	})
}

// A stream that waits with an event that has not been pushed yet does not get it twice.
func TestFedAheadOfTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, release := &hooked{Memory: &topic.Memory{}}, make(chan struct{})
		var armed atomic.Bool
		bus.before = func(hub bool) error {
			if hub && armed.Swap(false) {
				<-release
			}
			return nil
		}
		p := open(t, bus)
		p.topic("t").Publish(t.Context(), "a")
		var all []func() string
		for i := range 2 {
			client, _ := p.dial(t)
			events, err := client.All(t.Context(), "t", "")
			all = append(all, listen(t, events, err))
			synctest.Wait()
			if i == 0 {
				armed.Store(true)
				p.topic("t").Publish(t.Context(), "b")
				synctest.Wait()
			}
		}
		close(release)
		p.topic("t").Publish(t.Context(), "c")
		synctest.Wait()
		for i, got := range all {
			if got() != "a b c" {
				t.Errorf("subscription %d has got %q", i, got())
			}
		}
		p.close(t)
	})
}

// A bus is set up anew, of which nobody is told. A stream that begins then waits for its
// events, and those that waited before end with a gap.
func TestFedOfAnotherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &replaced{Memory: &topic.Memory{}, reads: 100}
		p := open(t, bus)
		old := bus.Memory
		p.topic("t").Publish(t.Context(), "a")
		var all []func() string
		for i := range 2 {
			if i == 1 {
				bus.now.Store(new(topic.Memory))
			}
			client, _ := p.dial(t)
			events, err := client.All(t.Context(), "t", "")
			all = append(all, listen(t, events, err))
			synctest.Wait()
		}
		if n := producers(); n != 0 {
			t.Errorf("%d goroutines wait", n)
		}
		bus.now.Load().Append(t.Context(), "t", topic.Entry{Data: []byte(`"b"`)})
		old.Append(t.Context(), "t", topic.Entry{Data: []byte(`"unread"`)}) // this one is followed
		synctest.Wait()
		if got := all[0](); !strings.HasPrefix(got, "a error: the events after ") {
			t.Errorf("the one that began before has got %q", got)
		}
		if got := all[1](); got != "b" {
			t.Errorf("the one that began behind it has got %q", got)
		}
		p.close(t)
	})
}

// A replaced bus reads from another once there is one, and follows the first for ever. It
// fails after so many reads.
type replaced struct {
	*topic.Memory
	now   atomic.Pointer[topic.Memory]
	reads int64
	n     atomic.Int64
}

func (r *replaced) Read(ctx context.Context, name string, after uint64, max int) (topic.Page, error) {
	if r.n.Add(1) > r.reads {
		return topic.Page{}, errors.New("too many reads")
	}
	if now := r.now.Load(); now != nil {
		return now.Read(ctx, name, after, max)
	}
	return r.Memory.Read(ctx, name, after, max)
}

// A stream whose consumer leaves while it is about to wait does not wait.
func TestFedStoppedBeforePark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		bus := &hooked{Memory: &topic.Memory{}}
		bus.after = func(hub bool, _ topic.Page) {
			if !hub {
				synctest.Wait() // the client has its answer
				cancel()
				synctest.Wait() // the server knows
			}
		}
		p := open(t, bus)
		client, _ := p.dial(t)
		if _, err := client.All(ctx, "t", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // in the bubble, as above
		if n := topic.Hubs(); n != 0 {
			t.Errorf("%d hubs have the stream", n)
		}
		p.close(t)
	})
}

// Every way in which a stream can end ends one that has no goroutine.
func TestFedStreamsEnd(t *testing.T) {
	for name, end := range map[string]func(p *place, conn *rpc.Conn, cancel, leave func()){
		"the consumer leaves":     func(_ *place, _ *rpc.Conn, _, leave func()) { leave() },
		"the context ends":        func(_ *place, _ *rpc.Conn, cancel, _ func()) { cancel() },
		"the client closes":       func(_ *place, conn *rpc.Conn, _, _ func()) { conn.Close() },
		"the server closes":       func(p *place, _ *rpc.Conn, _, _ func()) { p.srv.Close() },
		"the server shuts down":   func(p *place, _ *rpc.Conn, _, _ func()) { p.srv.Shutdown(context.Background()) },
		"the session is too late": func(p *place, conn *rpc.Conn, _, _ func()) { p.network.Cut(); conn.Close(); time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := open(t, &topic.Memory{})
				client, conn := p.dial(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				events, err := client.All(ctx, "t", "")
				if err != nil {
					t.Fatal(err)
				}
				next, stop := iter.Pull2(events)
				defer stop()
				p.topic("t").Publish(t.Context(), "a")
				next()
				synctest.Wait()
				end(p, conn, cancel, stop)
				synctest.Wait()
				p.topic("t").Publish(t.Context(), "b")
				p.close(t)
			})
		})
	}
}

// Events that cannot be pushed are sent all the same: large ones and those over the limit
// of the peer, which are errors. Each codec has its own encoding.
func TestFedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &topic.Memory{})
		sizes := []int{1, 9 << 10, 10, 100 << 10, 8 << 10, 8<<10 - 1, 100}
		var all []func() string
		for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
			client, _ := p.dialWith(t, cd)
			events, err := client.All(t.Context(), "t", "")
			all = append(all, listen(t, events, err))
		}
		synctest.Wait()
		var want []string
		for i, n := range sizes {
			want = append(want, strings.Repeat(string(rune('a'+i)), n))
			p.topic("t").Publish(t.Context(), want[i])
			synctest.Wait()
		}
		for i, got := range all {
			if got() != strings.Join(want, " ") {
				t.Errorf("subscription %d has got %d bytes of %d", i, len(got()), len(strings.Join(want, " ")))
			}
		}
		if n := producers(); n != 0 {
			t.Errorf("%d goroutines after events of all sizes", n)
		}
		p.topic("t").Publish(t.Context(), strings.Repeat("z", 2<<20))
		synctest.Wait()
		for i, got := range all {
			if _, end, _ := strings.Cut(got(), "error: "); !strings.Contains(end, "is over the peer's limit") {
				t.Errorf("subscription %d ends with %q", i, end)
			}
		}
		p.close(t)
	})
}

// Many subscribe, leave and are cut while several publish. Each has each event once, in order.
func TestFedOverCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const publishers, each, clients = 3, 300, 6
		p := open(t, &topic.Memory{})
		to := p.topic("t")
		var all sync.WaitGroup
		for range publishers {
			all.Go(func() {
				for range each {
					to.Publish(t.Context(), "x")
					time.Sleep(time.Millisecond)
				}
			})
		}
		for c := range clients {
			client, _ := p.dial(t)
			all.Go(func() {
				var after topic.Seq
				for n := uint64(0); n < publishers*each; { // as often as it leaves
					events, err := client.All(t.Context(), "t", after)
					if err != nil {
						t.Error(err)
						return
					}
					for e, err := range events {
						if err != nil {
							t.Error(err)
							return
						}
						if n++; e.Seq.Number() != n {
							t.Errorf("event %d in place of %d", e.Seq.Number(), n)
							return
						}
						if after = e.Seq; n == publishers*each || c > 2 && n%100 == 0 {
							break
						}
					}
				}
			})
		}
		done := make(chan struct{})
		go func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
					p.network.Cut()
				}
			}
		}()
		all.Wait()
		close(done)
		if p.network.Stats().Cuts < 5 {
			t.Errorf("%d cuts", p.network.Stats().Cuts)
		}
		p.close(t)
	})
}

// Whoever asks for the latest event of a topic without any gets the first one.
func TestFedLatestOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &topic.Memory{})
		client, _ := p.dial(t)
		events, err := client.Latest(t.Context(), "t", "")
		got := listen(t, events, err)
		synctest.Wait()
		p.topic("t").Publish(t.Context(), "a")
		synctest.Wait()
		if got() != "a" {
			t.Errorf("got %q", got())
		}
		p.close(t)
	})
}
