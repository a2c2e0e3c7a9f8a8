package otelrpc

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// callMetrics are the instruments of calls.
type callMetrics struct {
	made, served metric.Float64Histogram
	succeeded    *sync.Map // callKey to the []metric.RecordOption of a call without an error
}

// A callKey identifies the attributes of calls that succeed. There are few, because few
// names are recorded.
type callKey struct {
	method string
	served bool
}

func newCallMetrics(m instruments) callMetrics {
	return callMetrics{
		made:      m.seconds("rpc.client.call.duration", "Measures the duration of an outgoing Remote Procedure Call (RPC).", callBuckets),
		served:    m.seconds("rpc.server.call.duration", "Measures the duration of an incoming Remote Procedure Call (RPC).", callBuckets),
		succeeded: new(sync.Map),
	}
}

// call implements rpc.Observer.Call.
func (o *observer) call(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
	start := time.Now()
	method := o.method(c.Method)
	var span trace.Span
	if c.Served {
		ctx, span = o.beginServed(ctx, c, method, start)
	} else {
		ctx, span = o.beginMade(ctx, c, method, start)
	}
	return ctx, func(r rpc.CallResult) {
		took := time.Since(start)
		if r.Err != nil {
			fail(span, r.Err)
		}
		span.End(trace.WithTimestamp(start.Add(took)))
		histogram := o.calls.made
		if c.Served {
			histogram = o.calls.served
		}
		histogram.Record(ctx, took.Seconds(), o.outcome(callKey{method, c.Served}, r.Err)...)
	}
}

// outcome returns the attributes of a call in metrics.
func (o *observer) outcome(key callKey, err error) []metric.RecordOption {
	if err != nil {
		set := attribute.NewSet(append(o.with(keyMethod.String(key.method)), failure(err)...)...)
		return []metric.RecordOption{metric.WithAttributeSet(set)}
	}
	if made, ok := o.calls.succeeded.Load(key); ok {
		return made.([]metric.RecordOption)
	}
	set := attribute.NewSet(o.with(keyMethod.String(key.method))...)
	made, _ := o.calls.succeeded.LoadOrStore(key, []metric.RecordOption{metric.WithAttributeSet(set)})
	return made.([]metric.RecordOption)
}

// beginMade begins the span of a call that this side makes, and sends its context.
func (o *observer) beginMade(ctx context.Context, c *rpc.Call, method string, start time.Time) (context.Context, trace.Span) {
	ctx, span := o.tracer.Start(ctx, spanName(method), o.spanOptions(c, method, start, trace.SpanKindClient)...)
	carrier := propagation.MapCarrier{}
	o.propagator.Inject(ctx, carrier)
	if len(carrier) > 0 {
		ctx = rpc.WithMetadata(ctx, carrier)
	}
	return ctx, span
}

// beginServed begins the span of a call that this side serves, under the span of its
// caller. ctx may have the span of the handshake or of the dial, long ended: a call
// without a trace context is no part of that.
func (o *observer) beginServed(ctx context.Context, c *rpc.Call, method string, start time.Time) (context.Context, trace.Span) {
	options := o.spanOptions(c, method, start, trace.SpanKindServer)
	ctx = o.propagator.Extract(ctx, propagation.MapCarrier(rpc.Metadata(ctx)))
	parent := trace.SpanContextFromContext(ctx)
	if o.public || !parent.IsRemote() {
		options = append(options, trace.WithNewRoot())
		if parent.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: parent}))
		}
	}
	ctx, span := o.tracer.Start(ctx, spanName(method), options...)
	if span.IsRecording() {
		span.SetAttributes(peer(ctx)...)
	}
	return ctx, span
}

// spanName returns the name of a call's span.
func spanName(method string) string {
	if method == "_OTHER" {
		return systemJSONRPC.Value.AsString()
	}
	return method
}

// spanOptions returns what the spans of calls begin with on either side.
func (o *observer) spanOptions(c *rpc.Call, method string, start time.Time, kind trace.SpanKind) []trace.SpanStartOption {
	attributes := o.with(version, keyMethod.String(method))
	if method != c.Method.Name {
		attributes = append(attributes, keyMethodOriginal.String(c.Method.Name))
	}
	return slices.Grow([]trace.SpanStartOption{trace.WithTimestamp(start), trace.WithSpanKind(kind), trace.WithAttributes(attributes...)}, 2)
}

// peer returns the address of the other end of the connection that the call of ctx came
// over.
func peer(ctx context.Context) []attribute.KeyValue {
	conn, ok := rpc.ConnFromContext(ctx)
	if !ok || conn.RemoteAddr() == nil {
		return nil
	}
	addr := conn.RemoteAddr().String()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return []attribute.KeyValue{keyPeerAddress.String(addr)}
	}
	attributes := []attribute.KeyValue{keyPeerAddress.String(host)}
	if n, err := strconv.Atoi(port); err == nil {
		attributes = append(attributes, keyPeerPort.Int(n))
	}
	return attributes
}
