package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPublishTakesFifteenMinutesAtMost(t *testing.T) {
	var limits, estimate time.Duration
	for _, p := range (config{publish: "x"}).publications() {
		plan, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-8s about %s, at most %s", p.name, plan.estimate().Round(time.Second), p.limit)
		limits, estimate = limits+p.limit, estimate+plan.estimate()
	}
	const late = 30 * time.Second // a sample begins before its limit and ends behind it
	if limits+late > 15*time.Minute {
		t.Errorf("all takes %s at most", limits+late)
	}
	if estimate > limits {
		t.Errorf("all takes about %s, and %s are allowed", estimate, limits)
	}
}

func TestPublication(t *testing.T) {
	dir := t.TempDir()
	p := publication{"some", time.Minute, config{md: true, charts: dir, rounds: 1, duration: time.Millisecond, peers: "wirecall,raw", works: "small-1"}}
	if err := p.make(io.Discard); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"some.md": "| raw |", "rate.svg": "Median of 1 rounds of 1ms", "cpu.svg": machine()} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if strings.HasSuffix(file, ".svg") {
			b = []byte(textOf(t, b))
		}
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s has no %q: %v", file, want, err)
		}
	}
	if err := (config{publish: dir, peers: "grpc"}).publishAll(io.Discard); err == nil {
		t.Error("-publish with peers was accepted")
	}
}

// A publication that was stopped says so, and has what was measured until then.
func TestPublicationThatIsLate(t *testing.T) {
	dir := t.TempDir()
	p := publication{"some", 1, config{md: true, charts: dir, rounds: 2, duration: time.Millisecond, peers: "raw", works: "small-1"}}
	if err := p.make(io.Discard); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "some.md"))
	if err != nil || !strings.Contains(string(b), "samples are missing") {
		t.Errorf("%s%v", b, err)
	}
}

func TestTicks(t *testing.T) {
	for want, got := range map[string]string{
		"500 µs": microsTick(500), "20 ms": microsTick(20_000), "1 s": microsTick(1e6),
		"16 B": bytesTick(16), "64 KiB": bytesTick(64 << 10), "1 MiB": bytesTick(1 << 20),
		"4,096": tick(4096), "10k": tick(10_000),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	small := style(11, gray)
	for i, line := range wrap(strings.Repeat("word ", 100), 590*px, small) {
		if small.Width(line) > 590*px || strings.TrimSpace(line) != line || line == "" {
			t.Errorf("line %d is %q", i, line)
		}
	}
}
