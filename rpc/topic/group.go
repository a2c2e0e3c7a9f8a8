package topic

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
)

// A group has the parked streams of one session.
type group[T any] struct {
	session *session.Session
	codec   codec.Codec

	mu            sync.Mutex // taken while hub.mu is held
	subscriptions []*subscription[T]
	streams       []session.Parked // of each subscription
}

// add adds a stream that has been parked.
func (g *group[T]) add(s *subscription[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.index = len(g.streams)
	g.subscriptions = append(g.subscriptions, s)
	g.streams = append(g.streams, session.Parked{Stream: s.stream, Last: s.at.Number})
}

// remove removes a stream that runs, and reports whether it was the last.
func (g *group[T]) remove(s *subscription[T]) (empty bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	end := len(g.streams) - 1
	last := g.subscriptions[end]
	s.at.Number = g.streams[s.index].Last
	g.subscriptions[s.index], g.streams[s.index] = last, g.streams[end]
	last.index, s.index = s.index, -1
	g.subscriptions[end], g.streams[end] = nil, session.Parked{}
	g.subscriptions, g.streams = g.subscriptions[:end], g.streams[:end]
	return end == 0
}

// push pushes items into the streams that do not have them.
func (g *group[T]) push(items *session.Items) {
	g.mu.Lock()
	flush := g.session.Push(items, g.streams)
	g.mu.Unlock()
	if flush {
		g.session.FlushPushed()
	}
}

// unpark has all streams run.
func (g *group[T]) unpark() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.streams {
		p.Stream.Unpark()
	}
}

// share is how many connections a goroutine pushes to before others run, and before it
// looks for more: less than a millisecond's.
const share = 32

// spread calls f with 0 to n-1. If those are many, as many goroutines as can run at once do.
func spread(n int, f func(i int)) {
	var next atomic.Int64
	work := func() {
		for {
			to := int(next.Add(share))
			for i := to - share; i < min(to, n); i++ {
				f(i)
			}
			if to >= n {
				return
			}
			runtime.Gosched()
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+share-1)/share) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
