package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is the program in its children.
func TestMain(m *testing.M) {
	if name := os.Getenv(role); name != "" {
		if err := runChild(name); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Each event reaches each of its followers, and NATS passes it to each node once.
func TestMeasure(t *testing.T) {
	for nodes := 1; nodes <= 3; nodes++ {
		l := load{Connections: 60, Topics: 4, Events: 200, Bytes: 100, Rate: 400}
		r, err := measure(l, nodes)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(l.Events * l.Connections / l.Topics); r.deliveries != want {
			t.Errorf("%d nodes: %d deliveries, want %d", nodes, r.deliveries, want)
		}
		in, out := int64(l.Events), int64(l.Events*(1+nodes))
		if r.in < in || r.in > in*11/10 || r.out < out || r.out > out*11/10 {
			t.Errorf("%d nodes: %d messages into NATS and %d out, want %d and %d", nodes, r.in, r.out, in, out)
		}
		if r.nodeCPU <= 0 || r.natsCPU <= 0 || r.resident <= 0 || r.p99 < r.p50 || r.p50 <= 0 {
			t.Errorf("%d nodes: %+v", nodes, r)
		}
	}
}

// A model is made of results that follow it.
func TestFit(t *testing.T) {
	want := model{Delivery: 3 * time.Microsecond, Publish: 100 * time.Microsecond, Event: 50 * time.Microsecond,
		Stored: 40 * time.Microsecond, Sent: 5 * time.Microsecond, Empty: 20e6, Connection: 15e3}
	of := func(connections, nodes int) result {
		l := load{Connections: connections, Topics: 10, Events: 1000}
		r := result{load: l, nodes: nodes, deliveries: int64(connections * 100)}
		r.nodeCPU = want.nodeCPU(1000, float64(r.deliveries), float64(nodes))
		r.natsCPU = want.natsCPU(1000, float64(nodes))
		r.resident = int64(float64(nodes)*want.Empty + float64(connections)*want.Connection)
		return r
	}
	if got := fit(of(10, 1), of(1000, 1), of(1000, 3)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var out bytes.Buffer
	want.predict(&out, []site{{1e6, 20, 1, 10 * time.Second}, {1e6, 20, 1e5, 10 * time.Second}})
	for _, row := range []string{
		"| 1,000,000 | 20 | 1 | 100,000 | 100,000 | 0.8 GB | 0.77 | 200,000 | 4.50 |",
		"| 1,000,000 | 20 | 100,000 | 1 | 100,000 | 0.8 GB | 0.02 | 21 | 0.00 |",
	} {
		if !strings.Contains(out.String(), row+"\n") {
			t.Errorf("no row %s in\n%s", row, out.String())
		}
	}
}
