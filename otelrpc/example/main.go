// Example is the server of example/telemetry with metrics for Prometheus at /metrics,
// spans, and a log. Its dashboard for Grafana is dashboard.json.
//
//	go run ./example                                                  # in otelrpc
//	go run ./example/telemetry/cmd/telemetry device -device attic     # in the checkout
//	go run ./example/telemetry/cmd/telemetry watch
//	curl localhost:8081/metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/otelrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpclog"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

func main() {
	addr := flag.String("addr", "localhost:8081", "where to serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run serves at an address until ctx ends.
func run(ctx context.Context, addr string) error {
	metrics, page, err := forPrometheus()
	if err != nil {
		return err
	}
	srv := newServer(metrics, noop.NewTracerProvider(), slog.Default()) // an exporter's provider takes the place of noop
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: newHandler(srv, page)}
	defer context.AfterFunc(ctx, func() {
		srv.Close()
		web.Close()
	})()
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// forPrometheus returns a provider of metrics and the page that Prometheus reads.
func forPrometheus() (*metric.MeterProvider, http.Handler, error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, nil, err
	}
	return metric.NewMeterProvider(metric.WithReader(reader)), promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}

// newServer returns a server of the fleet with metrics, spans and a log.
func newServer(metrics *metric.MeterProvider, spans trace.TracerProvider, log *slog.Logger) *rpc.Server {
	observer := otelrpc.NewObserver(&otelrpc.Options{MeterProvider: metrics, TracerProvider: spans})
	srv := rpc.NewServer(&rpc.ServerOptions{
		Sessions:  &rpc.SessionOptions{},
		Observers: []*rpc.Observer{observer, rpclog.NewObserver(log)},
	})
	hub := telemetry.NewHub()
	srv.Register(telemetry.IntakeService(hub), telemetry.FleetService(hub))
	return srv
}

// newHandler returns a handler of the server and its metrics. Whoever reaches the server
// can read them here: a server on the internet has them on another port.
func newHandler(srv *rpc.Server, page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", page)
	mux.Handle("/", srv)
	return mux
}
