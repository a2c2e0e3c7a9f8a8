package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// errBroken is the error of what was under way when the connection broke.
var errBroken = errors.New("the connection to NATS broke")

// A period is the time from one connection to a server of NATS to the next.
type period struct {
	ctx  context.Context // ends when the connection breaks
	end  context.CancelCauseFunc
	next chan struct{} // closed when there is another period
}

func newPeriod() *period {
	ctx, end := context.WithCancelCause(context.Background())
	return &period{ctx, end, make(chan struct{})}
}

// attempt returns the context of an attempt to reach the servers, which ends with ctx and
// when the connection breaks. It waits while there is none.
func (b *Bus) attempt(ctx context.Context) (try context.Context, end func()) {
	l := b.period.Load()
	for l.ctx.Err() != nil && ctx.Err() == nil && !b.nc.IsClosed() {
		select {
		case <-l.next:
			l = b.period.Load()
		case <-ctx.Done():
		}
	}
	try, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	return try, func() {
		stop()
		cancel(nil)
	}
}

// connected returns a channel that is closed when there is another connection.
func (b *Bus) connected() <-chan struct{} { return b.period.Load().next }

// quiet is how long an event may be missing whose live message was lost, where no later one
// shows it.
const quiet = 10 * time.Second

// untilCheck returns the time to the next check, so that nodes check at different times.
// A topic is checked if there was no event since the last check.
func (b *Bus) untilCheck() time.Duration { return b.quiet/4 + rand.N(b.quiet/4) }

// run receives live messages, and has the followed topics checked now and then and when
// there is another connection, until the connection is closed.
func (b *Bus) run(status <-chan nats.Status) {
	timer := time.NewTimer(b.untilCheck())
	defer timer.Stop()
	overflow := false
	for {
		select {
		case m := <-b.live:
			overflow = overflow || len(b.live) >= cap(b.live)-1
			b.deliver(m)
			if overflow && len(b.live) == 0 { // some may have been dropped
				overflow = false
				go b.check(all)
			}
		case s := <-status:
			switch s {
			case nats.CLOSED:
				b.closed()
				return
			case nats.CONNECTED:
				b.nextPeriod()
				go b.check(all)
			default:
				b.period.Load().end(errBroken)
			}
		case <-timer.C:
			go func() {
				b.check(quietOnes)
				timer.Reset(b.untilCheck())
			}()
		}
	}
}

// nextPeriod begins the next period. Meanwhile live messages may have been lost, and the streams
// may be others.
func (b *Bus) nextPeriod() {
	for _, c := range b.classes {
		c.suspect()
	}
	for _, f := range b.all() {
		f.suspect()
	}
	old := b.period.Load()
	old.end(errBroken)
	b.period.Store(newPeriod())
	close(old.next)
}

// closed ends what waits for the connection.
func (b *Bus) closed() {
	l := b.period.Load()
	l.end(nats.ErrConnectionClosed)
	close(l.next)
	for _, f := range b.all() {
		f.wake()
	}
}

// all returns the followers of all topics.
func (b *Bus) all() []*follower {
	b.mu.Lock()
	defer b.mu.Unlock()
	followers := make([]*follower, 0, len(b.followers))
	for _, f := range b.followers {
		if f.class != nil {
			followers = append(followers, f)
		}
	}
	return followers
}
