package otelrpc_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/otelrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A meter is an observer whose metrics a test reads.
type meter struct {
	*metric.ManualReader
	observers []*rpc.Observer
}

func newMeter() meter {
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	return meter{reader, []*rpc.Observer{otelrpc.NewObserver(&otelrpc.Options{MeterProvider: provider})}}
}

// collect returns everything that has been recorded.
func (m meter) collect(t *testing.T) (all metricdata.ResourceMetrics) {
	t.Helper()
	if err := m.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// read returns the values of the metrics that are not zero, by name and attributes. The
// value of a histogram is "count/sum".
func (m meter) read(t *testing.T) map[string]string {
	t.Helper()
	all := m.collect(t)
	values := make(map[string]string)
	for _, scope := range all.ScopeMetrics {
		for _, each := range scope.Metrics {
			for labels, value := range points(each.Data) {
				if value != "0" {
					values[each.Name+labels] = value
				}
			}
		}
	}
	return values
}

// wantSizes compares the sizes of buffers with those of the only connection, which must
// hold something.
func (m meter) wantSizes(t *testing.T, conn *rpc.Conn) {
	t.Helper()
	got, st := m.read(t), conn.Stats()
	for name, size := range map[string]int{"wirecall.queue.size": st.QueuedBytes, "wirecall.buffer.size": st.BufferedBytes, "wirecall.replay.size": st.ReplayBytes} {
		if fmt.Sprint(size) != cmp.Or(got[name], "0") {
			t.Errorf("%s is %q, want %d", name, got[name], size)
		}
	}
	if st.QueuedBytes+st.BufferedBytes+st.ReplayBytes == 0 {
		t.Error("nothing is held")
	}
}

func points(data metricdata.Aggregation) map[string]string {
	points := make(map[string]string)
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			points[labels(p.Attributes)] = fmt.Sprint(p.Value)
		}
	case metricdata.Sum[float64]:
		for _, p := range data.DataPoints {
			points[labels(p.Attributes)] = fmt.Sprint(p.Value)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			points[labels(p.Attributes)] = fmt.Sprintf("%d/%v", p.Count, p.Sum)
		}
	}
	return points
}

// labels returns the values of a point's attributes but rpc.system.name, in the order of
// their names.
func labels(set attribute.Set) string {
	var text strings.Builder
	for _, a := range set.ToSlice() {
		if a.Key != "rpc.system.name" {
			text.WriteString(" " + a.Value.String())
		} else if a.Value.AsString() != "jsonrpc" {
			panic("the system is " + a.Value.AsString())
		}
	}
	return text.String()
}

// want compares all metrics with those wanted, except for the sizes of buffers, whose
// acknowledgements may be on their way.
func (m meter) want(t *testing.T, want map[string]string) {
	t.Helper()
	synctest.Wait()
	got := m.read(t)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] != got[name] && !strings.HasSuffix(name, ".size") {
			t.Errorf("%s is %s, want %q", name, got[name], want[name])
		}
	}
	for name := range want {
		if got[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// A wire is a connection that can be cut, with observers at both ends.
type wire struct {
	network *rpctest.Network
	refuse  atomic.Bool
	srv     *rpc.Server
	conn    *rpc.Conn
}

func newWire(t *testing.T, server, client []*rpc.Observer, sessions *rpc.SessionOptions) *wire {
	l := &wire{}
	l.network = &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Refuse: l.refuse.Load()} }}
	l.srv = rpc.NewServer(&rpc.ServerOptions{Sessions: sessions, Observers: server})
	hub := telemetry.NewHub()
	l.srv.Register(telemetry.IntakeService(hub), telemetry.FleetService(hub))
	go l.srv.Serve(context.Background(), l.network.Listen())
	var err error
	l.conn, err = rpc.Dial(t.Context(), "tcp://hub", &rpc.DialOptions{Resume: true, Observers: client, NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return l.network.Dial(ctx, network, addr)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.conn.Close()
		l.srv.Close()
	})
	return l
}

// cut cuts the connection, which cannot be made again before resume.
func (l *wire) cut(t *testing.T) {
	l.refuse.Store(true)
	l.network.Cut()
	l.await(t, rpc.Detached)
	synctest.Wait()
}

func (l *wire) resume(t *testing.T) {
	l.refuse.Store(false)
	l.await(t, rpc.Connected)
	synctest.Wait()
}

func (l *wire) await(t *testing.T, p rpc.Phase) {
	for st := range l.conn.States(t.Context()) {
		if st.Phase == p {
			return
		}
	}
	t.Fatalf("never %v", p)
}

// readings are three readings, a second apart.
func readings(yield func(telemetry.Reading, error) bool) {
	for range 3 {
		time.Sleep(time.Second)
		if !yield(telemetry.Reading{}, nil) {
			return
		}
	}
}

// merged returns all entries of several maps.
func merged(all ...map[string]string) map[string]string {
	m := make(map[string]string)
	for _, each := range all {
		maps.Copy(m, each)
	}
	return m
}

// Both sides have the same numbers of a stream, a cut in the middle of another, and its
// resume.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := newMeter(), newMeter()
		l := newWire(t, server.observers, client.observers, &rpc.SessionOptions{Window: time.Hour})
		intake := telemetry.NewIntakeClient(l.conn)

		if n, err := intake.Report(t.Context(), "attic", time.Second, readings); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		telemetry.NewFleetClient(l.conn).SetInterval(t.Context(), "roof", time.Second)
		calls := func(side string) map[string]string {
			return map[string]string{
				"rpc." + side + ".call.duration Intake.Report":                              "1/3",
				"rpc." + side + ".call.duration 2001 Fleet.SetInterval 2001":                "1/0",
				"wirecall.stream.items " + io(side) + " Intake.Report readings":             "3",
				"wirecall.stream.io " + io(side) + " Intake.Report readings":                "123",
				"wirecall.stream.duration " + io(side) + " Intake.Report complete readings": "1/3",
				"wirecall.connections connected":                                            "1",
				"wirecall.sessions":                                                         "1",
			}
		}
		waited := map[string]string{"wirecall.stream.blocked receive Intake.Report readings": "3"}
		server.want(t, merged(calls("server"), waited))
		client.want(t, calls("client"))

		done := make(chan error)
		go func() {
			_, err := intake.Report(t.Context(), "attic", time.Second, readings)
			done <- err
		}()
		time.Sleep(1500 * time.Millisecond)
		l.cut(t)
		during := func(side string) map[string]string {
			m := calls(side)
			delete(m, "wirecall.connections connected")
			return merged(m, map[string]string{
				"wirecall.connections detached":                                 "1",
				"wirecall.session.cuts":                                         "1",
				"wirecall.calls " + side:                                        "1",
				"wirecall.streams " + io(side):                                  "1",
				"wirecall.stream.items " + io(side) + " Intake.Report readings": "4",
				"wirecall.stream.io " + io(side) + " Intake.Report readings":    "164",
			})
		}
		server.want(t, merged(during("server"), waited))
		client.want(t, during("client"))

		l.resume(t)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		resumed := func(side string) map[string]string {
			return merged(calls(side), map[string]string{
				"wirecall.session.cuts":                                                     "1",
				"wirecall.session.resumes resumed":                                          "1",
				"rpc." + side + ".call.duration Intake.Report":                              "2/6",
				"wirecall.stream.items " + io(side) + " Intake.Report readings":             "6",
				"wirecall.stream.io " + io(side) + " Intake.Report readings":                "246",
				"wirecall.stream.duration " + io(side) + " Intake.Report complete readings": "2/6",
			})
		}
		server.want(t, merged(resumed("server"), map[string]string{"wirecall.stream.blocked receive Intake.Report readings": "6"}))
		client.want(t, resumed("client"))

		l.conn.Close()
		synctest.Wait()
		if got, want := append(server.names(t), client.names(t)...), listed(t); !slices.Equal(distinct(got), distinct(want)) {
			t.Errorf("the metrics are\n%q\nand the documentation lists\n%q", distinct(got), distinct(want))
		}
	})
}

// names returns the names of the metrics that have been recorded.
func (m meter) names(t *testing.T) (names []string) {
	for _, scope := range m.collect(t).ScopeMetrics {
		for _, each := range scope.Metrics {
			names = append(names, each.Name)
		}
	}
	return names
}

// listed returns the metrics that the documentation of the package lists.
func listed(t *testing.T) (names []string) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "// # Metrics")
	list, _, _ = strings.Cut(list, "The attributes are:")
	for _, m := range regexp.MustCompile(`(?m)^//\t(\S+)`).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	return names
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// io returns the direction of an upload on one side.
func io(side string) string {
	if side == "server" {
		return "receive"
	}
	return "transmit"
}

// A call that is made without a socket is held until there is one.
func TestMetricsOfBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		l := newWire(t, nil, m.observers, &rpc.SessionOptions{})
		l.cut(t)
		go telemetry.NewFleetClient(l.conn).SetInterval(t.Context(), "roof", time.Second)
		synctest.Wait()
		m.wantSizes(t, l.conn)
	})
}

// A session that nobody resumes is lost, and nothing is kept of connections that have
// ended.
func TestMetricsOfEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := newMeter(), newMeter()
		l := newWire(t, server.observers, client.observers, &rpc.SessionOptions{Window: time.Minute})
		l.cut(t)
		time.Sleep(time.Hour)
		server.want(t, map[string]string{
			"wirecall.session.cuts":            "1",
			"wirecall.session.resumes lost":    "1",
			"wirecall.session.duration _OTHER": "1/60",
		})
		l.resume(t)
		l.conn.Close()
		synctest.Wait()
		got := server.read(t)
		delete(got, "wirecall.session.duration")
		for name := range got {
			if !strings.HasPrefix(name, "wirecall.session.") {
				t.Errorf("%s is %s", name, got[name])
			}
		}
		for name, value := range client.read(t) {
			if !strings.HasPrefix(name, "wirecall.session.") {
				t.Errorf("%s is %s", name, value)
			}
		}
	})
}

// A sender's wait for a slow reader is counted.
func TestMetricsOfCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		srv := rpc.NewServer(&rpc.ServerOptions{Observers: m.observers})
		srv.Register(files.StoreService(&files.Memory{}))
		store := files.NewStoreClient(rpctest.Pair(t.Context(), t, srv, nil))
		if _, err := store.Put(t.Context(), "big", 0, rpc.FromReader(bytes.NewReader(make([]byte, 1<<20)))); err != nil {
			t.Fatal(err)
		}
		chunks, err := store.Get(t.Context(), "big", 0)
		if err != nil {
			t.Fatal(err)
		}
		for range take(chunks, 1) {
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := m.read(t)["wirecall.stream.blocked transmit Store.Get"]; got != "60" {
			t.Errorf("blocked for %q seconds", got)
		}
	})
}

// Nobody who imports rpc gets OpenTelemetry into the module graph.
func TestModuleGraph(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(mod, []byte("opentelemetry")) {
		t.Error("the main module requires OpenTelemetry")
	}
}
