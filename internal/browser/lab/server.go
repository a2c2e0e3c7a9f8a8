package lab

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A Server serves a Lab, with sessions that can be resumed.
type Server struct {
	*rpc.Server
	network   rpctest.Network
	down      atomic.Bool
	produced  atomic.Int64
	moved     atomic.Int64
	published chan int

	// Left gets a value when a client has lost or left its socket, unless it has one.
	Left chan struct{}

	mu   sync.Mutex
	ends map[chan string]bool // of the streams of Ends
}

// NewServer returns a server. authenticate may be nil.
func NewServer(authenticate func(context.Context, string) (context.Context, error)) *Server {
	s := &Server{published: make(chan int), Left: make(chan struct{}, 1), ends: make(map[chan string]bool)}
	s.network.Plan = func(int) rpctest.Plan { return rpctest.Plan{Refuse: s.down.Load()} }
	s.Server = rpc.NewServer(&rpc.ServerOptions{
		Codecs:       []codec.Codec{cbor.Codec},
		Sessions:     &rpc.SessionOptions{},
		Describe:     true,
		Authenticate: authenticate,
		Observers:    []*rpc.Observer{{Conn: s.observe, State: s.observeState}},
	})
	s.Register(LabService(s))
	return s
}

// Listener returns ln with connections that Cut cuts.
func (s *Server) Listener(ln net.Listener) net.Listener { return s.network.Listener(ln) }

// CutAll cuts all connections and returns their number.
func (s *Server) CutAll() int { return s.network.Cut() }

// Moved returns how many numbers Count has sent and Check has received, of all calls.
func (s *Server) Moved() int64 { return s.moved.Load() }

// SetDown cuts all connections and accepts no others, until it is called with false.
func (s *Server) SetDown(down bool) {
	s.down.Store(down)
	if down {
		s.CutAll()
	}
}

func (s *Server) observeState(_ *rpc.Conn, now rpc.State) {
	if now.Phase == rpc.Detached {
		select {
		case s.Left <- struct{}{}:
		default:
		}
	}
}

func (s *Server) observe(context.Context, *rpc.Conn, *http.Request) func(error) {
	return func(why error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for ch := range s.ends {
			ch <- why.Error()
		}
	}
}

// Echo implements Lab.
func (s *Server) Echo(ctx context.Context, text string) (string, error) { return text, nil }

// Half implements Lab.
func (s *Server) Half(ctx context.Context, n int) (int, error) {
	if n%2 != 0 {
		return 0, &Odd{n}
	}
	return n / 2, nil
}

// Count implements Lab.
func (s *Server) Count(ctx context.Context, from, to int) (iter.Seq2[int, error], error) {
	s.produced.Store(0)
	return func(yield func(int, error) bool) {
		for n := from; n < to && yield(n, nil); n++ {
			s.produced.Add(1)
			s.moved.Add(1)
		}
	}, nil
}

// Feed implements Lab.
func (s *Server) Feed(ctx context.Context, n, rate int, tick time.Duration) (iter.Seq2[Point, error], error) {
	return func(yield func(Point, error) bool) {
		for points := range Ticks(ctx, n, rate, tick) {
			for _, p := range points {
				if !yield(p, nil) {
					return
				}
			}
		}
	}, nil
}

// Ticks yields the points of a feed, at each tick those that are due.
func Ticks(ctx context.Context, n, rate int, tick time.Duration) iter.Seq[[]Point] {
	return func(yield func([]Point) bool) {
		begin := time.Now()
		clock := time.NewTicker(tick)
		defer clock.Stop()
		for seq := 0; seq < n; {
			select {
			case <-clock.C:
			case <-ctx.Done():
				return
			}
			var points []Point
			for due := min(n, int(time.Since(begin).Seconds()*float64(rate))); seq < due; seq++ {
				seconds := float64(seq) / float64(rate)
				points = append(points, Point{seq, seconds, math.Sin(seconds) + rand.Float64()/4})
			}
			if len(points) > 0 && !yield(points) {
				return
			}
		}
	}
}

// Produced implements Lab.
func (s *Server) Produced(context.Context) (int, error) { return int(s.produced.Load()), nil }

// Check implements Lab.
func (s *Server) Check(ctx context.Context, numbers iter.Seq2[int, error]) (int, error) {
	want := 0
	for n, err := range numbers {
		if err == nil && n != want {
			err = fmt.Errorf("got %d after %d numbers", n, want)
		}
		if err != nil {
			return want, err
		}
		want++
		s.moved.Add(1)
	}
	return want, nil
}

// Double implements Lab.
func (s *Server) Double(ctx context.Context, numbers iter.Seq2[int, error]) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for n, err := range numbers {
			if !yield(2*n, err) {
				return
			}
		}
	}, nil
}

// Publish implements Lab.
func (s *Server) Publish(ctx context.Context, numbers iter.Seq2[int, error]) (int, error) {
	count := 0
	for n, err := range numbers {
		if err != nil {
			return count, err
		}
		select {
		case s.published <- n:
			count++
		case <-ctx.Done():
			return count, context.Cause(ctx)
		}
	}
	return count, nil
}

// Follow implements Lab.
func (s *Server) Follow(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for range n {
			select {
			case number := <-s.published:
				if !yield(number, nil) {
					return
				}
			case <-ctx.Done():
				yield(0, context.Cause(ctx))
				return
			}
		}
	}, nil
}

// CallBack implements Lab.
func (s *Server) CallBack(ctx context.Context, text string) (string, error) {
	return NewPageClient(rpc.Peer(ctx)).Reverse(ctx, text)
}

// Sleep implements Lab.
func (s *Server) Sleep(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Cut implements Lab.
func (s *Server) Cut(context.Context) (int, error) { return s.CutAll(), nil }

// Dismiss implements Lab.
func (s *Server) Dismiss(ctx context.Context, reason string) error {
	return rpc.Peer(ctx).(*rpc.Conn).CloseWithReason(reason)
}

// Ends implements Lab.
func (s *Server) Ends(ctx context.Context) (iter.Seq2[string, error], error) {
	ch := make(chan string, 100)
	s.mu.Lock()
	s.ends[ch] = true
	s.mu.Unlock()
	return func(yield func(string, error) bool) {
		defer func() {
			s.mu.Lock()
			delete(s.ends, ch)
			s.mu.Unlock()
		}()
		for {
			select {
			case why := <-ch:
				if !yield(why, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}, nil
}
