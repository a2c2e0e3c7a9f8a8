package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A publication is a run of its own, with its report and its charts.
type publication struct {
	name  string // of its report
	limit time.Duration
	config
}

// publications are all figures: fourteen minutes or so, and what their limits add up
// to at most. How long and how often c says to measure holds for all.
func (c config) publications() []publication {
	all := []publication{
		{"table", 285 * time.Second, config{rounds: 3}},
		{"growth", 268 * time.Second, config{growth: true}},
		{"fanout", 115 * time.Second, config{fanout: true}},
		{"idle", 144 * time.Second, config{idle: cmp.Or(c.idle, 10_000)}},
		{"upload", 58 * time.Second, config{upload: true}},
	}
	for i := range all {
		p := &all[i].config
		p.md, p.charts, p.quick, p.duration = true, c.publish, c.quick, c.duration
		p.rounds = cmp.Or(c.rounds, p.rounds)
	}
	return all
}

// publishAll makes every figure, writes them to the folder, and says how they go
// on and how busy the machine is besides.
func (c config) publishAll(log io.Writer) error {
	if c.list || c.check || c.peers != "" || c.works != "" || c.json != "" || c.benchfmt != "" {
		return errors.New("-publish measures, with peers, works and files of its own")
	}
	if err := os.MkdirAll(c.publish, 0o755); err != nil {
		return err
	}
	began := time.Now()
	fmt.Fprintln(log, "before:", others(2*time.Second))
	var failed error
	for _, p := range c.publications() {
		fmt.Fprintf(log, "%s, at most %s\n", p.name, p.limit)
		failed = errors.Join(failed, p.make(log))
	}
	fmt.Fprintln(log, "after:", others(2*time.Second))
	fmt.Fprintf(log, "took %s; everything is in %s\n", time.Since(began).Round(time.Second), c.publish)
	return failed
}

func (p publication) make(log io.Writer) error {
	plan, err := p.plan()
	if err != nil {
		return err
	}
	plan.Limit = p.limit
	f, err := os.Create(filepath.Join(p.charts, p.name+".md"))
	if err != nil {
		return err
	}
	err = p.measure(plan, f, log)
	return errors.Join(err, f.Close())
}

// others returns how much of the processors all processes but this one use during d.
func others(d time.Duration) string {
	busy := machineCPU()
	time.Sleep(d)
	s := fmt.Sprintf("other processes use %.2f of %d cores", (machineCPU()-busy).Seconds()/d.Seconds(), runtime.NumCPU())
	b, _ := os.ReadFile("/proc/loadavg")
	if load := strings.Fields(string(b)); len(load) > 3 {
		s += ", load average " + strings.Join(load[:3], " ")
	}
	return s
}
