package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A target is a server in memory, and what calls it.
type target struct {
	t       *testing.T
	network *rpctest.Network
	opts    rpc.DialOptions
	o       Options
}

// newTarget serves a method T.M, whose result is that of serve.
func newTarget(t *testing.T, serve func(context.Context) (any, error)) *target {
	return serveMethod(t, &rpc.Method{Name: "T.M", New: func() (any, any) { return nil, new(any) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) (err error) {
			*c.Result.(*any), err = serve(ctx)
			return err
		}})
}

func serveMethod(t *testing.T, m *rpc.Method) *target {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	srv.Register(rpc.Service{Name: "T", Methods: []*rpc.Method{m}})
	g := &target{t: t, network: new(rpctest.Network), opts: rpc.DialOptions{Resume: true}}
	ln := g.network.Listen()
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(t.Context(), ln)
	}()
	t.Cleanup(func() {
		srv.Close()
		ln.Close()
		<-done
	})
	g.o = Options{Schedule: Schedule{Rate: 100, For: 10 * time.Second}, Drain: 5 * time.Second, Dial: g.dial}
	g.o.Call = func(int64, func(int64)) (*dynamic.Call, error) {
		return &dynamic.Call{Method: &openrpc.Method{Name: m.Name}, Stream: g.o.Streams}, nil
	}
	return g
}

// pause waits, or until the call has been cancelled.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (g *target) dial(ctx context.Context, l *Link) (Conn, error) {
	opts := g.opts
	opts.NetDial = l.Sockets(g.network.Dial)
	conn, err := rpc.Dial(ctx, "tcp://any", &opts)
	if err != nil {
		return Conn{}, err
	}
	return Conn{conn, conn.Close}, nil
}

func (g *target) run(ctx context.Context) *Result {
	g.t.Helper()
	res, err := Run(ctx, g.o)
	if err != nil {
		g.t.Fatal(err)
	}
	return res
}

// check compares counts, which have names.
func check(t *testing.T, have, want map[string]int64) {
	t.Helper()
	for name, n := range want {
		if have[name] != n {
			t.Errorf("%s: %d, want %d", name, have[name], n)
		}
	}
}

func counts(res *Result) map[string]int64 {
	return map[string]int64{"due": res.Due, "sent": res.Sent, "answered": res.Answered, "in time": res.InTime, "failed": res.Failed,
		"unfinished": res.Unfinished, "unsent": res.Unsent, "items": res.Items, "half": res.HalfInFlight, "end": res.EndInFlight}
}

func within(t *testing.T, what string, d, want, by time.Duration) {
	t.Helper()
	if d < want-by || d > want+by {
		t.Errorf("%s is %s, want %s", what, d, want)
	}
}

// A server that stands still for a second makes all calls wait that are due meanwhile, and
// an open load counts that: 100 of 1000 calls took up to a second, a hundredth more than
// 900 ms. A closed load has made one call in that second, and hides it.
func TestStall(t *testing.T) {
	stall := func(t *testing.T) *target {
		begin := time.Now()
		return newTarget(t, func(context.Context) (any, error) {
			if at := time.Since(begin); at >= 2*time.Second && at < 3*time.Second {
				time.Sleep(3*time.Second - at)
			}
			return nil, nil
		})
	}
	t.Run("open", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			res := stall(t).run(t.Context())
			check(t, counts(res), map[string]int64{"due": 1000, "sent": 1000, "answered": 1000, "in time": 1000, "failed": 0, "unsent": 0, "end": 0})
			within(t, "p50", res.Latency.Quantile(0.5), 0, time.Millisecond)
			within(t, "p90", res.Latency.Quantile(0.9), 0, 11*time.Millisecond)
			within(t, "p99", res.Latency.Quantile(0.99), 900*time.Millisecond, 11*time.Millisecond)
			within(t, "the longest", res.Latency.max, time.Second, time.Millisecond)
			if v := res.Verdicts(); len(v) > 0 {
				t.Errorf("%q", v)
			}
		})
	})
	t.Run("closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := stall(t)
			g.o.Closed, g.o.Schedule = true, Schedule{For: 10 * time.Second}
			call := g.o.Call
			g.o.Call = func(n int64, sent func(int64)) (*dynamic.Call, error) {
				time.Sleep(10 * time.Millisecond) // or a call takes no time at all
				return call(n, sent)
			}
			res := g.run(t.Context())
			check(t, counts(res), map[string]int64{"sent": 900, "answered": 900, "due": 0, "unsent": 0})
			within(t, "p99", res.Latency.Quantile(0.99), 10*time.Millisecond, time.Millisecond)
			within(t, "the longest", res.Latency.max, time.Second+10*time.Millisecond, 11*time.Millisecond)
		})
	})
}

// The calls of the warm-up are made, and are left out.
func TestWarmup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var served atomic.Int64
		g := newTarget(t, func(context.Context) (any, error) {
			served.Add(1)
			if time.Since(begin) < time.Second {
				time.Sleep(100 * time.Millisecond)
				return nil, errors.New("not yet")
			}
			return nil, nil
		})
		g.o.Warmup, g.o.For = time.Second, 2*time.Second
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 200, "sent": 200, "answered": 200, "failed": 0})
		within(t, "the longest", res.Latency.max, 0, time.Millisecond)
		if served.Load() != 300 {
			t.Errorf("%d calls were served", served.Load())
		}
	})
}

// What is not answered, and what is due but cannot be sent, counts with its age.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTarget(t, func(ctx context.Context) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		g.o.InFlight, g.o.For = 10, time.Second
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 100, "sent": 10, "answered": 0, "unfinished": 10, "unsent": 90, "end": 10, "failed": 0})
		if n := res.Latency.Count(); n != 100 {
			t.Errorf("%d latencies", n)
		}
		within(t, "the longest", res.Latency.max, 6*time.Second, 100*time.Millisecond)
		within(t, "p50", res.Latency.Quantile(0.5), 500*time.Millisecond, 1*time.Millisecond)
		verdict(t, res, "the rate was not reached: 10 of 100 a second were sent; the generator was not the limit: 10 calls were in flight, which is the bound of -in-flight")
	})
}

// Calls of the warm-up that could not be sent in time are not sent in place of those that
// are measured.
func TestWarmupThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTarget(t, func(ctx context.Context) (any, error) {
			pause(ctx, 2500*time.Millisecond)
			return nil, nil
		})
		g.o.InFlight, g.o.Warmup, g.o.For = 10, time.Second, 2*time.Second
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 200, "sent": 10, "answered": 10, "in time": 0, "unsent": 190, "end": 10})
	})
}

func verdict(t *testing.T, res *Result, want ...string) {
	t.Helper()
	if v := res.Verdicts(); fmt.Sprint(v) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", v, want)
	}
}

// A server that is slower than the rate has ever more calls in flight.
func TestServerTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan struct{}, 1)
		g := newTarget(t, func(context.Context) (any, error) {
			turn <- struct{}{}
			time.Sleep(20 * time.Millisecond)
			<-turn
			return nil, nil
		})
		g.o.For = 4*time.Second + 5*time.Millisecond // the moments of calls lie between those that are looked at
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 400, "sent": 400, "answered": 400, "in time": 200, "half": 101, "end": 200})
		verdict(t, res, "the server did not keep up: 99.9 a second were sent and 49.9 answered; 101 were in flight at half time, 200 at the end")
	})
}

// A generator that is late says so, and whether it was the limit.
func TestGeneratorTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTarget(t, func(context.Context) (any, error) { return nil, nil })
		g.o.For = time.Second
		g.o.Sleep = func(d time.Duration) { time.Sleep(d + 45*time.Millisecond) }
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 100, "sent": 100, "unsent": 0})
		verdict(t, res, "the generator itself was late, by 45ms at p99, which the latencies contain: this machine is busy")

		g.o.Sleep = func(d time.Duration) { time.Sleep(d + 2*time.Second) }
		res = g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 100, "sent": 1, "unsent": 99})
		if v := res.Verdicts(); len(v) == 0 || !strings.Contains(v[0], "1 of 100 a second were sent; the generator was the limit, which was 990ms behind") {
			t.Errorf("%q", v)
		}
	})
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		s     Schedule
		count int64
		due   map[int64]float64 // in seconds
	}{
		{Schedule{Rate: 100, For: time.Second}, 100, map[int64]float64{0: 0, 1: 0.01, 99: 0.99}},
		{Schedule{Rate: 0.1, For: 30 * time.Second}, 3, map[int64]float64{0: 0, 2: 20}},
		{Schedule{Rate: 10, For: time.Second, Warmup: 2 * time.Second}, 30, map[int64]float64{19: 1.9, 20: 2, 29: 2.9}},
		{Schedule{Rate: 100, To: 300, For: 2 * time.Second}, 400, map[int64]float64{0: 0, 150: 1, 400: 2}},
		{Schedule{Rate: 300, To: 100, For: 2 * time.Second, Warmup: time.Second}, 700, map[int64]float64{300: 1, 550: 2, 700: 3}},
	} {
		if n := c.s.count(); n != c.count {
			t.Errorf("%+v: %d calls, want %d", c.s, n, c.count)
		}
		for i, want := range c.due {
			if at := c.s.due(i).Seconds(); math.Abs(at-want) > 1e-6 {
				t.Errorf("%+v: call %d is due at %g, want %g", c.s, i, at, want)
			}
		}
	}
}

// Each part of a ramp has its latencies.
func TestRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		g := newTarget(t, func(context.Context) (any, error) {
			if time.Since(begin) >= 8*time.Second {
				time.Sleep(50 * time.Millisecond)
			}
			return nil, nil
		})
		g.o.To = 300
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 2000, "sent": 2000, "answered": 2000})
		all := int64(0)
		for i, h := range res.Parts {
			all += h.Count()
			want := time.Duration(0)
			if i >= 8 {
				want = 50 * time.Millisecond
			}
			within(t, fmt.Sprint("p90 of part ", i), h.Quantile(0.9), want, time.Millisecond)
		}
		if all != 2000 || res.Parts[0].Count() >= res.Parts[9].Count() {
			t.Errorf("%d latencies; %d in the first part and %d in the last", all, res.Parts[0].Count(), res.Parts[9].Count())
		}
	})
}

// counting is a method whose stream counts up from 1, an item each 10 ms, and leaves out
// what skip says.
func counting(skip func(n int) bool) *rpc.Method {
	return &rpc.Method{Name: "T.Count", New: func() (any, any) { return nil, new(gen1.Stream) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(iter.Seq2[json.RawMessage, error](func(yield func(json.RawMessage, error) bool) {
				for n := 1; ; n++ {
					pause(ctx, 10*time.Millisecond)
					if !skip(n) && !yield(json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)), nil) {
						return
					}
				}
			}))
			return nil
		}}
}

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := serveMethod(t, counting(func(n int) bool { return n == 7 }))
		g.o.Streams, g.o.Seq, g.o.Items, g.o.Rate, g.o.For = true, []string{"n"}, 10, 10, 2*time.Second
		res := g.run(t.Context())
		// 20 streams are opened; the last one, at 1.9 s, has 9 items at 2 s, with that at 2 s.
		check(t, counts(res), map[string]int64{"due": 20, "sent": 20, "answered": 20, "failed": 0})
		if res.Items < 198 || res.Items > 200 {
			t.Errorf("%d items", res.Items)
		}
		if res.Seq.Lost != 20 || res.Seq.Doubled != 0 {
			t.Errorf("%+v", res.Seq)
		}
		within(t, "the time to the first item", res.Latency.max, 10*time.Millisecond, time.Millisecond)
		within(t, "p50 of gaps", res.Gaps.Quantile(0.5), 10*time.Millisecond, time.Millisecond)
		within(t, "the longest gap", res.Gaps.max, 20*time.Millisecond, time.Millisecond)
	})
}

// A stream without an end is left when the run ends, and that is no failure.
func TestEndlessStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := serveMethod(t, counting(func(int) bool { return false }))
		g.o.Streams, g.o.Closed, g.o.InFlight, g.o.Warmup, g.o.For = true, true, 3, time.Second, 2*time.Second+5*time.Millisecond
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"sent": 3, "answered": 3, "failed": 0, "unfinished": 0, "items": 603})
	})
}

// With sessions a cut loses nothing; without them it fails what is in flight, and both is
// counted.
func TestCuts(t *testing.T) {
	for _, resume := range []bool{true, false} {
		t.Run(fmt.Sprint("resume ", resume), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int64
				g := newTarget(t, func(ctx context.Context) (any, error) {
					id := n.Add(1)
					pause(ctx, 15*time.Millisecond) // so that two calls are in flight
					return map[string]int64{"id": id}, nil
				})
				g.opts.Resume = resume
				g.o.Conns, g.o.Cut, g.o.For, g.o.Seq = 2, time.Second, 3500*time.Millisecond, []string{"id"}
				res := g.run(t.Context())
				want := Cuts{Cut: 6, Resumed: 6}
				if !resume {
					want = Cuts{Cut: 6, Anew: 6}
				}
				if res.Cuts != want || res.Outages.Count() != 6 {
					t.Errorf("%+v, and %d outages", res.Cuts, res.Outages.Count())
				}
				check(t, counts(res), map[string]int64{"due": 350, "sent": 350})
				if resume != (res.Failed == 0) || res.Answered+res.Failed != 350 {
					t.Errorf("%d answered, %d failed", res.Answered, res.Failed)
				}
				if res.Seq.Values != res.Answered || resume != (res.Seq.Lost == 0) || res.Seq.Doubled != 0 {
					t.Errorf("%+v", res.Seq)
				}
			})
		})
	}
}

func TestUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := serveMethod(t, &rpc.Method{Name: "T.Put", Params: []string{"s"}, New: func() (any, any) { return new(putParams), new(int) },
			Serve: func(_ context.Context, _ any, c *rpc.Call) error {
				items, err := rpc.Collect(gen1.Receive[int](c.Params.(*putParams).s))
				*c.Result.(*int) = len(items)
				return err
			}})
		template, err := NewTemplate(&openrpc.Method{Name: "T.Put"}, []string{"s@numbers"}, files{"numbers": "1\n2\n30\n"}.open)
		if err != nil {
			t.Fatal(err)
		}
		g.o.For = time.Second
		g.o.Call = func(n int64, sent func(int64)) (*dynamic.Call, error) {
			params, err := template.Params(n, sent)
			return &dynamic.Call{Method: &openrpc.Method{Name: "T.Put"}, Params: params}, err
		}
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"sent": 100, "answered": 100, "failed": 0, "items": 300})
		if res.Bytes != 700 {
			t.Errorf("%d bytes", res.Bytes)
		}
	})
}

type putParams struct{ s gen1.Stream }

func (p *putParams) Field(int) any { return &p.s }

func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTarget(t, nil)
		g.o.Call, g.o.Rate, g.o.For = nil, 10, 2*time.Second
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 20, "sent": 20, "answered": 20, "failed": 0})
		if res.Held != 20 || res.Lost != 0 || res.Latency.Count() != 20 {
			t.Errorf("%d held, %d lost", res.Held, res.Lost)
		}
		g.o.Conns = 5
		time.AfterFunc(time.Second, func() { g.network.Cut() })
		g.opts.Resume, g.opts.Reconnect.Disabled = false, true
		res = g.run(t.Context())
		check(t, counts(res), map[string]int64{"due": 5, "sent": 5, "answered": 5})
		if res.Held != 0 || res.Lost != 5 {
			t.Errorf("%d held, %d lost", res.Held, res.Lost)
		}
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTarget(t, func(ctx context.Context) (any, error) {
			pause(ctx, 30*time.Millisecond)
			return nil, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+5*time.Millisecond)
		defer cancel()
		began := time.Now()
		res := g.run(ctx)
		within(t, "the run", time.Since(began), 2*time.Second+5*time.Millisecond, 0)
		check(t, counts(res), map[string]int64{"due": 201, "sent": 201, "answered": 198, "unfinished": 3, "failed": 0, "unsent": 0})
		if !res.Interrupted || res.Length != 2*time.Second+5*time.Millisecond {
			t.Errorf("%t, %s", res.Interrupted, res.Length)
		}
	})
}

func TestErrorsByCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		g := newTarget(t, func(ctx context.Context) (any, error) {
			switch n.Add(1) % 4 {
			case 0:
				return nil, rpc.Errorf(7, "seven")
			case 1:
				return nil, rpc.Errorf(8, "eight")
			case 2:
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, rpc.Errorf(7, "seven again")
		})
		g.o.For, g.o.Timeout = time.Second, 200*time.Millisecond
		res := g.run(t.Context())
		check(t, counts(res), map[string]int64{"sent": 100, "answered": 0, "failed": 100})
		if len(res.Errors) != 3 || res.Errors[0].Code != 7 || res.Errors[0].Count != 50 || res.Errors[1].Count != 25 || res.Errors[2].Count != 25 ||
			res.Errors[2].Example != "not answered within 200ms" && res.Errors[1].Example != "not answered within 200ms" {
			t.Errorf("%v", res.Errors)
		}
		if n := res.Latency.Count(); n != 25 {
			t.Errorf("%d latencies, want those of the calls that took too long", n)
		}
		within(t, "p50", res.Latency.Quantile(0.5), 200*time.Millisecond, time.Millisecond)
	})
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"the rate must be more than 0 and at most 1,000,000 a second":      {Schedule: Schedule{For: 1}},
		"the time must be more than 0":                                     {Schedule: Schedule{Rate: 1}},
		"the connections, and the calls in flight, may be at most 100,000": {Schedule: Schedule{Rate: 1, For: 1}, InFlight: 1e6},
		"a closed load has no rate that could change":                      {Schedule: Schedule{To: 1, For: 1}, Closed: true},
		"connections are opened at a rate; a closed load needs a method":   {Schedule: Schedule{For: 1}, Closed: true},
		"1,000,000 connections would be held: at most 100,000 may be":      {Schedule: Schedule{Rate: 1e6, For: time.Second}},
		"only sockets can be cut: neither a POST nor a program has one":    {Schedule: Schedule{Rate: 1, For: 1}, Cut: 1, Call: func(int64, func(int64)) (*dynamic.Call, error) { return nil, nil }},
	} {
		o.Dial = func(context.Context, *Link) (Conn, error) { return Conn{}, nil }
		if _, err := Run(t.Context(), o); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
