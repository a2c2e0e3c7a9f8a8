package otelrpc

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// The boundaries of the histograms, in seconds: those of the conventions for calls, and
// for streams and sessions, which may last for days.
var (
	callBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	longBuckets = []float64{0.01, 0.1, 1, 10, 60, 600, 3600, 21600, 86400}
)

// instruments makes the instruments of a meter, and hands errors to OpenTelemetry. An
// instrument that could not be made records nothing.
type instruments struct{ meter metric.Meter }

func made[T any](instrument T, err error) T {
	if err != nil {
		otel.Handle(err)
	}
	return instrument
}

func (m instruments) seconds(name, description string, buckets []float64) metric.Float64Histogram {
	return made(m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(buckets...)))
}

func (m instruments) counter(name, unit, description string) metric.Int64Counter {
	return made(m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description)))
}

func (m instruments) secondsCounter(name, description string) metric.Float64Counter {
	return made(m.meter.Float64Counter(name, metric.WithUnit("s"), metric.WithDescription(description)))
}

// sum makes an instrument for a number that is asked for at each collection.
func (m instruments) sum(name, unit, description string) metric.Int64ObservableUpDownCounter {
	return made(m.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description)))
}
