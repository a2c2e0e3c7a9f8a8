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
	for _, c := range []config{{}, {growth: true}, {upload: true}, {idle: 10}, {fanout: true}, {wide: true}, {works: "beside"}, {peers: "wirecall"}} {
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
		for name, c := range (&report{plan: p, samples: made(p)}).charts() {
			n++
			svg := drawn(t, name, c)
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

func drawn(t *testing.T, name string, c chart) []byte {
	t.Helper()
	svg, err := c.svg()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return svg
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

// A caption says the whole of its conditions, wherever the name of the processor
// has its lines broken.
func TestCaptionOnAnyProcessor(t *testing.T) {
	p := plans(t)[0]
	for _, on := range []string{
		"",
		"go1.26.8 linux/arm64, 1 CPUs",
		"go1.26.8 linux/amd64, 2 CPUs, AMD EPYC",
		"go1.26.8 linux/amd64, 2 CPUs, Intel(R) Xeon(R) Processor",
		"go1.26.8 linux/amd64, 192 CPUs, AMD EPYC 9R14 96-Core Processor",
		"go1.26.8 linux/amd64, 8 CPUs, 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz",
		"devel go1.99-0123456789 linux/riscv64, 4 CPUs, <U74> & others",
		"go1.26.8 linux/amd64, 2 CPUs, " + strings.Repeat("x", 300),
	} {
		r := &report{plan: p, samples: made(p), machine: on}
		for file, c := range r.charts() {
			got := textOf(t, drawn(t, file, c))
			for _, want := range []string{on + ".", "two processes on this machine", "Median of 5 rounds of 400ms"} {
				if !strings.Contains(got, want) {
					t.Errorf("on %q the caption of %s has no %q: %s", on, file, want, got)
				}
			}
		}
	}
}

func TestProcessorName(t *testing.T) {
	for info, want := range map[string]string{
		"": "",
		"processor\t: 0\nBogoMIPS\t: 243.75\nCPU part\t: 0xd0c\n":                                "", // arm64 has numbers
		"vendor_id\t: AuthenticAMD\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nmodel name\t: other\n": "AMD EPYC",
		"model name\t: Intel(R) Xeon(R) CPU           E5520  @ 2.27GHz\n":                        "Intel(R) Xeon(R) CPU E5520 @ 2.27GHz",
	} {
		if got := cpuName(info); got != want {
			t.Errorf("%q is found in %q, want %q", got, info, want)
		}
	}
}

// textOf is the text of a chart, from line to line.
func textOf(t *testing.T, svg []byte) string {
	t.Helper()
	var lines []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(lines, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if el, ok := tok.(xml.StartElement); ok && el.Name.Local == "text" {
			var line string
			if err := d.DecodeElement(&line, &el); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
	}
}

// Charts of nothing, as of a run in which everything failed, are still charts.
func TestChartsOfNothing(t *testing.T) {
	for _, p := range plans(t) {
		for name, c := range (&report{plan: p}).charts() {
			svg := drawn(t, name, c)
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
