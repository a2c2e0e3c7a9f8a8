package otelrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/otelrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	metrics "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	traces "go.opentelemetry.io/otel/trace/noop"
)

// What the observer costs, on both sides of a connection: no observer, metrics, spans
// that are not sampled, spans that are, and everything.
func BenchmarkCost(b *testing.B) {
	recorded := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	never, always := sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample())), sdk.NewTracerProvider()
	for _, each := range []struct {
		name string
		opts *otelrpc.Options
	}{
		{"none", nil},
		{"metrics", &otelrpc.Options{MeterProvider: recorded, TracerProvider: traces.NewTracerProvider()}},
		{"unsampled", &otelrpc.Options{MeterProvider: metrics.NewMeterProvider(), TracerProvider: never}},
		{"sampled", &otelrpc.Options{MeterProvider: metrics.NewMeterProvider(), TracerProvider: always}},
		{"all", &otelrpc.Options{MeterProvider: recorded, TracerProvider: always}},
	} {
		var observers []*rpc.Observer
		if each.opts != nil {
			observers = append(observers, otelrpc.NewObserver(each.opts))
		}
		b.Run("call/"+each.name, func(b *testing.B) { benchmarkCalls(b, observers) })
		b.Run("item/"+each.name, func(b *testing.B) { benchmarkItems(b, observers) })
	}
}

// connected returns a connection between two sides with the same observers.
func connected(b *testing.B, observers []*rpc.Observer, services ...rpc.Service) *rpc.Conn {
	srv := rpc.NewServer(&rpc.ServerOptions{Observers: observers})
	srv.Register(services...)
	return rpctest.Pair(context.Background(), b, srv, &rpc.ConnOptions{Observers: observers})
}

func benchmarkCalls(b *testing.B, observers []*rpc.Observer) {
	device := telemetry.NewDeviceClient(connected(b, observers, telemetry.DeviceService(device{})))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := device.SetInterval(context.Background(), 1); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkItems(b *testing.B, observers []*rpc.Observer) {
	intake := telemetry.NewIntakeClient(connected(b, observers, telemetry.IntakeService(telemetry.NewHub())))
	b.ReportAllocs()
	intake.Report(context.Background(), "attic", 1, func(yield func(telemetry.Reading, error) bool) {
		for b.Loop() && yield(telemetry.Reading{}, nil) {
		}
	})
}

// A device answers at once.
type device struct{}

func (device) SetInterval(context.Context, time.Duration) (time.Duration, error) { return 0, nil }
