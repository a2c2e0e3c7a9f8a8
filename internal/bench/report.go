package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// A report prints the tables of a run and draws its charts.
type report struct {
	w       io.Writer
	md      bool
	plan    Plan
	samples Samples
	machine string // that of the run, as captions and conditions say it
}

func (r *report) print(took time.Duration) {
	r.conditions(took)
	if r.plan.Costs {
		r.costs()
		r.remarks()
		return
	}
	if measured := r.works(Calls, Stream); len(measured) > 0 && measured[0].X == 0 {
		r.ratios("Calls and items a second, as a multiple of "+reference+"'s: more is faster", measured, rate)
		r.ratios("CPU time of a call or item, client and server, as a multiple of "+reference+"'s: less is cheaper", measured, cpu)
		r.againstFloor(measured)
	}
	if b := r.works(Beside); len(b) > 0 {
		r.beside(b)
	}
	for _, w := range r.plan.Works {
		switch {
		case w.X > 0: // in a table of growth
		case w.Kind == Calls || w.Kind == Stream:
			r.details(w)
		case w.Kind == Upload:
			r.upload(w)
		case w.Kind == Idle:
			r.idle(w)
		case w.Kind == FanOut:
			r.fanOut(w)
		}
	}
	for _, g := range growths {
		if all := r.growing(g.prefix); len(all) > 0 {
			r.growth(g, all)
		}
	}
	r.remarks()
}

// works are those of the plan that have one of the kinds.
func (r *report) works(kinds ...Kind) []Work {
	return slices.DeleteFunc(slices.Clone(r.plan.Works), func(w Work) bool { return !slices.Contains(kinds, w.Kind) })
}

// growing are the works that a growth chart is made of.
func (r *report) growing(prefix string) []Work {
	return slices.DeleteFunc(slices.Clone(r.plan.Works), func(w Work) bool {
		return w.X == 0 || !strings.HasPrefix(w.Name, prefix)
	})
}

func (r *report) conditions(took time.Duration) {
	r.heading("Conditions")
	r.item("%s; GOMAXPROCS %d in each process", r.machine, runtime.GOMAXPROCS(0))
	r.item("client and server are two processes on this machine, over TCP on 127.0.0.1")
	r.item("%d rounds, %s a sample, peers in random order; took %s", r.plan.Rounds, r.plan.Duration, took.Round(time.Second))
	if n := r.plan.size() - len(r.samples); n > 0 {
		r.item("stopped after %s: %d of %d samples are missing", r.plan.Limit, n, r.plan.size())
	}
	others := make([]float64, 0, len(r.samples))
	for _, s := range r.samples {
		others = append(others, s.Others)
	}
	if o := spread(others); o.known() {
		r.item("meanwhile other processes used %.1f cores in the median sample, %.1f at most", o.Mid, o.Most)
	}
	r.item("a figure is the median of the rounds, with the least and the most of them where it says so; a ratio is taken within a round")
	r.item("versions: %s", strings.Join(versions(), ", "))
	fmt.Fprintln(r.w)
	t := table{head: []string{"peer", "what"}}
	for _, p := range r.plan.Peers {
		t.add(p.Name, p.About)
	}
	r.table("", t)
}

// cpuName is the name of the first processor in the text of /proc/cpuinfo, with
// single spaces, or "" where there is none.
func cpuName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Join(strings.Fields(strings.TrimLeft(name, "\t :")), " ")
		}
	}
	return ""
}

// versions are those of the libraries under test.
func versions() (all []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, d := range info.Deps {
		switch d.Path {
		case "connectrpc.com/connect", "github.com/coder/websocket", "github.com/creachadair/jrpc2", "github.com/ethereum/go-ethereum",
			"github.com/fxamacker/cbor/v2", "github.com/centrifugal/centrifuge", "github.com/lxzan/gws", "github.com/gorilla/websocket", "google.golang.org/grpc", "google.golang.org/protobuf", "storj.io/drpc":
			all = append(all, d.Path+" "+d.Version)
		}
	}
	return all
}

func (r *report) ratios(title string, works []Work, f figure) {
	r.ratiosTo(reference, title, works, f, r.plan.Peers)
}

// againstFloor is how far ours and the reference are from what is possible.
func (r *report) againstFloor(works []Work) {
	few := slices.DeleteFunc(slices.Clone(r.plan.Peers), func(p Peer) bool {
		return p.Name != reference && !strings.HasPrefix(p.Name, "wirecall")
	})
	if slices.ContainsFunc(r.plan.Peers, func(p Peer) bool { return p.Name == floor }) {
		r.ratiosTo(floor, "CPU time as a multiple of "+floor+"'s: the distance to the least that does the same", works, cpu, few)
	}
}

func (r *report) ratiosTo(other, title string, works []Work, f figure, peers []Peer) {
	t := table{head: []string{"peer"}}
	for _, label := range labels(works) {
		t.head = append(t.head, strings.ReplaceAll(label, "\n", " "))
	}
	for _, p := range peers {
		row := []string{p.Name}
		for _, w := range works {
			row = append(row, r.samples.ratio(p.Name, other, w.Name, f).String())
		}
		t.add(row...)
	}
	r.table(title, t)
}

// String is the median alone, or with the least and the most where they differ.
func (s Spread) String() string {
	switch {
	case !s.known():
		return "–"
	case s.Least == s.Most:
		return short(s.Mid)
	}
	return fmt.Sprintf("%s (%s–%s)", short(s.Mid), short(s.Least), short(s.Most))
}

// short is x with three digits or so, and thousands apart.
func short(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.Abs(x) < 10:
		return fmt.Sprintf("%.2f", x)
	case math.Abs(x) < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return whole(int(math.Round(x)))
}

// whole is n with its thousands apart.
func whole(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// mid is the median of a figure, in short.
func (r *report) mid(p Peer, w Work, f figure) string {
	return short(r.samples.spread(p.Name, w.Name, f).Mid)
}

// each adds a row for every peer that has done the work.
func (r *report) each(t *table, w Work, row func(Peer) []string) {
	for _, p := range r.plan.Peers {
		if len(r.samples.of(p.Name, w.Name)) > 0 {
			t.add(append([]string{p.Name}, row(p)...)...)
		}
	}
}

func (r *report) details(w Work) {
	what, latency := "call", w.Kind == Calls
	if !latency {
		what = "item"
	}
	t := table{head: []string{"peer", what + "s/s", "× " + reference, "× " + floor, "CPU µs", "allocs", "bytes", "writes"}}
	if latency {
		t.head = append(t.head, "p50 µs", "p99 µs")
	}
	r.each(&t, w, func(p Peer) []string {
		row := []string{
			r.mid(p, w, rate),
			r.samples.ratio(p.Name, reference, w.Name, rate).String(),
			r.samples.ratio(p.Name, floor, w.Name, rate).String(),
			r.mid(p, w, cpu),
			r.mid(p, w, func(s Sample) float64 { return s.Allocs }),
			r.mid(p, w, func(s Sample) float64 { return s.Bytes }),
			r.mid(p, w, func(s Sample) float64 { return s.Writes }),
		}
		if latency {
			row = append(row, r.mid(p, w, p50), r.mid(p, w, p99))
		}
		return row
	})
	r.table(fmt.Sprintf("%s (%s), each %s", w.Title, w.Name, what), t)
}

func (r *report) beside(works []Work) {
	for _, w := range works {
		t := table{head: []string{"peer", "× alone", "p50 µs", "p99 µs", "alone p50 µs", "no answer", "items/s", "items ahead", "the stream"}}
		r.each(&t, w, func(p Peer) []string {
			of := r.samples.of(p.Name, w.Name)
			return []string{
				cmp.Or(blocked(of), r.samples.spread(p.Name, w.Name, times).String()),
				r.mid(p, w, p50), r.mid(p, w, p99),
				r.mid(p, w, func(s Sample) float64 { return s.Alone50 }),
				fmt.Sprint(timeouts(of)),
				r.mid(p, w, func(s Sample) float64 { return s.Items }),
				r.mid(p, w, func(s Sample) float64 { return float64(max(0, s.Ahead)) }),
				fate(of),
			}
		})
		r.table(fmt.Sprintf("%s (%s): its p50 as a multiple of its p50 alone", w.Title, w.Name), t)
	}
}

// blocked says so where no call came back in most of the rounds: a median of the
// others would praise what it leaves out.
func blocked(of Samples) string {
	n := 0
	for _, s := range of {
		if s.Ops == 0 {
			n++
		}
	}
	if 2*n > len(of) {
		return "blocked"
	}
	return ""
}

// timeouts is how many calls had no answer, in all rounds.
func timeouts(of Samples) (n int64) {
	for _, s := range of {
		n += s.Timeouts
	}
	return n
}

// fate is what became of the stream that calls were beside.
func fate(of Samples) string {
	for _, s := range of {
		if s.Ended != "" {
			return s.Ended
		}
	}
	return "lives"
}

func (r *report) upload(w Work) {
	t := table{head: []string{"peer", "MiB/s", "× " + floor, "calls' p50 µs", "p99 µs", "alone p99 µs", "calls", "no answer", "RSS grows by MiB"}}
	r.each(&t, w, func(p Peer) []string {
		return []string{
			r.mid(p, w, rate), r.samples.ratio(p.Name, floor, w.Name, rate).String(), r.mid(p, w, p50), r.mid(p, w, p99),
			r.mid(p, w, func(s Sample) float64 { return s.Alone99 }),
			r.mid(p, w, func(s Sample) float64 { return float64(s.Ops) }),
			fmt.Sprint(timeouts(r.samples.of(p.Name, w.Name))),
			r.mid(p, w, func(s Sample) float64 { return s.Peak }),
		}
	})
	r.table(w.Title, t)
}

func (r *report) idle(w Work) {
	t := table{head: []string{"peer", "heap bytes", "stack bytes", "RSS bytes", "CPU µs a second", "writes a second"}}
	r.each(&t, w, func(p Peer) []string {
		return []string{
			r.mid(p, w, func(s Sample) float64 { return s.Heap }),
			r.mid(p, w, func(s Sample) float64 { return s.Stacks }),
			r.mid(p, w, func(s Sample) float64 { return s.RSS }),
			r.mid(p, w, serverCPU),
			r.mid(p, w, func(s Sample) float64 { return s.ServerWrites }),
		}
	})
	r.table(w.Title+": what one costs the server, pinged every "+idlePing.String(), t)
}

func (r *report) fanOut(w Work) {
	t := table{head: []string{"peer", "deliveries/s", "× " + fanFloor, "server CPU µs", "× " + fanFloor, "server writes", "both CPU µs", "p50 ms", "p99 ms", "last has it after ms"}}
	r.each(&t, w, func(p Peer) []string {
		return []string{
			r.mid(p, w, rate), r.samples.ratio(p.Name, fanFloor, w.Name, rate).String(),
			r.mid(p, w, serverCPU), r.samples.ratio(p.Name, fanFloor, w.Name, serverCPU).String(),
			r.mid(p, w, func(s Sample) float64 { return s.ServerWrites }),
			r.mid(p, w, cpu),
			r.mid(p, w, func(s Sample) float64 { return s.P50 / 1000 }),
			r.mid(p, w, func(s Sample) float64 { return s.P99 / 1000 }),
			r.mid(p, w, func(s Sample) float64 { return s.Last50 / 1000 }),
		}
	})
	r.table(w.Title+": each delivery", t)
}

func (r *report) growth(g growthChart, works []Work) {
	t := table{head: []string{g.x}}
	for _, p := range r.plan.Peers {
		t.head = append(t.head, p.Name)
	}
	for _, w := range works {
		row := []string{g.label(float64(w.X))}
		for _, p := range r.plan.Peers {
			row = append(row, r.samples.spread(p.Name, w.Name, g.f).String())
		}
		t.add(row...)
	}
	unit := ""
	if g.y == latency {
		unit = ", in µs"
	}
	r.table(g.title+unit, t)
}

// remarks are what no table has a place for.
func (r *report) remarks() {
	var all []string
	for _, s := range r.samples {
		remark := ""
		switch {
		case s.Err != "":
			remark = s.Err
		case s.Late > s.Ops/1000:
			remark = "items came after others that were sent later"
		default:
			continue
		}
		if remark = fmt.Sprintf("%s, %s: %s", s.Peer, s.Work, remark); !slices.Contains(all, remark) {
			all = append(all, remark)
		}
	}
	if len(all) == 0 {
		return
	}
	r.heading("Remarks")
	for _, remark := range all {
		r.item("%s", remark)
	}
}
