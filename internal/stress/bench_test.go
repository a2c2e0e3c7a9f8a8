package stress

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// A call, with so many of them in flight on one connection.
func BenchmarkCall(b *testing.B) {
	for _, inFlight := range []struct {
		name string
		n    int
	}{{"1", 1}, {"64", 64}, {"1024", 1024}} {
		b.Run(inFlight.name, func(b *testing.B) {
			p := overWebSocket(b, &load{}, &rpc.ServerOptions{Limits: rpc.Limits{Calls: 2048}}, nil)
			b.ReportAllocs()
			b.SetParallelism((inFlight.n + 1) / 2) // times GOMAXPROCS
			if inFlight.n == 1 {
				for b.Loop() {
					if _, err := p.Echo(b.Context(), "hello"); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.Echo(context.Background(), "hello"); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// One item of a stream, in each codec.
func BenchmarkStream(b *testing.B) {
	for name, opts := range map[string]*rpc.DialOptions{"json": nil, "cbor": {Codec: cbor.Codec}} {
		b.Run(name, func(b *testing.B) {
			p := overWebSocket(b, &load{}, nil, opts)
			b.ReportAllocs()
			items, err := p.Count(b.Context(), b.N, 20)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if n, err := inOrder(items); n != b.N || err != nil {
				b.Fatal(n, err)
			}
		})
	}
}

// The latency of a call alone, beside a stream whose consumer takes one item
// every 100 ms, and beside one that is consumed at full speed, on the same
// connection: median and 99th percentile.
func BenchmarkHeadOfLine(b *testing.B) {
	for _, pause := range []struct {
		name   string
		stream bool
		pause  time.Duration
	}{{"alone", false, 0}, {"beside a stalled stream", true, 100 * time.Millisecond}, {"beside a busy stream", true, 0}} {
		b.Run(pause.name, func(b *testing.B) {
			p := overWebSocket(b, &load{}, nil, nil)
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			if pause.stream {
				items, err := p.Count(ctx, -1, 100)
				if err != nil {
					b.Fatal(err)
				}
				wg.Go(func() { consume(ctx, items, pause.pause) })
			}
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := p.Echo(b.Context(), "hello"); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			cancel()
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
		})
	}
}

// consume takes an item every so often until ctx ends.
func consume(ctx context.Context, items func(func(Item, error) bool), pause time.Duration) {
	for range items {
		if pause == 0 {
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// What it costs that a session can be resumed: a call alone, calls side by side,
// and one item of a stream, with and without.
func BenchmarkResume(b *testing.B) {
	for _, resume := range []bool{false, true} {
		connect := func(b *testing.B) *pair {
			return overWebSocket(b, &load{}, &rpc.ServerOptions{Sessions: &rpc.SessionOptions{}}, &rpc.DialOptions{Resume: resume})
		}
		b.Run(fmt.Sprintf("call/1/resume=%v", resume), func(b *testing.B) {
			p := connect(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Echo(b.Context(), "hello"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("call/64/resume=%v", resume), func(b *testing.B) {
			p := connect(b)
			b.ReportAllocs()
			b.SetParallelism(32) // times GOMAXPROCS
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.Echo(context.Background(), "hello"); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		b.Run(fmt.Sprintf("stream/resume=%v", resume), func(b *testing.B) {
			p := connect(b)
			items, err := p.Count(b.Context(), -1, 20)
			if err != nil {
				b.Fatal(err)
			}
			next, stop := iter.Pull2(items)
			defer stop()
			b.ReportAllocs()
			for b.Loop() {
				if _, err, ok := next(); err != nil || !ok {
					b.Fatal(err)
				}
			}
		})
	}
}
