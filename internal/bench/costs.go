package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	metricsnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	tracesnoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/wirecall/wirecall/otelrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/inspector"
)

// nothing is the peer that those of -costs are compared with.
const nothing = "wirecall"

// costs are the peers of -costs: wirecall with one thing more each.
var costs = []Peer{
	wirecallJSON,
	extra{}.peer("wirecall-again", "the same once more: how far two measurements of one thing are apart"),
	extra{observer: counters}.peer("wirecall-hooks", "with an rpc.Observer on both sides, which has all its functions and counts what they are called with"),
	extra{observer: withMetrics}.peer("wirecall-metrics", "with otelrpc's metrics on both sides, in the OpenTelemetry SDK, which nobody reads"),
	extra{observer: withTraces}.peer("wirecall-traces", "with otelrpc's spans on both sides, all sampled, which nobody exports"),
	extra{describe: true}.peer("wirecall-described", "with ServerOptions.Describe, which nobody asks for"),
	extra{describe: true, inspect: true}.peer("wirecall-inspected", "with that and rpc/inspector, which nobody looks at"),
}

// costWorks are those of -costs.
func costWorks() []Work {
	return slices.DeleteFunc(slices.Clone(works), func(w Work) bool {
		return w.Name != "small-1" && w.Name != "small-64" && w.Name != "stream-1"
	})
}

// An extra is what a server and its client have beside what they need.
type extra struct {
	observer func() *rpc.Observer // of both sides; nil for none
	describe bool
	inspect  bool
}

func (e extra) peer(name, about string) Peer {
	return Peer{Name: name, About: about, Serve: e.serve, Dial: func(ctx context.Context, addr string) (Client, error) {
		return dialWirecall(rpc.DialOptions{Observers: e.observers()})(ctx, addr)
	}}
}

func (e extra) observers() []*rpc.Observer {
	if e.observer == nil {
		return nil
	}
	return []*rpc.Observer{e.observer()}
}

func (e extra) serve(ln net.Listener, o Options) (func(), error) {
	opts := wirecallOptions(o)
	opts.Observers, opts.Describe = e.observers(), e.describe
	srv := newWirecall(opts)
	if !e.inspect {
		return serveHTTP(ln, srv, func() { srv.Close() })
	}
	mux := http.NewServeMux()
	mux.Handle("/", srv)
	mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(srv, nil)))
	return serveHTTP(ln, mux, func() { srv.Close() })
}

// counters returns an observer that does as little as one can, with everything.
func counters() *rpc.Observer {
	var sessions, states, calls, streams, items, bytes, ends atomic.Int64
	return &rpc.Observer{
		Conn: func(context.Context, *rpc.Conn, *http.Request) func(error) {
			sessions.Add(1)
			return func(error) { ends.Add(1) }
		},
		State: func(*rpc.Conn, rpc.State) { states.Add(1) },
		Call: func(context.Context, *rpc.Call) (context.Context, func(rpc.CallResult)) {
			calls.Add(1)
			return nil, func(rpc.CallResult) { ends.Add(1) }
		},
		Stream: func(context.Context, *rpc.StreamInfo) (func(n, size int), func(rpc.StreamResult)) {
			streams.Add(1)
			return func(n, size int) { items.Add(int64(n)); bytes.Add(int64(size)) }, func(rpc.StreamResult) { ends.Add(1) }
		},
	}
}

func withMetrics() *rpc.Observer {
	return otelrpc.NewObserver(&otelrpc.Options{
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
		TracerProvider: tracesnoop.NewTracerProvider(),
	})
}

func withTraces() *rpc.Observer {
	return otelrpc.NewObserver(&otelrpc.Options{
		MeterProvider:  metricsnoop.NewMeterProvider(),
		TracerProvider: trace.NewTracerProvider(trace.WithSampler(trace.AlwaysSample())),
	})
}

// costs prints what each peer has more than the one with nothing.
func (r *report) costs() {
	for _, part := range []struct {
		title string
		f     figure
	}{
		{"Calls and items a second, against " + nothing + ": less is slower", rate},
		{"CPU time of a call or item, client and server, against " + nothing + ": more is dearer", cpu},
	} {
		t := table{head: []string{"peer"}}
		for _, w := range r.plan.Works {
			t.head = append(t.head, w.Title)
		}
		for _, p := range r.plan.Peers {
			if p.Name == nothing {
				continue
			}
			row := []string{p.Name}
			for _, w := range r.plan.Works {
				row = append(row, change(r.samples.ratios(p.Name, nothing, w.Name, part.f)))
			}
			t.add(row...)
		}
		r.table(part.title, t)
	}
	r.item("each is the median over the rounds of the change within a round, and behind it the middle half of the rounds")
	fmt.Fprintln(r.w)
}

// change is the median of ratios as a change, with their middle half.
func change(ratios []float64) string {
	if len(ratios) == 0 {
		return "–"
	}
	slices.Sort(ratios)
	at := func(q float64) string {
		i := q * float64(len(ratios)-1)
		low, high := ratios[int(i)], ratios[int(math.Ceil(i))]
		percent := 100 * (low + (high-low)*(i-math.Floor(i)) - 1)
		return fmt.Sprintf("%+.1f", percent)
	}
	return fmt.Sprintf("%s %% (%s to %s)", at(0.5), at(0.25), at(0.75))
}

const (
	costRounds = 16
	costLimit  = 225 * time.Second
)
