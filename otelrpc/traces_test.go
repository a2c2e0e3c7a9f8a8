package otelrpc_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/otelrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A recorder holds the spans of several programs that have ended.
type recorder struct{ *tracetest.InMemoryExporter }

func newRecorder() recorder { return recorder{tracetest.NewInMemoryExporter()} }

// observer returns an observer of a program, whose name is an attribute of its spans.
func (r recorder) observer(program string, opts otelrpc.Options) []*rpc.Observer {
	opts.TracerProvider = sdk.NewTracerProvider(sdk.WithSyncer(r))
	opts.Attributes = append(opts.Attributes, attribute.String("program", program))
	return []*rpc.Observer{otelrpc.NewObserver(&opts)}
}

// tree returns the spans as indented lines, each under its parent and behind those that
// began before it.
func (r recorder) tree() []string {
	spans := r.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int {
		return cmp.Or(a.StartTime.Compare(b.StartTime), strings.Compare(line(a), line(b)))
	})
	var lines []string
	var add func(parent trace.SpanID, depth int)
	add = func(parent trace.SpanID, depth int) {
		for _, s := range spans {
			if s.Parent.SpanID() == parent {
				lines = append(lines, strings.Repeat("  ", depth)+line(s))
				add(s.SpanContext.SpanID(), depth+1)
			}
		}
	}
	add(trace.SpanID{}, 0)
	return lines
}

func line(s tracetest.SpanStub) string {
	return fmt.Sprint(value(s, "program"), " ", s.SpanKind, " ", s.Name)
}

func value(s tracetest.SpanStub, key attribute.Key) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// one returns the only span of a line.
func (r recorder) one(t *testing.T, want string) tracetest.SpanStub {
	t.Helper()
	all := slices.DeleteFunc(r.GetSpans(), func(s tracetest.SpanStub) bool { return line(s) != want })
	if len(all) != 1 {
		t.Fatalf("%d spans are %q:\n%s", len(all), want, strings.Join(r.tree(), "\n"))
	}
	return all[0]
}

// A fleet is a dashboard, a hub and a device that report to one recorder.
type fleet struct {
	recorder
	conn      *rpc.Conn // of the dashboard
	dashboard *telemetry.FleetClient
}

func newFleet(t *testing.T) fleet {
	r := newRecorder()
	hub := telemetry.NewHub()
	srv := rpc.NewServer(&rpc.ServerOptions{Observers: r.observer("hub", otelrpc.Options{})})
	srv.Register(telemetry.IntakeService(hub), telemetry.FleetService(hub))
	sensor := telemetry.NewSensor("attic", time.Second, func(time.Time) float64 { return 20 })
	device := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{
		Services:  []rpc.Service{telemetry.DeviceService(sensor)},
		Observers: r.observer("device", otelrpc.Options{}),
	})
	go sensor.Run(t.Context(), device)
	synctest.Wait()
	conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Observers: r.observer("dashboard", otelrpc.Options{})})
	return fleet{r, conn, telemetry.NewFleetClient(conn)}
}

// A call of a dashboard that the hub answers by a call of a device, over the connection
// that the device opened, is one trace of all three programs.
func TestOneTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		if _, err := f.dashboard.SetInterval(t.Context(), "attic", time.Minute); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []string{
			"dashboard client Fleet.SetInterval",
			"  hub server Fleet.SetInterval",
			"    hub client Device.SetInterval",
			"      device server Device.SetInterval",
		}
		if got := f.tree(); !slices.Equal(got, want) {
			t.Fatalf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		first := f.GetSpans()[0].SpanContext.TraceID()
		for _, s := range f.GetSpans() {
			if s.SpanContext.TraceID() != first {
				t.Errorf("%s is in another trace", line(s))
			}
			if value(s, "rpc.system.name") != "jsonrpc" || value(s, "jsonrpc.protocol.version") != "2.0" || value(s, "rpc.method") != s.Name {
				t.Errorf("%s has %v", line(s), s.Attributes)
			}
			if s.Status.Code != codes.Unset || value(s, "error.type")+value(s, "rpc.status_code") != "" {
				t.Errorf("%s has failed: %v, %v", line(s), s.Status, s.Attributes)
			}
		}
	})
}

// A client of another language takes part with the traceparent of W3C Trace Context among
// the metadata of its call.
func TestForeignCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		srv := rpc.NewServer(&rpc.ServerOptions{Observers: r.observer("server", otelrpc.Options{})})
		srv.Register(telemetry.FleetService(telemetry.NewHub()))
		fleet := telemetry.NewFleetClient(rpctest.Pair(t.Context(), t, srv, nil))
		ctx := rpc.WithMetadata(t.Context(), map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
		fleet.SetInterval(ctx, "attic", time.Second)
		synctest.Wait()
		s := r.one(t, "server server Fleet.SetInterval")
		if s.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || s.Parent.SpanID().String() != "b7ad6b7169203331" || !s.Parent.IsRemote() {
			t.Errorf("trace %v, parent %v", s.SpanContext.TraceID(), s.Parent)
		}
	})
}

// The span of a stream lasts as long as the stream, on both sides, while that of its
// call ends with the answer.
func TestStreamSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		_, changes, err := f.dashboard.Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range take(changes, 3) { // one each second
		}
		synctest.Wait()
		want := []string{
			"dashboard client Fleet.Watch",
			"  dashboard internal Fleet.Watch stream changes",
			"  hub server Fleet.Watch",
			"    hub internal Fleet.Watch stream changes",
		}
		if got := f.tree(); !slices.Equal(got, want) {
			t.Fatalf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, s := range f.GetSpans() {
			lasts := time.Duration(0)
			if strings.Contains(s.Name, "stream") {
				lasts = 3 * time.Second
				if value(s, "wirecall.stream.items") != "3" || value(s, "wirecall.stream.end") != "left" || s.Status.Code != codes.Unset {
					t.Errorf("%s has %v, %v", line(s), s.Attributes, s.Status)
				}
			}
			if got := s.EndTime.Sub(s.StartTime); got != lasts {
				t.Errorf("%s lasts %v, want %v", line(s), got, lasts)
			}
		}
	})
}

// take returns the first n items of a stream.
func take[T any](stream iter.Seq2[T, error], n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		for item, err := range stream {
			if n--; err != nil || !yield(item) || n == 0 {
				return
			}
		}
	}
}

// An error is on the spans of both sides, with its code and what the caller is told.
func TestFailedSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.dashboard.SetInterval(t.Context(), "roof", time.Minute)
		synctest.Wait()
		for _, side := range []string{"dashboard client", "hub server"} {
			s := f.one(t, side+" Fleet.SetInterval")
			if value(s, "rpc.status_code") != "2001" || value(s, "error.type") != "2001" || s.Status.Code != codes.Error || s.Status.Description != `device "roof" has never reported` {
				t.Errorf("%s: %v, %v", side, s.Attributes, s.Status)
			}
		}
	})
}

// A stream that fails is a span that failed.
func TestFailedStreamSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		broken := func(yield func(telemetry.Reading, error) bool) { yield(telemetry.Reading{}, errors.New("no sensor")) }
		telemetry.NewIntakeClient(f.conn).Report(t.Context(), "roof", time.Second, broken)
		synctest.Wait()
		for _, side := range []string{"dashboard", "hub"} {
			s := f.one(t, side+" internal Intake.Report stream readings")
			if value(s, "error.type") != "-32000" || value(s, "wirecall.stream.end") != "failed" || s.Status.Code != codes.Error || s.Status.Description != "no sensor" {
				t.Errorf("%v, %v", s.Attributes, s.Status)
			}
		}
	})
}

// The names that strangers call do not become names of spans, unless the program says
// that they are methods.
func TestUnknownMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		srv := rpc.NewServer(&rpc.ServerOptions{Observers: r.observer("hub", otelrpc.Options{})})
		conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Observers: r.observer("client", otelrpc.Options{Methods: []string{"status"}})})
		conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "status"}})
		synctest.Wait()
		if s := r.one(t, "client client status"); value(s, "rpc.method") != "status" || value(s, "rpc.method_original") != "" {
			t.Error(s.Attributes)
		}
		if s := r.one(t, "hub server jsonrpc"); value(s, "rpc.method") != "_OTHER" || value(s, "rpc.method_original") != "status" || value(s, "rpc.status_code") != "-32601" {
			t.Error(s.Attributes)
		}
	})
}

// A call without a trace context begins a trace, although its connection was opened
// under a span, to which it is linked. At a public endpoint every call does.
func TestRootsAndLinks(t *testing.T) {
	for name, test := range map[string]struct {
		server otelrpc.Options
		client bool // whether the client sends its trace context
	}{
		"no trace context": {},
		"public endpoint":  {otelrpc.Options{PublicEndpoint: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRecorder()
				opened, span := sdk.NewTracerProvider().Tracer("").Start(t.Context(), "handshake")
				span.End()
				srv := rpc.NewServer(&rpc.ServerOptions{Observers: r.observer("server", test.server)})
				srv.Register(telemetry.FleetService(telemetry.NewHub()))
				var opts rpc.ConnOptions
				if test.client {
					opts.Observers = r.observer("client", otelrpc.Options{})
				}
				conn := rpctest.Pair(opened, t, srv, &opts)
				telemetry.NewFleetClient(conn).SetInterval(context.Background(), "attic", 1)
				synctest.Wait()
				linked := span.SpanContext()
				if test.client {
					linked = r.one(t, "client client Fleet.SetInterval").SpanContext
				}
				s := r.one(t, "server server Fleet.SetInterval")
				if s.Parent.IsValid() || s.SpanContext.TraceID() == linked.TraceID() || len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != linked.SpanID() {
					t.Errorf("parent %v, links %v, want one to %v", s.Parent, s.Links, linked)
				}
			})
		})
	}
}

// A call in a POST is part of the trace of the HTTP request.
func TestPost(t *testing.T) {
	r := newRecorder()
	srv := rpc.NewServer(&rpc.ServerOptions{Observers: r.observer("server", otelrpc.Options{})})
	srv.Register(telemetry.FleetService(telemetry.NewHub()))
	under, request := sdk.NewTracerProvider().Tracer("").Start(t.Context(), "POST /rpc")
	body := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"Fleet.SetInterval","params":{"device":"attic","interval":1}}`)
	post := httptest.NewRequestWithContext(under, "POST", "/rpc", body)
	post.Header.Set("Content-Type", "application/json")
	srv.ServeHTTP(httptest.NewRecorder(), post)
	srv.Close()
	if s := r.one(t, "server server Fleet.SetInterval"); s.Parent.SpanID() != request.SpanContext().SpanID() {
		t.Errorf("parent %v, want %v", s.Parent, request.SpanContext())
	}
}
