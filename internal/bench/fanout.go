package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A post is an event that goes to every subscriber, and links to the next one.
// Subscribers wait for ready; the publisher does not wait for subscribers.
type post struct {
	ready  chan struct{} // closed when the fields below are set
	item   Item
	shared rpc.Shared[Item]
	next   *post
}

func newPost() *post { return &post{ready: make(chan struct{})} }

// A board is where events are published.
type board struct {
	mu  sync.Mutex
	end *post // to be the next event
	seq int64
}

// news is the board of this process, which live streams follow.
var news = &board{end: newPost()}

func (b *board) last() *post {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end
}

// A Publication is so many events at once, whose symbols have a size.
type Publication struct{ Events, Size int }

func (b *board) publish(p Publication) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range p.Events {
		b.seq++
		at := b.end
		at.item = Feed{Size: p.Size}.item(b.seq)
		at.shared, at.next = rpc.Share(at.item), newPost()
		b.end = at.next
		close(at.ready)
	}
}

// follow sends item 0, which says that the stream has begun, and then each
// event.
func (f Feed) follow(ctx context.Context, send func(*post) error) error {
	at := news.last()
	if err := send(hello(f)); err != nil {
		return err
	}
	for {
		select {
		case <-at.ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := send(at); err != nil {
			return err
		}
		at = at.next
	}
}

func hello(f Feed) *post { return &post{item: f.item(0), shared: rpc.Share(f.item(0))} }

// Publish publishes and tells when it began to.
func (*Control) Publish(p Publication, at *time.Time) error {
	*at = time.Now()
	news.publish(p)
	return nil
}

// eventSize makes an event of 200 bytes or so as JSON.
const eventSize = 160

// fanouts are the works of -fanout and -wide.
func fanouts(name string, conns, streams int) (all []Work) {
	to := fmt.Sprintf("to %s subscribers, %d on each of %s connections", whole(conns*streams), streams, whole(conns))
	for _, w := range []Work{
		{Name: name + "-1", Events: 1, Label: "1 event at a time", Title: "an event of 200 bytes at a time " + to},
		{Name: name + "-16", Events: 16, Label: "16 events at a time", Title: "16 events of 200 bytes at a time " + to},
	} {
		w.Kind, w.Conns, w.Streams, w.Size = FanOut, conns, streams, eventSize
		all = append(all, w)
	}
	return all
}

// timedOf is among how many subscribers one is whose deliveries are timed. It has no factor
// in common with a number of connections.
const timedOf = 7

// A subscriber is a stream of a fan-out.
type subscriber struct {
	tally
	timed bool
	got   []time.Time // when it got what was published last, if it is timed
}

// A crowd is the subscribers of a fan-out.
type crowd struct {
	all     []*subscriber
	missing atomic.Int64 // deliveries
	last    chan time.Time
	fails   chan error
	limit   time.Duration // for what is missing
}

// fanOut subscribes over many connections, and publishes events when everyone
// has all that were published before.
func (j *Job) fanOut(ctx context.Context) (s Sample, err error) {
	clients, err := j.dial(ctx, j.Work.Conns)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := j.subscribe(ctx, clients)
	if err != nil {
		return s, err
	}
	warm, _, err := j.publish(c, j.Duration/warmth)
	if err != nil {
		return s, err
	}
	before, err := j.serverUsage("Usage")
	if err != nil {
		return s, err
	}
	var took, each []time.Duration
	err = j.count(&s, func() (n int64, err error) {
		took, each, err = j.publish(c, j.Duration)
		return int64(len(took)*j.Work.Events) * int64(len(c.all)), err
	})
	if err != nil {
		return s, err
	}
	after, err := j.serverUsage("Usage")
	used := after.since(before)
	s.ServerCPU, s.ServerWrites = micros(used.CPU)/float64(s.Ops), float64(used.Writes)/float64(s.Ops)
	s.Late = c.late()
	s.P50, s.P99 = micros(quantile(each, 0.50)), micros(quantile(each, 0.99))
	s.Last50 = micros(quantile(took, 0.50))
	return s, errors.Join(err, c.done((len(warm)+len(took))*j.Work.Events))
}

// subscribe opens the work's streams over each connection, and returns when all
// have begun. They end with ctx.
func (j *Job) subscribe(ctx context.Context, clients []Client) (*crowd, error) {
	n := len(clients) * j.Work.Streams
	c := &crowd{last: make(chan time.Time, 1), fails: make(chan error, n), limit: max(10*time.Second, j.patience())}
	c.missing.Store(int64(n))
	f := Feed{N: live, Size: j.Work.Size}
	for i := range n {
		sub := &subscriber{tally: tally{feed: f}, timed: i%timedOf == 0}
		c.all = append(c.all, sub)
		go func() {
			c.fails <- clients[i%len(clients)].Items(ctx, f, func(it Item) error {
				err := sub.add(it)
				if sub.timed {
					sub.got = append(sub.got, time.Now())
				}
				if c.missing.Add(-1) == 0 {
					c.last <- time.Now()
				}
				return err
			})
		}()
	}
	_, err := c.wait()
	return c, err
}

// wait returns when nothing is missing any more.
func (c *crowd) wait() (time.Time, error) {
	select {
	case at := <-c.last:
		return at, nil
	case err := <-c.fails:
		return time.Time{}, fmt.Errorf("a subscription ended before its time: %w", cmp.Or(err, io.EOF))
	case <-time.After(c.limit):
		return time.Time{}, fmt.Errorf("%w: %d deliveries are missing", errWrong, c.missing.Load())
	}
}

// publish publishes for d, and once at least. It returns how long it took each time until
// the last subscriber had all, and how long each delivery took that is timed. Server and
// client read one clock.
func (j *Job) publish(c *crowd, d time.Duration) (took, each []time.Duration, err error) {
	p := Publication{j.Work.Events, j.Work.Size}
	for until := time.Now().Add(d); len(took) == 0 || time.Now().Before(until); {
		c.missing.Store(int64(p.Events * len(c.all)))
		for _, sub := range c.all {
			sub.got = sub.got[:0]
		}
		var began time.Time
		if err := j.server.Call("Control.Publish", p, &began); err != nil {
			return nil, nil, err
		}
		end, err := c.wait()
		if err != nil {
			return nil, nil, err
		}
		took = append(took, end.Sub(began))
		for _, sub := range c.all {
			for _, at := range sub.got {
				each = append(each, at.Sub(began))
			}
		}
	}
	return took, each, nil
}

// done says whether each subscriber got each of so many events once.
func (c *crowd) done(events int) error {
	for _, t := range c.all {
		t.feed.N = int64(events) + 1 // and the first item
		if err := t.done(); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) late() (n int64) {
	for _, t := range c.all {
		n += t.late
	}
	return n
}
