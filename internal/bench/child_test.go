package main

import (
	"strings"
	"testing"
)

func TestTwoProcesses(t *testing.T) {
	s := measure(Job{Peer: "wirecall", Work: works[1]})
	if s.Err != "" {
		t.Fatal(s.Err)
	}
	if want := int64(turns * works[1].InFlight); s.Ops != want {
		t.Errorf("%d calls were counted, want %d", s.Ops, want)
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

func TestChildThatDies(t *testing.T) {
	c, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	c.stdin.Close() // it takes that for the end of its parent
	c.cmd.Wait()
	if err := c.call(patience, "Usage", Nothing{}, new(Usage)); err == nil || !strings.Contains(err.Error(), "process died") {
		t.Error(err)
	}
}
