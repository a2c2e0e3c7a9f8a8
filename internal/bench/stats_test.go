package main

import (
	"bytes"
	"context"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/perf/benchfmt"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{4, 1}, Spread{2.5, 1, 4}},
		{[]float64{9, 1, 2}, Spread{2, 1, 9}},
		{[]float64{8, 1, 2, 4}, Spread{3, 1, 8}},
	} {
		if got := spread(c.of); got != c.want {
			t.Errorf("spread of %v is %v, want %v", c.of, got, c.want)
		}
	}
	if spread(nil).known() {
		t.Error("the spread of nothing is known")
	}
}

// What is written is read back by benchstat's reader, with one result for each
// sample that has one.
func TestBenchmarks(t *testing.T) {
	var b bytes.Buffer
	err := writeBenchmarks(&b, Samples{
		{Peer: "grpc", Work: "small-64", Ops: 500, Rate: 2e6, P50: 30, CPU: 1.5, Allocs: 12},
		{Peer: "raw", Work: "small-64", Err: "lost"},
		{Peer: "grpc", Work: "idle-10"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := benchfmt.NewReader(&b, "samples")
	n := 0
	for ; r.Scan(); n++ {
		res, ok := r.Result().(*benchfmt.Result)
		if !ok {
			t.Fatal(r.Result())
		}
		if string(res.Name) != "Peers/work=small-64/peer=grpc" || res.Iters != 500 || res.GetConfig("goos") != runtime.GOOS {
			t.Errorf("%s, %d times, on %s", res.Name, res.Iters, res.GetConfig("goos"))
		}
		for unit, want := range map[string]float64{"sec/op": 500e-9, "p50-sec": 30e-6, "cpu-sec/op": 1.5e-6, "allocs/op": 12} {
			if got, _ := res.Value(unit); math.Abs(got/want-1) > 1e-9 {
				t.Errorf("%s is %v, want %v", unit, got, want)
			}
		}
		if _, ok := res.Value("p99-sec"); ok {
			t.Error("a figure that the sample does not have")
		}
	}
	if n != 1 || r.Err() != nil {
		t.Errorf("%d results, %v", n, r.Err())
	}
}

func TestQuantile(t *testing.T) {
	var d []time.Duration
	for i := range 1000 {
		d = append(d, time.Duration(1000-i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 501, 0.99: 991, 1: 1000} {
		if got := quantile(d, q); got != want {
			t.Errorf("quantile %v of 1 to 1000 is %d, want %d", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("a quantile of nothing is something")
	}
}

// A machine that gets slower from round to round changes no ratio.
func TestRatiosAreTakenWithinARound(t *testing.T) {
	var all Samples
	for round, speed := range []float64{1, 0.5, 0.1} {
		all = append(all,
			Sample{Peer: "a", Work: "w", Round: round, Rate: 300 * speed},
			Sample{Peer: "b", Work: "w", Round: round, Rate: 100 * speed})
	}
	all = append(all,
		Sample{Peer: "a", Work: "w", Round: 3, Rate: 1000}, // b failed in this round
		Sample{Peer: "b", Work: "w", Round: 3, Rate: 1, Err: "failed"})
	got := all.ratio("a", "b", "w", rate)
	for _, x := range []float64{got.Mid, got.Least, got.Most} {
		if x < 2.999 || x > 3.001 {
			t.Errorf("the ratio is %v, want 3", got)
		}
	}
	if all.ratio("a", "c", "w", rate).known() {
		t.Error("a ratio to nobody is known")
	}
}

// A stalling stalls its first call, and the others behind it.
type stalling struct {
	Client
	lock  chan struct{}
	stall time.Duration
}

func (s *stalling) Echo(context.Context, int64) error {
	s.lock <- struct{}{}
	time.Sleep(s.stall)
	s.stall = 0
	<-s.lock
	return nil
}

// A server that stands still for 50 ms has kept everyone waiting that came
// meanwhile, not only the one call that was made.
func TestLatencyCountsFromWhenTheCallWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1000, 100, time.Sleep)
		took, err := p.drive(&stalling{lock: make(chan struct{}, 1), stall: 50 * time.Millisecond}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range took {
			want := max(0, 50-time.Duration(i)) * time.Millisecond
			if d != want {
				t.Fatalf("call %d took %s, want %s", i, d, want)
			}
		}
	})
}

func TestLoadGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1000, 2000, time.Sleep)
		took, err := p.drive(deaf{}, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if took[0] != 3*time.Second || took[1999] != 1001*time.Millisecond {
			t.Errorf("the first and the last call of two seconds took %s and %s", took[0], took[1999])
		}
	})
}

// A deaf client never answers.
type deaf struct {
	Client
}

func (deaf) Echo(ctx context.Context, _ int64) error {
	<-ctx.Done()
	return ctx.Err()
}
