package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// made are samples of a plan as a run might bring them: some failed, some calls
// did not come back.
func made(p Plan) (all Samples) {
	i := 0
	for round, j := range p.jobs() {
		i++
		s := Sample{Peer: j.Peer, Work: j.Work.Name, X: j.Work.X, Round: round, Ops: 1000, Rate: float64(1000 + i%7*300),
			P50: float64(10 + i%13), P99: 90, Alone50: 5, Alone99: 9, CPU: 3, Allocs: 12, Bytes: 3456, Writes: 0.5}
		switch {
		case j.Peer == "jrpc2" && j.Work.Kind == Stream:
			s = Sample{Peer: j.Peer, Work: j.Work.Name, Round: round, Err: "<lost> & gone | away"}
		case j.Peer == "drpc" && j.Work.Kind == Beside:
			s.P50, s.P99, s.Ops, s.Timeouts = 0, 0, 0, 1
		}
		all = append(all, s)
	}
	return all
}

func plans(t *testing.T) (all []Plan) {
	t.Helper()
	for _, c := range []config{{}, {growth: true}, {upload: true}, {idle: 10}, {fanout: true}, {works: "beside"}, {peers: "wirecall"}} {
		p, err := c.plan()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestChartsAreWellFormed(t *testing.T) {
	n := 0
	for _, p := range plans(t) {
		for name, svg := range charts(p, made(p)) {
			n++
			if err := wellFormed(svg); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, bad := range []string{"NaN", "Inf", "%!"} {
				if bytes.Contains(svg, []byte(bad)) {
					t.Errorf("%s contains %s", name, bad)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d charts were drawn", n)
	}
}

func wellFormed(svg []byte) error {
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Charts of nothing, as of a run in which everything failed, are still charts.
func TestChartsOfNothing(t *testing.T) {
	for _, p := range plans(t) {
		for name, svg := range charts(p, nil) {
			if err := wellFormed(svg); err != nil || bytes.Contains(svg, []byte("NaN")) {
				t.Errorf("%s: %v\n%s", name, err, svg)
			}
		}
	}
}

func TestReport(t *testing.T) {
	for _, p := range plans(t) {
		for _, md := range []bool{false, true} {
			var b strings.Builder
			r := &report{w: &b, md: md, plan: p, samples: made(p)}
			r.print(time.Minute)
			for _, peer := range p.Peers {
				if !strings.Contains(b.String(), peer.Name) {
					t.Errorf("%s is not in the report", peer.Name)
				}
			}
			if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "%!") {
				t.Errorf("the report is broken:\n%s", s)
			}
		}
	}
}

func TestTable(t *testing.T) {
	tab := table{head: []string{"peer", "× grpc", "calls"}}
	tab.add("a", Spread{1.5, 1.25, 2}.String(), short(1234567))
	tab.add("longer", Spread{2, 2, 2}.String(), short(12.34))
	const text = `peer              × grpc      calls
a       1.50 (1.25–2.00)  1,234,567
longer              2.00       12.3
`
	if got := tab.text(); got != text {
		t.Errorf("as text:\n%s", got)
	}
	const md = `| peer | × grpc | calls |
| --- | ---: | ---: |
| a | 1.50 (1.25–2.00) | 1,234,567 |
| longer | 2.00 | 12.3 |
`
	if got := tab.markdown(); got != md {
		t.Errorf("as Markdown:\n%s", got)
	}
}
