package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// plot writes the charts for which there are samples to a folder.
func (r *report) plot(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, c := range r.charts() {
		svg, err := c.svg()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), svg, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A chart is a barChart or a lineChart.
type chart interface {
	svg() ([]byte, error)
}

// charts are all charts that can be drawn, by name.
func (r *report) charts() map[string]chart {
	made := map[string]chart{}
	if w := r.works(Calls, Stream); len(w) > 0 && w[0].X == 0 {
		made["rate"] = r.ratioBars(w, reference, rate, "Calls and items a second", "more is faster")
		made["cpu"] = r.ratioBars(w, reference, cpu, "CPU time of a call or item", "client and server; less is cheaper")
	}
	if w := r.works(FanOut); len(w) > 0 {
		made["fanout-rate"] = r.ratioBars(w, fanFloor, rate, "Deliveries a second of events to many subscribers", "more is faster")
		made["fanout-cpu"] = r.ratioBars(w, fanFloor, serverCPU, "CPU time of a delivery on the server", "less is cheaper")
	}
	if w := r.works(Beside); len(w) > 0 {
		made["beside"] = r.bars(w, "A call beside a stream: its p50 as a multiple of its p50 alone", "less is better; × where no call came back",
			func(p Peer, w Work) Spread {
				if blocked(r.samples.of(p.Name, w.Name)) != "" {
					return spread(nil)
				}
				return r.samples.spread(p.Name, w.Name, times)
			})
	}
	for _, g := range growths {
		if w := r.growing(g.prefix); len(w) > 1 {
			made[g.file] = r.lines(g, w)
		}
	}
	return made
}

// colors has one for every peer: blue for ours, gray for those without a library. They
// are those of Okabe and Ito, and two of Tol's, that people who see few colors can tell
// apart; bars stand in the order of the legend, and lines have marks of their own.
var colors = map[string]color.RGBA{
	"wirecall":        {0x00, 0x72, 0xb2, 0xff},
	"wirecall-cbor":   {0x56, 0xb4, 0xe9, 0xff},
	"wirecall-resume": {0x44, 0xaa, 0x99, 0xff},
	"wirecall-topic":  {0x33, 0x22, 0x88, 0xff},
	"wirecall-shared": {0x00, 0x3f, 0x63, 0xff},
	"grpc":            {0xd5, 0x5e, 0x00, 0xff},
	"connect":         {0x00, 0x9e, 0x73, 0xff},
	"drpc":            {0xf0, 0xe4, 0x42, 0xff},
	"geth":            {0xe6, 0x9f, 0x00, 0xff},
	"jrpc2":           {0x88, 0x22, 0x55, 0xff},
	"netrpc":          {0xcc, 0x79, 0xa7, 0xff},
	"centrifuge":      {0x00, 0x9e, 0x73, 0xff},
	"gws":             {0xcc, 0x79, 0xa7, 0xff},
	"raw":             {0xa6, 0xa6, 0xa6, 0xff},
	"raw-loop":        {0x80, 0x80, 0x80, 0xff},
	"raw-packed":      {0xc4, 0xc4, 0xc4, 0xff},
	"floor":           {0x2b, 0x2b, 0x2b, 0xff},
}

// ratioBars are figures as a multiple of one peer's, which is the line that the
// others' bars stand on.
func (r *report) ratioBars(works []Work, other string, f figure, title, note string) chart {
	o := *r
	o.plan.Peers = slices.DeleteFunc(slices.Clone(r.plan.Peers), func(p Peer) bool { return p.Name == other })
	return o.bars(works, title+", as a multiple of "+other+"'s", note,
		func(p Peer, w Work) Spread { return r.samples.ratio(p.Name, other, w.Name, f) })
}

// bars is a group of bars for each work, with a bar for each peer.
func (r *report) bars(works []Work, title, note string, f func(Peer, Work) Spread) chart {
	c := barChart{page: page{title: title, note: note, caption: r.caption(works)}, groups: labels(works)}
	for _, p := range r.plan.Peers {
		b := series{name: p.Name, color: colors[p.Name]}
		for _, w := range works {
			b.values = append(b.values, f(p, w))
			b.missing = append(b.missing, slices.ContainsFunc(r.samples, func(s Sample) bool { return s.Peer == p.Name && s.Work == w.Name }))
		}
		c.series = append(c.series, b)
	}
	return c
}

// A growthChart is what -growth measures, as one figure against another.
type growthChart struct {
	prefix string // of its works
	file   string
	title  string
	x, y   string
	f      figure
	label  func(float64) string // of the x axis
	tick   func(float64) string // of the y axis
}

// latency is the y of charts of microseconds.
const latency = "latency"

var growths = []growthChart{
	{"in-flight-", "in-flight", "Small calls a second, with so many in flight on one connection", "in flight", "calls/s", rate, tick, tick},
	{"connections-", "connections", "Small calls a second, one in flight on each of so many connections", "connections", "calls/s", rate, tick, tick},
	{"streams-", "streams", "Items a second, with so many streams at once on one connection", "streams", "items/s", rate, tick, tick},
	{"size-", "size", "Items a second of one stream, by their size", "size of an item's text", "items/s", rate, bytesTick, tick},
	{"load-", "load-p50", "Latency of small calls under load: median, from when the call was due", "calls/s offered", latency, p50, tick, microsTick},
	{"load-", "load-p99", "Latency of small calls under load: 99th percentile, from when the call was due", "calls/s offered", latency, p99, tick, microsTick},
}

// caption says under what conditions a chart of the works was made.
func (r *report) caption(works []Work) string {
	rounds, others := 0, make([]float64, 0, len(r.samples))
	for _, s := range r.samples {
		if slices.ContainsFunc(works, func(w Work) bool { return w.Name == s.Work }) {
			rounds, others = max(rounds, s.Round+1), append(others, s.Others)
		}
	}
	said := []string{r.machine + ".", fmt.Sprintf("Client and server are two processes on this machine, over TCP on 127.0.0.1, without TLS or compression. "+
		"Median of %d rounds of %s, and from the least to the most of them; logarithmic axes.", rounds, r.plan.Duration)}
	if o := spread(others); o.known() {
		said = append(said, fmt.Sprintf("Other processes used %.1f of its %d cores meanwhile.", o.Mid, runtime.NumCPU()))
	}
	for _, v := range versions() {
		if lib, version, _ := strings.Cut(v, " "); lib == "google.golang.org/grpc" || lib == "github.com/coder/websocket" {
			said = append(said, fmt.Sprintf("%s %s.", path.Base(lib), version))
		}
	}
	return strings.Join(said, " ")
}

// machine is Go's version and what it runs on.
func machine() string {
	s := fmt.Sprintf("%s %s/%s, %d CPUs", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	if cpu := cpuName(string(cpuinfo)); cpu != "" {
		s += ", " + cpu
	}
	return s
}

// tick is a number on an axis.
func tick(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%gM", x/1e6)
	case x >= 1e3 && math.Mod(x, 1e3) == 0:
		return fmt.Sprintf("%gk", x/1e3)
	case x >= 1e3:
		return short(x)
	}
	return fmt.Sprintf("%g", x)
}

func microsTick(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%g s", x/1e6)
	case x >= 1e3:
		return fmt.Sprintf("%g ms", x/1e3)
	}
	return fmt.Sprintf("%g µs", x)
}

func bytesTick(x float64) string {
	switch {
	case x >= 1<<20:
		return fmt.Sprintf("%g MiB", x/(1<<20))
	case x >= 1<<10:
		return fmt.Sprintf("%g KiB", x/(1<<10))
	}
	return fmt.Sprintf("%g B", x)
}

func (r *report) lines(g growthChart, works []Work) chart {
	c := lineChart{page: page{title: g.title, caption: r.caption(works)}, xName: g.x, yName: g.y, xTick: g.label, yTick: g.tick}
	for _, w := range works {
		c.xs = append(c.xs, float64(w.X))
	}
	for _, p := range r.plan.Peers {
		s := series{name: p.Name, color: colors[p.Name]}
		for _, w := range works {
			s.values = append(s.values, r.samples.spread(p.Name, w.Name, g.f))
		}
		c.series = append(c.series, s)
	}
	return c
}
