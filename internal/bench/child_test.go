package main

import (
	"strings"
	"testing"
	"time"
)

func TestTwoProcesses(t *testing.T) {
	job := Job{Peer: "wirecall", Work: works[1]}
	s := measure(job)
	if s.Err != "" {
		t.Fatal(s.Err)
	}
	if want := int64(turns * works[1].InFlight); s.Ops != want {
		t.Errorf("%d calls were counted, want %d", s.Ops, want)
	}
	// A system that counts processor time in ticks finds none in a short sample.
	for job.Duration = time.Millisecond; job.Duration < time.Minute && (s.CPU == 0 || s.children == 0); job.Duration *= 10 {
		s = measure(job)
	}
	if s.CPU <= 0 || s.Allocs <= 1 || s.Bytes <= 1 || s.P50 <= 0 || s.P99 < s.P50 || s.children <= 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatGoesWrongIsInTheSample(t *testing.T) {
	for job, want := range map[*Job]string{
		{Peer: "nobody", Work: works[0]}:                `no peer "nobody"`,
		{Peer: "drpc", Work: uploads[0]}:                errNoUploads.Error(),
		{Peer: "wirecall", Work: Work{Kind: "unheard"}}: "no way to measure",
	} {
		if s := measure(*job); !strings.Contains(s.Err, want) {
			t.Errorf("%s: %q, want %q", job.Peer, s.Err, want)
		}
	}
}

func TestManyConnectionsHaveManyAddresses(t *testing.T) {
	for conns, want := range map[int]int{1: 1, 24_999: 1, 25_000: 2, 60_000: 3} {
		if got := idles(conns)[0].options().Addresses; got != want {
			t.Errorf("%d connections go to %d addresses, want %d", conns, got, want)
		}
	}
	c, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	var addrs []string
	if err := c.call(orders, "Serve", Service{"raw", Options{Addresses: 3}}, &addrs); err != nil || len(addrs) != 3 {
		t.Fatal(addrs, err)
	}
	j := Job{Peer: "raw", Work: idles(7)[1], Addrs: addrs}
	if s, err := j.run(t.Context()); err != nil || s.Ops != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := roomFor(1 << 40); err == nil {
		t.Error("there is room for a million million connections")
	}
}

func TestChildThatDies(t *testing.T) {
	c, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	c.stdin.Close() // it takes that for the end of its parent
	c.cmd.Wait()
	if err := c.call(time.Minute, "Usage", Nothing{}, new(Usage)); err == nil || !strings.Contains(err.Error(), "process died") {
		t.Error(err)
	}
}
