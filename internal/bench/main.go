package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A config is what the flags say.
type config struct {
	quick, check, list, md bool
	growth, upload         bool
	fanout, wide, costs    bool
	idle, rounds           int
	duration               time.Duration
	peers, works, charts   string
	json, benchfmt         string
	publish, profiles      string
}

func main() {
	if isChild() {
		exit(childMain())
	}
	var c config
	flag.BoolVar(&c.quick, "quick", false, "under two minutes: shorter samples, fewer rounds")
	flag.BoolVar(&c.check, "check", false, "only check that every peer does every work right")
	flag.BoolVar(&c.list, "list", false, "list peers and works, and how long the run would take")
	flag.BoolVar(&c.md, "md", false, "print Markdown")
	flag.StringVar(&c.json, "json", "", "write every sample to this `file`, a JSON object a line")
	flag.StringVar(&c.benchfmt, "benchfmt", "", "write every sample to this `file` as a Go benchmark, for benchstat")
	flag.StringVar(&c.charts, "plot", "", "write charts to this `folder`, as SVG")
	flag.StringVar(&c.peers, "peers", "", "only these peers, comma-separated")
	flag.StringVar(&c.works, "work", "", "only these works, comma-separated; the beginning of a name will do")
	flag.IntVar(&c.rounds, "rounds", 0, "`number` of rounds (5; with -quick 2)")
	flag.DurationVar(&c.duration, "duration", 0, "of each sample (400ms; with -quick 120ms)")
	flag.BoolVar(&c.growth, "growth", false, "measure calls/s and items/s as connections, calls in flight, sizes and load grow, instead")
	flag.BoolVar(&c.upload, "upload", false, "measure an upload with calls beside it, instead")
	flag.BoolVar(&c.fanout, "fanout", false, "measure events that go to 10,000 subscribers on 1,000 connections (with -quick a tenth), instead")
	flag.BoolVar(&c.wide, "wide", false, "measure events that go to one subscriber on each of 10,000 connections (with -quick a tenth), instead")
	flag.BoolVar(&c.costs, "costs", false, "measure what observers, metrics, traces, descriptions and the inspector cost wirecall, instead")
	flag.IntVar(&c.idle, "idle", 0, "measure what so many idle `connections` cost, instead")
	flag.StringVar(&c.publish, "publish", "", "measure everything, in fifteen minutes at most, and write the reports and charts to this `folder`")
	flag.StringVar(&c.profiles, "profile", "", "write profiles of each sample's client and server to this `folder`; the last round's stay")
	flag.Parse()
	exit(run(c, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run does what the flags ask for and prints the results to w, its progress to
// standard error.
func run(c config, w io.Writer) error {
	if c.publish != "" {
		return c.publishAll(os.Stderr)
	}
	if c.profiles != "" {
		if err := errors.Join(os.MkdirAll(c.profiles, 0o777), os.Setenv(profileEnv, c.profiles)); err != nil {
			return err
		}
	}
	p, err := c.plan()
	if err != nil {
		return err
	}
	if c.list {
		list(w, p)
		return nil
	}
	return c.measure(p, w, os.Stderr)
}

// measure makes the plan's samples and everything that is asked for of them.
func (c config) measure(p Plan, w, log io.Writer) error {
	began := time.Now()
	samples, err := p.run(log)
	if err != nil {
		return err
	}
	if c.check {
		fmt.Fprintf(w, "%d peers do %d works right\n", len(p.Peers), len(p.Works))
		return nil
	}
	if err := errors.Join(save(c.json, samples, writeJSON), save(c.benchfmt, samples, writeBenchmarks)); err != nil {
		return err
	}
	r := &report{w: w, md: c.md, plan: p, samples: samples, machine: machine()}
	r.print(time.Since(began))
	if c.charts != "" {
		return r.plot(c.charts)
	}
	return nil
}

// plan is what the flags ask for.
func (c config) plan() (Plan, error) {
	p := Plan{Works: works, Rounds: 5, Duration: 400 * time.Millisecond}
	if c.quick {
		p.Rounds, p.Duration, p.Limit = 2, 120*time.Millisecond, 110*time.Second
	}
	few, all := "", peers
	switch {
	case c.growth:
		p.Works, few, p.Rounds = growth(), grown, 3
	case c.upload:
		p.Works, few = uploads, "wirecall,wirecall-cbor,grpc,connect,raw,floor"
		if !c.quick {
			p.Rounds, p.Duration = 3, time.Second
		}
	case c.fanout:
		p.Works, all, few, p.Rounds = fanouts("fanout", 1000, 10), fans, "wirecall-topic,wirecall-shared,wirecall,grpc,centrifuge,gws,raw-loop,raw-packed", 3
		p.Duration = time.Second
		if c.quick {
			p.Works, p.Duration, p.Limit = fanouts("fanout", 100, 10), 120*time.Millisecond, 20*time.Second
		}
	case c.wide:
		p.Works, all, few, p.Rounds = fanouts("wide", 10_000, 1), fans, "wirecall-topic,centrifuge,gws,raw-loop", 3
		p.Duration = time.Second
		if c.quick {
			p.Works, p.Duration, p.Limit = fanouts("wide", 1000, 1), 120*time.Millisecond, 20*time.Second
		}
	case c.costs:
		p.Works, all, p.Rounds, p.Limit, p.Costs = costWorks(), costs, costRounds, costLimit, true
		if c.quick {
			p.Rounds = 2
		}
	case c.idle > 0:
		p.Works, all, few, p.Rounds = idles(c.idle), idlers, "wirecall,wirecall-topic,grpc,geth,centrifuge,gws,raw", 1
	}
	if c.rounds > 0 {
		p.Rounds = c.rounds
	}
	if c.duration > 0 {
		p.Duration = c.duration
	}
	if c.check {
		p.Rounds, p.Duration = 1, 0
	}
	if c.peers != "" {
		few = c.peers
	}
	var err, err2 error
	p.Peers, err = pick(all, few, func(p Peer, name string) bool { return p.Name == name })
	p.Works, err2 = pick(p.Works, c.works, func(w Work, name string) bool { return strings.HasPrefix(w.Name, name) })
	return p, errors.Join(err, err2)
}

func list(w io.Writer, p Plan) {
	for _, p := range p.Peers {
		fmt.Fprintf(w, "%-14s %s\n", p.Name, p.About)
	}
	fmt.Fprintln(w)
	for _, k := range p.Works {
		fmt.Fprintf(w, "%-14s %s\n", k.Name, k.Title)
	}
	fmt.Fprintf(w, "\n%d rounds of %s a sample: about %s\n", p.Rounds, p.Duration, p.estimate().Round(time.Second))
}

// run makes the plan's samples and writes its progress to log. A sample that fails
// carries its error; only a check returns it.
func (p Plan) run(log io.Writer) (Samples, error) {
	var all Samples
	began, last := time.Now(), ""
	for round, j := range p.jobs() {
		if p.Limit > 0 && time.Since(began) > p.Limit {
			fmt.Fprintf(log, "stopped after %s, in round %d of %d\n", p.Limit, round+1, p.Rounds)
			break
		}
		if now := fmt.Sprintf("round %d of %d, %s", round+1, p.Rounds, j.Work.Name); now != last {
			fmt.Fprintf(log, "%6s  %s\n", time.Since(began).Round(time.Second), now)
			last = now
		}
		s := measure(j)
		s.Round = round
		all = append(all, s)
		if s.Err != "" {
			fmt.Fprintf(log, "        %s, %s: %s\n", s.Peer, s.Work, s.Err)
		}
	}
	if p.Duration == 0 {
		return all, all.failed()
	}
	return all, nil
}

// failed is an error when a sample is one.
func (all Samples) failed() error {
	for _, s := range all {
		if s.Err != "" {
			return fmt.Errorf("%s does not do %s: %s", s.Peer, s.Work, s.Err)
		}
	}
	return nil
}

// save writes the samples to a file, if it has a name.
func save(name string, all Samples, write func(io.Writer, Samples) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f, all), f.Close())
}

// writeJSON writes the samples, one JSON object a line.
func writeJSON(w io.Writer, all Samples) (err error) {
	enc := json.NewEncoder(w)
	for _, s := range all {
		err = errors.Join(err, enc.Encode(s))
	}
	return err
}
