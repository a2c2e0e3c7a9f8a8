package otelrpc

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// connections holds the connections that have not ended, and records their sessions.
type connections struct {
	attributes []attribute.KeyValue
	duration   metric.Float64Histogram
	cuts       metric.Int64Counter
	resumes    metric.Int64Counter

	mu   sync.Mutex
	open map[*rpc.Conn]*connection
}

// A connection is what is kept of one. The mutex of its connections guards it.
type connection struct {
	sessions int       // that have begun and not ended
	last     rpc.State // that see was called with; a session begins connected
}

func newConnections(m instruments, attributes []attribute.KeyValue) *connections {
	t := &connections{
		attributes: attributes,
		duration:   m.seconds("wirecall.session.duration", "Duration of sessions that have ended.", longBuckets),
		cuts:       m.counter("wirecall.session.cuts", "{cut}", "Sessions that lost their socket and were kept."),
		resumes:    m.counter("wirecall.session.resumes", "{resume}", "Ends of cuts: sessions that were resumed, or lost."),
		open:       make(map[*rpc.Conn]*connection),
	}
	t.register(m)
	return t
}

// begin implements rpc.Observer.Conn.
func (t *connections) begin(ctx context.Context, conn *rpc.Conn, _ *http.Request) func(error) {
	start := time.Now()
	t.mu.Lock()
	t.entry(conn).sessions++
	t.mu.Unlock()
	return func(cause error) {
		t.end(conn)
		t.duration.Record(ctx, time.Since(start).Seconds(), t.labels(sessionEnd(cause)...))
	}
}

// entry returns what is kept of a connection. The mutex is held.
func (t *connections) entry(conn *rpc.Conn) *connection {
	c := t.open[conn]
	if c == nil {
		c = &connection{last: rpc.State{Phase: rpc.Connected, Session: 1}}
		t.open[conn] = c
	}
	return c
}

// end counts a session that has ended. Its connection may have ended before see was
// called with that, or afterwards.
func (t *connections) end(conn *rpc.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.entry(conn)
	if c.sessions--; c.sessions == 0 && conn.Err() != nil {
		delete(t.open, conn)
	}
}

// see implements rpc.Observer.State.
func (t *connections) see(conn *rpc.Conn, st rpc.State) {
	t.mu.Lock()
	c := t.entry(conn)
	last := c.last
	c.last = st
	if st.Phase == rpc.Closed && c.sessions == 0 {
		delete(t.open, conn)
	}
	t.mu.Unlock()
	ctx := context.Background()
	switch cut := last.Phase == rpc.Detached; {
	case !cut && st.Phase == rpc.Detached:
		t.cuts.Add(ctx, 1, t.labels())
	case cut && st.Phase == rpc.Connected && st.Session == last.Session:
		t.resumes.Add(ctx, 1, t.labels(keyOutcome.String("resumed")))
	case cut && st.Phase != rpc.Detached:
		t.resumes.Add(ctx, 1, t.labels(keyOutcome.String("lost")))
	}
}

// labels returns an option with the attributes of everything and others.
func (t *connections) labels(others ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(others, t.attributes...)...))
}
