package cluster

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// quiet is after how long without an event a follower looks whether one was lost on its way,
// since what is published live may be lost. It is drawn between half of it and all of it.
const quiet = 10 * time.Second

// A follower is woken by what is stored in a topic.
type follower struct {
	mu      sync.Mutex
	changed chan struct{} // closed by the next event; nil while nobody waits
	timer   *time.Timer
	stopped bool
}

// Follow implements topic.Bus.
func (b *Bus) Follow(name string) (next func() <-chan struct{}, stop func()) {
	f := &follower{}
	f.timer = time.AfterFunc(untilQuiet(), f.fire)
	sub, err := b.nc.Subscribe(b.subject("l", name), func(*nats.Msg) { f.fire() })
	if err != nil { // the connection is closed, as the next Read will say
		return f.next, f.stop
	}
	b.nc.Flush() // so that what is stored after a Read from now on is seen, if NATS is there; else the timer looks
	return f.next, sync.OnceFunc(func() {
		sub.Unsubscribe()
		f.stop()
	})
}

func untilQuiet() time.Duration { return quiet/2 + rand.N(quiet/2) }

// next returns a channel that the next event closes.
func (f *follower) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// fire wakes who waits.
func (f *follower) fire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
	if !f.stopped {
		f.timer.Reset(untilQuiet())
	}
}

func (f *follower) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.timer.Stop()
}
