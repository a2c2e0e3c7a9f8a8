package otelrpc

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// streamMetrics are the instruments of streams.
type streamMetrics struct {
	duration     metric.Float64Histogram
	items, bytes metric.Int64Counter
	blocked      metric.Float64Counter
}

func newStreamMetrics(m instruments) streamMetrics {
	return streamMetrics{
		duration: m.seconds("wirecall.stream.duration", "Duration of streams that have ended.", longBuckets),
		items:    m.counter("wirecall.stream.items", "{item}", "Items of streams, as they are sent and received."),
		bytes:    m.counter("wirecall.stream.io", "By", "Encoded size of the items of streams."),
		blocked:  m.secondsCounter("wirecall.stream.blocked", "Time that senders waited for credit and receivers for items, of streams that have ended."),
	}
}

// stream implements rpc.Observer.Stream.
func (o *observer) stream(ctx context.Context, s *rpc.StreamInfo) (func(n, bytes int), func(rpc.StreamResult)) {
	start := time.Now()
	attributes := o.streamAttributes(s)
	ctx, span := o.tracer.Start(ctx, streamSpanName(s, o.method(s.Call.Method)), trace.WithTimestamp(start), trace.WithAttributes(attributes...))
	labels := []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
	items := func(n, bytes int) {
		o.streams.items.Add(ctx, int64(n), labels...)
		o.streams.bytes.Add(ctx, int64(bytes), labels...)
	}
	return items, func(r rpc.StreamResult) {
		took := time.Since(start)
		o.streams.blocked.Add(ctx, r.Blocked.Seconds(), labels...)
		attributes = append(attributes, streamEnd(r.Err)...)
		o.streams.duration.Record(ctx, took.Seconds(), metric.WithAttributes(attributes...))
		endStreamSpan(span, r, start.Add(took))
	}
}

func (o *observer) streamAttributes(s *rpc.StreamInfo) []attribute.KeyValue {
	attributes := o.with(keyMethod.String(o.method(s.Call.Method)), direction(s.Sent))
	if s.Name != "" {
		attributes = append(attributes, keyStreamName.String(s.Name))
	}
	return attributes
}

// streamSpanName returns the name of a stream's span, such as "Fleet.Watch stream
// changes".
func streamSpanName(s *rpc.StreamInfo, method string) string {
	return strings.TrimSpace(spanName(method) + " stream " + s.Name)
}

// endStreamSpan ends the span of a stream. It fails only if the stream did.
func endStreamSpan(span trace.Span, r rpc.StreamResult, at time.Time) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(keyItems.Int64(r.Items), keyBytes.Int64(r.Bytes), keyBlocked.Float64(r.Blocked.Seconds()))
	span.SetAttributes(streamEnd(r.Err)...)
	if ended(r.Err) == "failed" {
		fail(span, r.Err)
	}
	span.End(trace.WithTimestamp(at))
}

// streamEnd returns the attributes of how a stream ended.
func streamEnd(err error) []attribute.KeyValue {
	how := ended(err)
	attributes := []attribute.KeyValue{keyStreamEnd.String(how)}
	if how == "failed" {
		attributes = append(attributes, failure(err)...)
	}
	return attributes
}

// ended returns how a stream ended, as keyStreamEnd has it. For a stream without an end
// it is no failure if its consumer leaves it.
func ended(err error) string {
	switch {
	case err == nil:
		return "complete"
	case errors.Is(err, context.Canceled):
		return "left"
	case errors.Is(err, rpc.CodeComeAgain):
		return "continued"
	}
	return "failed"
}
