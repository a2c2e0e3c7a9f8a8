package otelrpc

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// callMetrics are the instruments of calls.
type callMetrics struct{ made, served metric.Float64Histogram }

// A callKind is what the calls of one method have in common on one side.
type callKind struct {
	method    string                  // as in metrics
	span      []trace.SpanStartOption // of all spans
	succeeded []metric.RecordOption   // of calls without an error
}

// A callKey identifies a callKind. There are few, because few names are recorded.
type callKey struct {
	method string
	served bool
}

// kind returns the callKind of a call.
func (o *observer) kind(c *rpc.Call) *callKind {
	key := callKey{o.method(c.Method), c.Served}
	if made, ok := o.kinds.Load(key); ok {
		return made.(*callKind)
	}
	side := trace.SpanKindClient
	if c.Served {
		side = trace.SpanKindServer
	}
	method := keyMethod.String(key.method)
	made, _ := o.kinds.LoadOrStore(key, &callKind{
		method:    key.method,
		span:      []trace.SpanStartOption{trace.WithSpanKind(side), trace.WithAttributes(o.with(method, version)...)},
		succeeded: []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(o.with(method)...))},
	})
	return made.(*callKind)
}

func newCallMetrics(m instruments) callMetrics {
	return callMetrics{
		made:   m.seconds("rpc.client.call.duration", "Measures the duration of an outgoing Remote Procedure Call (RPC).", callBuckets),
		served: m.seconds("rpc.server.call.duration", "Measures the duration of an incoming Remote Procedure Call (RPC).", callBuckets),
	}
}

// call implements rpc.Observer.Call.
func (o *observer) call(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
	start, kind := time.Now(), o.kind(c)
	begin, histogram := o.beginMade, o.calls.made
	if c.Served {
		begin, histogram = o.beginServed, o.calls.served
	}
	ctx, span := begin(ctx, c, kind, start)
	return ctx, func(r rpc.CallResult) {
		took := time.Since(start)
		if r.Err != nil {
			fail(span, r.Err)
		}
		span.End(trace.WithTimestamp(start.Add(took)))
		histogram.Record(ctx, took.Seconds(), o.outcome(kind, r.Err)...)
	}
}

// outcome returns the attributes of a call in metrics.
func (o *observer) outcome(kind *callKind, err error) []metric.RecordOption {
	if err == nil {
		return kind.succeeded
	}
	set := attribute.NewSet(append(o.with(keyMethod.String(kind.method)), failure(err)...)...)
	return []metric.RecordOption{metric.WithAttributeSet(set)}
}

// beginMade begins the span of a call that this side makes, and sends its context.
func (o *observer) beginMade(ctx context.Context, c *rpc.Call, kind *callKind, start time.Time) (context.Context, trace.Span) {
	ctx, span := o.tracer.Start(ctx, spanName(kind.method), spanOptions(c, kind, start)...)
	carrier := propagation.MapCarrier{}
	o.propagator.Inject(ctx, carrier)
	if len(carrier) > 0 {
		ctx = rpc.WithMetadata(ctx, carrier)
	}
	return ctx, span
}

// beginServed begins the span of a call that this side serves, under the span of its
// caller. On a connection ctx may have the span of the handshake or of the dial, long
// ended: a call without a trace context is no part of that. In a POST it is the request's.
func (o *observer) beginServed(ctx context.Context, c *rpc.Call, kind *callKind, start time.Time) (context.Context, trace.Span) {
	options := spanOptions(c, kind, start)
	ctx = o.propagator.Extract(ctx, propagation.MapCarrier(rpc.Metadata(ctx)))
	parent := trace.SpanContextFromContext(ctx)
	if _, connected := rpc.ConnFromContext(ctx); o.public || connected && !parent.IsRemote() {
		options = append(options, trace.WithNewRoot())
		if parent.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: parent}))
		}
	}
	ctx, span := o.tracer.Start(ctx, spanName(kind.method), options...)
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

// spanOptions returns what the span of a call begins with on either side.
func spanOptions(c *rpc.Call, kind *callKind, start time.Time) []trace.SpanStartOption {
	options := append(make([]trace.SpanStartOption, 0, 6), kind.span...)
	options = append(options, trace.WithTimestamp(start))
	if kind.method != c.Method.Name {
		options = append(options, trace.WithAttributes(keyMethodOriginal.String(c.Method.Name)))
	}
	return options
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
