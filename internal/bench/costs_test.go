package main

import (
	"strings"
	"testing"
	"time"
)

func TestCosts(t *testing.T) {
	for _, p := range costs {
		t.Run(p.Name, func(t *testing.T) {
			for _, w := range costWorks() {
				j := serve(t, p, w)
				if s, err := j.run(t.Context()); err != nil || s.Ops == 0 {
					t.Errorf("%s: %+v, %v", w.Name, s, err)
				}
			}
		})
	}
}

// The costs are measured in less than four minutes.
func TestCostsTakeUnderFourMinutes(t *testing.T) {
	p, err := config{costs: true}.plan()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Works) != 3 || p.Rounds < 10 || p.estimate() > p.Limit || p.Limit > 230*time.Second {
		t.Errorf("%d works in %d rounds take %s, and %s at most", len(p.Works), p.Rounds, p.estimate(), p.Limit)
	}
}

// The report compares with wirecall alone, and has a row for each peer but that.
func TestCostsReport(t *testing.T) {
	p, err := config{costs: true}.plan()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r := &report{w: &b, md: true, plan: p, samples: made(p)}
	r.print(time.Minute)
	for _, peer := range p.Peers {
		rows := strings.Count(b.String(), "\n| "+peer.Name+" |")
		if want := 3; peer.Name != nothing && rows != want || peer.Name == nothing && rows != 1 { // with that of the conditions
			t.Errorf("%s has %d rows\n%s", peer.Name, rows, b.String())
		}
	}
}

func TestChange(t *testing.T) {
	for want, ratios := range map[string][]float64{
		"–":                       nil,
		"+0.0 % (+0.0 to +0.0)":   {1},
		"+10.0 % (+5.0 to +15.0)": {1.2, 1, 1.1},
		"-5.0 % (-7.5 to -2.5)":   {0.9, 1},
	} {
		if got := change(ratios); got != want {
			t.Errorf("%v: %s, want %s", ratios, got, want)
		}
	}
}
