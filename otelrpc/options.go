package otelrpc

import (
	"slices"
	"sync"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options configure an observer. The zero value of each field is the recommended one.
type Options struct {
	// TracerProvider and MeterProvider record the spans and the metrics. The defaults are
	// the global ones, of package otel. For metrics without spans set TracerProvider to
	// that of go.opentelemetry.io/otel/trace/noop, and for spans without metrics
	// MeterProvider to that of metric/noop.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider

	// Propagator writes the context of a span to the metadata of a call and reads it
	// there. The default is propagation.TraceContext. Baggage may hold what a peer must
	// not get, and is sent only by a Propagator that says so.
	Propagator propagation.TextMapPropagator

	// PublicEndpoint begins a new trace for each call that is served, with a link to the
	// span of its caller. It is for servers whose callers must not decide what is sampled
	// nor which trace a span belongs to.
	PublicEndpoint bool

	// Methods are the names that rpc.method may have besides those of generated code. A
	// stranger can call any name, and each would be another series of the metrics, so all
	// others are recorded as _OTHER. Their spans have the name in rpc.method_original.
	Methods []string

	// Attributes are added to all spans and metrics, such as server.address for a program
	// that dials several servers.
	Attributes []attribute.KeyValue
}

// scope is the name under which spans and metrics are recorded, and schema the version
// of the semantic conventions.
const (
	scope  = "github.com/wirecall/wirecall/otelrpc"
	schema = "https://opentelemetry.io/schemas/1.45.0"
)

// NewObserver returns an observer for ServerOptions, DialOptions or ConnOptions. Nil
// opts mean the defaults. One observer may be shared by any number of servers and
// connections, whose metrics then are sums; make one for the program, not one for each
// connection, because its metrics stay registered with the MeterProvider.
//
// If an instrument cannot be made, the error goes to otel.Handle.
func NewObserver(opts *Options) *rpc.Observer {
	o := newObserver(opts)
	return &rpc.Observer{Conn: o.conns.begin, State: o.conns.see, Call: o.call, Stream: o.stream}
}

// An observer records what its functions are called with. Its fields do not change,
// except for the kinds of calls that it has met.
type observer struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	public     bool
	methods    map[string]bool      // Options.Methods
	attributes []attribute.KeyValue // of all spans and metrics
	kinds      sync.Map             // callKey to *callKind
	calls      callMetrics
	streams    streamMetrics
	conns      *connections
}

func newObserver(opts *Options) *observer {
	if opts == nil {
		opts = &Options{}
	}
	o := &observer{propagator: opts.Propagator, public: opts.PublicEndpoint, methods: make(map[string]bool)}
	if o.propagator == nil {
		o.propagator = propagation.TraceContext{}
	}
	for _, name := range opts.Methods {
		o.methods[name] = true
	}
	o.attributes = append(slices.Clone(opts.Attributes), systemJSONRPC)
	tracers, meters := opts.TracerProvider, opts.MeterProvider
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	o.tracer = tracers.Tracer(scope, trace.WithSchemaURL(schema))
	m := instruments{meters.Meter(scope, metric.WithSchemaURL(schema))}
	o.calls = newCallMetrics(m)
	o.streams = newStreamMetrics(m)
	o.conns = newConnections(m, o.attributes)
	return o
}

// method returns the name of a method in metrics.
func (o *observer) method(m *rpc.Method) string {
	if m.Service == "" && !o.methods[m.Name] {
		return "_OTHER"
	}
	return m.Name
}

// with returns the attributes of everything and others.
func (o *observer) with(others ...attribute.KeyValue) []attribute.KeyValue {
	return append(slices.Clone(o.attributes), others...)
}
