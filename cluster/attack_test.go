package cluster_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Names that clients have chosen reach the subjects of their topics and no other.
func TestNamesReachOneSubject(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	bus := open(t, connectTo(t, s), topic.Retention{})
	spy := connectTo(t, s)
	seen, err := spy.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	spy.Flush()
	var want []string
	for i, key := range []string{"*", ">", "a.>", "", ".", "a b", "a\r\nPUB wc.t.t.x 1\r\n1", "é", "\x00", "$JS.API.STREAM.DELETE.WC_T_t", strings.Repeat("x", 200)} {
		name := topic.Name("t", key)
		publish(t, topic.New[int](bus, name), i)
		want = append(want, "wc.t."+name)
		if strings.ContainsAny(name[2:], ".*> \r\n$") {
			t.Errorf("%q has the name %q", key, name)
		}
	}
	for _, name := range []string{"t.>", "t.*", "t.", "t..x", "*", strings.Repeat("x", 10<<10)} {
		if _, err := topic.New[int](bus, name).Publish(t.Context(), 1); err == nil || len(err.Error()) > 400 {
			t.Errorf("published to %.40q: %v", name, err)
		}
	}
	if _, err := topic.New[int](bus, topic.Name("t", strings.Repeat("x", 10<<10))).Publish(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "a name of 10242 bytes; it has 255 at most") {
		t.Errorf("a key of 10 KiB: %v", err)
	}
	bus.Append(t.Context(), "t.end", topic.Entry{Data: []byte("1")})
	for got := []string(nil); ; {
		m, err := seen.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == "wc.t.t.end" {
			if !slices.Equal(got, want) {
				t.Errorf("published to %q, want %q", got, want)
			}
			return
		}
		if strings.HasPrefix(m.Subject, "wc.t.") {
			got = append(got, m.Subject)
		}
	}
}

// A subscriber that does not read costs what one page does, and nobody waits for it.
func TestSubscriberThatNeverReads(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	events := 10_000 * *models
	opts := &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {Events: 100}}, Memory: true}
	bus, err := cluster.NewBus(t.Context(), connectTo(t, s), opts)
	if err != nil {
		t.Fatal(err)
	}
	to := topic.New[string](bus, "t")
	to.Publish(t.Context(), "first")
	pull, end := iter.Pull2(to.Subscribe(t.Context(), ""))
	defer end()
	pull()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	text := strings.Repeat("x", 1000)
	for range 8 {
		all.Go(func() {
			for range events / 8 {
				if _, err := to.Publish(t.Context(), text); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes more after %d events", grown, events)
	}
	if _, err, _ := pull(); !isGap(err) {
		t.Errorf("passed by retention, it has %v", err)
	}
}

func isGap(err error) bool {
	_, ok := errors.AsType[*topic.GapError](err)
	return ok
}

// What NATS does not take is an error of the publisher that says why. Readers go on.
func TestEventsThatNATSRefuses(t *testing.T) {
	opts := options(t.TempDir(), server.RANDOM_PORT)
	opts.MaxPayload, opts.JetStreamMaxStore = 64<<10, 1<<20
	s, stop := startWith(t, opts)
	defer stop()
	bus := open(t, connectTo(t, s), topic.Retention{Events: 1000})
	to := topic.New[string](bus, "t")
	all, end := iter.Pull2(to.Subscribe(t.Context(), ""))
	defer end()
	text := strings.Repeat("x", 63<<10)
	if _, err := to.Publish(t.Context(), text); err != nil {
		t.Errorf("an event that fits: %v", err)
	}
	if e, err, _ := all(); e.Value != text {
		t.Errorf("an event of %d bytes, %v", len(e.Value), err)
	}
	if _, err := to.Publish(t.Context(), strings.Repeat("x", 64<<10)); err == nil || err.Error() != "cluster: publish to t: the event has 65538 bytes of JSON, and max_payload of NATS is 65536: nats: maximum payload exceeded" {
		t.Errorf("an event that does not fit: %v", err)
	}
	n := 1
	var err error
	for ; err == nil && n < 100; n++ {
		_, err = to.Publish(t.Context(), text)
	}
	if err == nil || !strings.Contains(err.Error(), "resources") && !strings.Contains(err.Error(), "maximum") {
		t.Errorf("with a full store: %v", err)
	}
	for range n - 2 {
		if e, err, _ := all(); e.Value != text {
			t.Fatalf("an event of %d bytes, %v", len(e.Value), err)
		}
	}
}

// A connection that lacks a permission is told which, where it needs it.
func TestPermissions(t *testing.T) {
	opts := options(t.TempDir(), server.RANDOM_PORT)
	deny := func(user string, publish, subscribe []string) *server.User {
		return &server.User{Username: user, Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: publish}, Subscribe: &server.SubjectPermission{Deny: subscribe},
		}}
	}
	opts.Users = []*server.User{
		deny("all", nil, nil),
		deny("noapi", []string{"$JS.API.STREAM.INFO.>"}, nil),
		deny("nocreate", []string{"$JS.API.STREAM.UPDATE.>"}, nil),
		deny("nolive", nil, []string{"wc.l.>"}),
		deny("nopublish", []string{"wc.t.>"}, nil),
		deny("noread", []string{"$JS.API.DIRECT.GET.>"}, nil),
	}
	opts.Users = append(opts.Users, &server.User{Username: "enough", Password: "p", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"wc.t.>", "$JS.API.STREAM.INFO.WC_T_t", "$JS.API.STREAM.CREATE.WC_T_t", "$JS.API.STREAM.UPDATE.WC_T_t", "$JS.API.DIRECT.GET.WC_T_t",
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{"wc.l.>", "_INBOX.>"}},
	}})
	s, stop := startWith(t, opts)
	defer stop()
	as := func(user string) (topic.Bus, error) {
		nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		return cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{"t": {}}})
	}
	refused := func(what string, err error, subject string) {
		t.Helper()
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), subject) {
			t.Errorf("%s: %v", what, err)
		}
	}
	enough, err := as("enough")
	if err != nil {
		t.Fatal(err)
	}
	to := topic.New[int](enough, "t.enough")
	next := pull(t, to, "")
	for i := range 3 {
		publish(t, to, i)
		wantEvent(t, next, i)
	}
	for user, subject := range map[string]string{"noapi": "$JS.API.STREAM.INFO.WC_T_t", "nocreate": "$JS.API.STREAM.UPDATE.WC_T_t", "nolive": "wc.l.t.>"} {
		_, err := as(user)
		refused(user, err, subject)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	bus, err := as("nopublish")
	if err != nil {
		t.Fatal(err)
	}
	_, err = topic.New[int](bus, "t.a").Publish(ctx, 1)
	refused("publish", err, "wc.t.t.a")
	if bus, err = as("noread"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, _, err = topic.New[int](bus, "t.a").Last(ctx)
	refused("read", err, "$JS.API.DIRECT.GET.WC_T_t")
}

// A stream of somebody else is not taken for one of the bus.
func TestStreamsOfOthers(t *testing.T) {
	s, stop := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop()
	nc := connectTo(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, subjects := range map[string][]string{"WC_T_a": {"orders.>"}, "OTHER": {"wc.t.b.>"}} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects}); err != nil {
			t.Fatal(err)
		}
	}
	for class, want := range map[string]string{"a": `there is a stream WC_T_a already, with the subjects ["orders.>"]`, "b": "subjects overlap with an existing stream"} {
		_, err := cluster.NewBus(t.Context(), nc, &cluster.BusOptions{Classes: map[string]topic.Retention{class: {}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("class %s: %v", class, err)
		}
	}
	stream, err := js.Stream(t.Context(), "WC_T_a")
	if err != nil || stream.CachedInfo().Config.Subjects[0] != "orders.>" {
		t.Errorf("the stream of the other: %v", err)
	}
}
