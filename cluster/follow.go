package cluster

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A follower is the subscription of a node to what is stored in a topic, for all who follow
// the topic there.
type follower struct {
	class *class // nil if the topic is of none
	name  string
	sub   *nats.Subscription // nil if there is no class or the connection is closed
	users int                // guarded by Bus.mu

	reading chan struct{} // has a value while one reads what the tail lacks

	mu      sync.Mutex
	changed chan struct{} // closed when there may be new events; nil while nobody waits
	tail    tail
	active  bool // whether an event was published live since the last check
	checked bool // whether there was a check
}

// Follow implements topic.Bus.
func (b *Bus) Follow(name string) (next func() <-chan struct{}, stop func()) {
	f := b.follow(name)
	return f.next, sync.OnceFunc(func() { b.unfollow(f) })
}

// follow returns the follower of a topic for one who follows it. What is stored after a
// Read that begins later is published to it, since the server gets the subscription first.
func (b *Bus) follow(name string) *follower {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.followers[name]
	if f == nil {
		f = &follower{name: name, reading: make(chan struct{}, 1)}
		if c, err := b.class(name); err == nil {
			f.class = c
			f.sub, _ = b.nc.ChanSubscribe(b.subject("l", name), b.live)
			b.checkSoon()
		}
		b.followers[name] = f
	}
	f.users++
	return f
}

// checkSoon has new followers checked if there are several servers: the one that publishes
// what is stored may learn of a subscription later than another answers a Read. Bus.mu
// must be held.
func (b *Bus) checkSoon() {
	if b.checking || b.nc.ConnectedClusterName() == "" {
		return
	}
	b.checking = true
	time.AfterFunc(b.quiet/20, func() {
		b.mu.Lock()
		b.checking = false
		b.mu.Unlock()
		b.check(unchecked)
	})
}

// unfollow ends what follow began.
func (b *Bus) unfollow(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.users--; f.users > 0 {
		return
	}
	delete(b.followers, f.name)
	if f.sub != nil {
		f.sub.Unsubscribe()
	}
}

// follower returns the follower of a topic, or nil.
func (b *Bus) follower(name string) *follower {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.followers[name]
}

// receive gives a live message to the follower of its topic. It does not wait.
func (b *Bus) receive(m *nats.Msg) {
	f := b.follower(strings.TrimPrefix(m.Subject, b.livePrefix))
	if f == nil || f.class == nil {
		return
	}
	r, _, err := recordOf(m)
	before, errBefore := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || errBefore != nil || m.Header.Get("Nats-Msg-Size") != "" { // another bus has had it published without data
		f.tail.markStale()
	} else {
		f.tail.receive(r, before)
		f.trim()
		f.class.stored(f.tail.epoch, r.Number)
	}
	f.active = true
	f.fire()
}

// next returns a channel that the next event closes.
func (f *follower) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// fire wakes who waits. The mutex must be held.
func (f *follower) fire() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// trim keeps of the tail no more than the class keeps. The mutex must be held.
func (f *follower) trim() {
	events, oldest := tailEvents, time.Time{}
	if n := f.class.keep.Events; n > 0 {
		events = min(events, n)
	}
	if age := f.class.keep.Age; age > 0 {
		oldest = time.Now().Add(-age)
	}
	f.tail.trim(events, oldest)
}

// suspect marks the tail as one that may lack events, until it is compared with the
// stream. It is called when the connection to NATS was broken.
func (f *follower) suspect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tail.markStale()
}

// again is after what time the stream is read again where the server that has answered
// lacks an event that was published live.
const again = 50 * time.Millisecond

// read reads from the tail, or what it does not cover from the stream.
func (f *follower) read(ctx context.Context, after uint64, limit int) (topic.Page, error) {
	p, ok, behind := f.page(after, limit)
	if !ok {
		return f.readStream(ctx, after, limit)
	}
	if len(p.Records) > 0 || !behind {
		return p, nil
	}
	if err := f.catchUp(ctx); err != nil {
		return topic.Page{}, err
	}
	p, ok, behind = f.page(after, limit)
	if !ok {
		return f.readStream(ctx, after, limit)
	}
	if len(p.Records) == 0 && behind {
		time.AfterFunc(again, f.wake)
	}
	return p, nil
}

// page returns what the tail has behind a number, whether it covers that, and whether
// there may be more behind the tail.
func (f *follower) page(after uint64, limit int) (p topic.Page, ok, behind bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trim()
	if !f.tail.covers(after) {
		return p, false, false
	}
	return f.tail.page(after, limit), true, f.tail.behind()
}

// wake wakes who waits.
func (f *follower) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fire()
}

// catchUp reads what the tail lacks, once for all who need it.
func (f *follower) catchUp(ctx context.Context) error {
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.mu.Lock()
	through, behind := f.tail.through, f.tail.epoch != "" && f.tail.behind()
	f.mu.Unlock()
	if !behind {
		return nil
	}
	_, err := f.readStream(ctx, through, tailEvents)
	return err
}

// readStream reads from the stream, and extends the tail by what it has read.
func (f *follower) readStream(ctx context.Context, after uint64, limit int) (topic.Page, error) {
	f.mu.Lock()
	stale := f.tail.stale
	f.mu.Unlock()
	p, end, err := f.class.read(ctx, f.name, after, limit)
	if err != nil {
		return p, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.Epoch != f.class.currentEpoch() { // recreated meanwhile
		return p, nil
	}
	epoch, last := f.tail.epoch, f.tail.last
	f.tail.extend(p, after, end)
	if end {
		f.tail.markVerified(stale)
	}
	f.trim()
	if epoch != f.tail.epoch || last != f.tail.last {
		f.fire() // others may wait for what no live message has shown
	}
	return p, nil
}
