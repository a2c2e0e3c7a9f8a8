// Scale measures topics over several nodes, and computes from that what more of them would
// need.
//
//	go run .
//
// NATS, each node and the clients are processes on this machine. With the same load on one,
// two and three nodes, and with a follower of each topic alone, it prints what each uses.
// The model of model.go is made of all but the two nodes, and it prints how far it is from
// those.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// A load is what the clients do.
type load struct {
	Connections, Topics, Events, Bytes int
	Rate                               float64 // events a second
}

// A result is what a load has used on some nodes.
type result struct {
	load             load
	nodes            int
	resident         int64 // bytes of all nodes, with connections that are at rest
	nodeCPU, natsCPU time.Duration
	deliveries       int64
	in, out          int64 // messages of NATS
	rate             float64
	p50, p99         time.Duration
}

func main() {
	if name := os.Getenv(role); name != "" {
		if err := runChild(name); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		return
	}
	l := load{}
	flag.IntVar(&l.Connections, "connections", 1500, "connections, each of which follows a topic")
	flag.IntVar(&l.Topics, "topics", 30, "topics")
	flag.IntVar(&l.Events, "events", 800, "events, to all topics in turn")
	flag.IntVar(&l.Bytes, "bytes", 100, "size of an event's text")
	flag.Float64Var(&l.Rate, "rate", 40, "events a second")
	flag.Parse()
	if err := run(os.Stdout, l); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// run measures and prints.
func run(w io.Writer, l load) error {
	few := l
	few.Connections = l.Topics
	var results []result
	for _, of := range []struct {
		load  load
		nodes int
	}{{few, 1}, {l, 1}, {l, 2}, {l, 3}} {
		r, err := measure(of.load, of.nodes)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	report(w, results)
	m := fit(results[0], results[1], results[3])
	check(w, m, results[2])
	fmt.Fprintln(w)
	m.predict(w, []site{
		{1e6, 20, 10, 10 * time.Second}, {1e6, 20, 1000, 10 * time.Second}, {1e6, 20, 1e5, 10 * time.Second},
		{1e6, 40, 1000, 10 * time.Second}, {1e6, 40, 1000, time.Second}, {1e5, 4, 1000, time.Second},
	})
	return nil
}

// measure has clients put a load on some nodes.
func measure(l load, nodes int) (r result, err error) {
	folder, err := os.MkdirTemp("", "scale")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(folder)
	nats, err := start("nats", folder)
	if err != nil {
		return r, err
	}
	defer nats.stop()
	var all []*child
	c := crowd{load: l}
	for range nodes {
		n, err := start("node", nats.addr)
		if err != nil {
			return r, err
		}
		defer n.stop()
		all = append(all, n)
		c.Nodes = append(c.Nodes, n.addr)
	}
	r = result{load: l, nodes: nodes}
	arg, err := json.Marshal(&c)
	if err != nil {
		return r, err
	}
	clients, err := start("clients", string(arg))
	if err != nil {
		return r, err
	}
	defer clients.stop()
	if _, err := clients.ask("follow"); err != nil {
		return r, err
	}
	if r.resident, err = rest(all); err != nil {
		return r, err
	}
	return r, r.publish(nats, all, clients)
}

// rest returns the memory of nodes that do nothing.
func rest(nodes []*child) (bytes int64, err error) {
	for _, n := range nodes {
		u, err := n.ask("rest")
		if err != nil {
			return 0, err
		}
		bytes += u.Resident
	}
	return bytes, nil
}

// publish has the clients publish, and takes what that has used.
func (r *result) publish(nats *child, nodes []*child, clients *child) error {
	natsBefore, err := nats.ask("usage")
	if err != nil {
		return err
	}
	before, err := cpu(nodes)
	if err != nil {
		return err
	}
	u, err := clients.ask("publish")
	if err != nil {
		return err
	}
	after, err := cpu(nodes)
	if err != nil {
		return err
	}
	natsAfter, err := nats.ask("usage")
	if err != nil {
		return err
	}
	r.nodeCPU, r.natsCPU = after-before, natsAfter.CPU-natsBefore.CPU
	r.in, r.out = natsAfter.In-natsBefore.In, natsAfter.Out-natsBefore.Out
	r.deliveries, r.rate, r.p50, r.p99 = u.Deliveries, u.Rate, u.P50, u.P99
	return nil
}

func cpu(nodes []*child) (sum time.Duration, err error) {
	for _, n := range nodes {
		u, err := n.ask("usage")
		if err != nil {
			return 0, err
		}
		sum += u.CPU
	}
	return sum, nil
}

// report prints what was measured.
func report(w io.Writer, results []result) {
	fmt.Fprintln(w, "| nodes | connections | memory of all nodes | events/s | deliveries/s | p50, p99 | CPU of the nodes a delivery | CPU of NATS an event | messages of NATS an event, in and out |")
	fmt.Fprintln(w, "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range results {
		events := float64(r.load.Events)
		fmt.Fprintf(w, "| %d | %d | %.1f MB | %.0f | %.0f | %.1f, %.1f ms | %.2f µs | %.0f µs | %.2f, %.2f |\n",
			r.nodes, r.load.Connections, float64(r.resident)/1e6, r.rate, float64(r.deliveries)/events*r.rate,
			milliseconds(r.p50), milliseconds(r.p99),
			float64(r.nodeCPU.Microseconds())/float64(r.deliveries), float64(r.natsCPU.Microseconds())/events, float64(r.in)/events, float64(r.out)/events)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// check prints the model, and how far it is from a result that it was not made from.
func check(w io.Writer, m model, r result) {
	nodes := float64(r.nodes)
	fmt.Fprintf(w, "\nmodel: %.2f µs a delivery, %.0f µs an event and %.0f µs for each node; NATS %.0f µs an event and %.0f µs for each node; %.1f MB a node and %.0f bytes a connection\n",
		float64(m.Delivery)/1000, float64(m.Publish)/1000, float64(m.Event)/1000, float64(m.Stored)/1000, float64(m.Sent)/1000, m.Empty/1e6, m.Connection)
	fmt.Fprintf(w, "with %d nodes: the nodes used %.2f and NATS %.2f of what the model says\n", r.nodes,
		float64(r.nodeCPU)/float64(m.nodeCPU(float64(r.load.Events), float64(r.deliveries), nodes)),
		float64(r.natsCPU)/float64(m.natsCPU(float64(r.load.Events), nodes)))
}
