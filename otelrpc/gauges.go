package otelrpc

import (
	"context"
	"maps"
	"slices"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// totals are the sums over all connections at a collection.
type totals struct {
	phases   map[rpc.Phase]int
	sessions int
	rpc.Stats
}

// sums adds up what the connections hold now.
func (t *connections) sums() totals {
	t.mu.Lock()
	sum := totals{phases: make(map[rpc.Phase]int)}
	for _, c := range t.open {
		sum.sessions += c.sessions
	}
	open := slices.Collect(maps.Keys(t.open))
	t.mu.Unlock()
	for _, conn := range open {
		sum.add(conn)
	}
	return sum
}

func (s *totals) add(conn *rpc.Conn) {
	s.phases[conn.State().Phase]++
	st := conn.Stats()
	s.CallsMade += st.CallsMade
	s.CallsServed += st.CallsServed
	s.StreamsSent += st.StreamsSent
	s.StreamsTaken += st.StreamsTaken
	s.QueuedBytes += st.QueuedBytes
	s.BufferedBytes += st.BufferedBytes
	s.ReplayBytes += st.ReplayBytes
}

// A gauge is one number of the totals with its attributes.
type gauge struct {
	instrument metric.Int64ObservableUpDownCounter
	labels     metric.MeasurementOption
	value      func(*totals) int
}

// gauges makes the instruments of the totals.
func (t *connections) gauges(m instruments) (all []gauge) {
	add := func(i metric.Int64ObservableUpDownCounter, value func(*totals) int, labels ...attribute.KeyValue) {
		all = append(all, gauge{i, t.labels(labels...), value})
	}
	states := m.sum("wirecall.connections", "{connection}", "Connections that have not ended.")
	for p := range rpc.Closed {
		add(states, func(sum *totals) int { return sum.phases[p] }, keyState.String(p.String()))
	}
	add(m.sum("wirecall.sessions", "{session}", "Sessions that have not ended."), func(sum *totals) int { return sum.sessions })
	calls := m.sum("wirecall.calls", "{call}", "Calls that have not been answered.")
	add(calls, func(sum *totals) int { return sum.CallsMade }, keySide.String("client"))
	add(calls, func(sum *totals) int { return sum.CallsServed }, keySide.String("server"))
	streams := m.sum("wirecall.streams", "{stream}", "Streams that have not ended.")
	add(streams, func(sum *totals) int { return sum.StreamsSent }, transmit)
	add(streams, func(sum *totals) int { return sum.StreamsTaken }, receive)
	add(m.sum("wirecall.queue.size", "By", "Bytes that wait to be written."), func(sum *totals) int { return sum.QueuedBytes })
	add(m.sum("wirecall.buffer.size", "By", "Received bytes that wait for the application."), func(sum *totals) int { return sum.BufferedBytes })
	add(m.sum("wirecall.replay.size", "By", "Sent bytes that are not acknowledged."), func(sum *totals) int { return sum.ReplayBytes })
	return all
}

// register has the totals observed at each collection.
func (t *connections) register(m instruments) {
	all := t.gauges(m)
	var instruments []metric.Observable
	for _, g := range all {
		instruments = append(instruments, g.instrument)
	}
	made(m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		sum := t.sums()
		for _, g := range all {
			o.ObserveInt64(g.instrument, int64(g.value(&sum)), g.labels)
		}
		return nil
	}, instruments...))
}
