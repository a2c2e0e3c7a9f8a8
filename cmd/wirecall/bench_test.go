package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// How many calls there are depends on the machine here; internal/loadgen has exact tests.
var benchCases = []remoteCase{
	{line: "bench -rate 50 -for 200ms -warmup 0s $URL Room.Post author=Ann 'text=hello {seq}'",
		stdout: "Room.Post: 50 calls a second for 200ms, on 1 connection\n\ncalls …answered, 0 failed…\n…\nlatency, from when it was due\n  p50 …\n  up to …"},
	{line: "bench -closed -in-flight 2 -for 50ms -warmup 10ms $URL Room.Post author=Ann -params '{\"author\":\"Ann\",\"text\":\"hello\"}'", status: 2,
		stderr: "wirecall: -params and \"author=Ann\" are both given\n"},
	{line: "bench -closed -in-flight 2 -for 50ms -warmup 10ms -params '[\"Ann\",\"hello\"]' $URL Room.Post",
		stdout: "Room.Post: 2 calls at a time for 50ms, on 1 connection, and before that 10ms of warm-up, which is left out\n…0 failed\n…\nlatency\n…"},
	{line: "bench -rate 100 -for 400ms -warmup 0s -conns 2 -cut 100ms -seq id $URL Room.Post author=Ann text=hello",
		stdout: "…, on 2 connections\n…0 failed…\ncuts … resumed, 0 with a new session, 0 not back; …\nsequence … values, 0 lost, 0 doubled\n…"},
	{line: "bench -closed -for 100ms -warmup 0s -n 2 -stream $URL Room.Messages after:=0",
		stdout: "Room.Messages: 1 stream at a time …\nitems …\n\ntime to the first item\n…\ntime between two items of a stream\n…"},
	{line: "bench -rate 20 -for 100ms -warmup 0s $URL Room.Import messages@items.jsonl", stdout: "…\nitems …"},
	{line: "bench -rate 20 -for 100ms $URL", stdout: "20 connections a second for 100ms\n\nconnections  …\nheld         … at the end, 0 lost\n…\ntime to open, from when it was due\n…"},
	{line: "bench -rate 50 -for 100ms -warmup 0s -notify $URL Room.Typing author=Ann", stdout: "Room.Typing: …, 0 failed…"},
	{line: "bench -rate 50 -ramp 100 -for 100ms -warmup 0s -meta a=b -timeout 10s $URL Room.Post author=Ann text=hello", stdout: "…\nrate …p50 …p99 …max\n50–55 …\n…95–100 …"},
	{line: "bench -rate 50 -for 100ms -warmup 0s -undescribed $URL Room.Nothing", status: 1,
		stdout: "…\nerror        … times: method not found: Room.Nothing (code -32601)\n…", stderr: "wirecall: nothing was answered\n"},

	{line: "bench", status: 2, stderr: "wirecall: want a URL: wirecall bench …"},
	{line: "bench -rate 0 $URL Room.Post author=Ann text=x", status: 2, stderr: "wirecall: the rate must be more than 0 and at most 1,000,000 a second\n"},
	{line: "bench -rate fast $URL Room.Post", status: 2, stderr: "wirecall: invalid value \"fast\" …; wirecall bench -help has all flags\n"},
	{line: "bench -post $URL", status: 2, stderr: "wirecall: a POST holds no connection: want a METHOD\n"},
	{line: "bench $URL Room.Post author=Ann 'text={rand:3..1}'", status: 2, stderr: "wirecall: {rand:3..1}: want two numbers of 32 bits, the lower one first\n"},
	{line: "bench $URL Room.Import messages@-", status: 2, stderr: "wirecall: the standard input can be read once, and each call would read it\n"},
	{line: "bench -H trace $URL", status: 2, stderr: "wirecall: -header \"trace\": want 'Name: value'\n"},
	{line: "bench gopher://localhost Room.Post", status: exitUnreachable, stderr: "wirecall: gopher://localhost: …"},
	{line: "bench -for 100ms -warmup 0s -json missing/a.json $URL Room.Post author=Ann text=x", status: 1, stderr: "wirecall: open …missing/a.json: no such file or directory\n"},
}

func TestBench(t *testing.T) {
	for _, document := range [][]byte{nil, itself} {
		sh := newShell(t, document)
		sh.run(t.Context(), "call $URL Room.Import messages@items.jsonl", "") // so that there is something to stream
		for _, c := range benchCases {
			sh.check(c)
		}
	}
	sh := newShell(t, itself)
	sh.check(remoteCase{line: "bench $URL Room.Post author=Ann", status: 2, stderr: "wirecall: the parameter text is missing: …"})
	sh.check(remoteCase{line: "bench $URL Room.Nothing", status: 1, stderr: "wirecall: the server has no method Room.Nothing\n"})
	post := shell{t, "http" + strings.TrimPrefix(sh.url, "ws"), sh.dir}
	post.check(remoteCase{line: "bench -post -rate 50 -for 100ms -warmup 0s $URL Room.Post author=Ann text=hello", stdout: "Room.Post: …, 0 failed…"})
	post.check(remoteCase{line: "bench -post -cut 1s $URL Room.Post author=Ann text=hello", status: 2, stderr: "wirecall: only sockets can be cut: neither a POST nor a program has one\n"})
}

func TestBenchFiles(t *testing.T) {
	sh := newShell(t, itself)
	sh.check(remoteCase{line: "bench -rate 50 -for 100ms -warmup 0s -json a.json -svg a.svg $URL Room.Post author=Ann text=hello", stdout: "Room.Post: …"})
	stdout, stderr, status := sh.run(t.Context(), "bench -rate 50 -for 100ms -warmup 0s -json - $URL Room.Post author=Ann text=hello", "")
	written, err := os.ReadFile(filepath.Join(sh.dir, "a.json"))
	if err != nil || status != 0 || stderr != "" {
		t.Fatal(err, status, stderr)
	}
	for _, text := range []string{stdout, string(written)} {
		var v struct {
			What string
			Due  int64
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.What != "Room.Post" || v.Due != 5 {
			t.Errorf("%v: %s", err, text)
		}
	}
	if svg, err := os.ReadFile(filepath.Join(sh.dir, "a.svg")); err != nil || !strings.HasPrefix(string(svg), "<svg ") {
		t.Errorf("%v: %s", err, svg)
	}
}

// withoutFigures is a result without what another machine, or a busy one, has different.
func withoutFigures(text string) string {
	for _, r := range []struct{ pattern, with string }{
		{`\d[\d,.]*(ns|µs|ms|s\b)?`, "#"},
		{`; # not sent`, ""},
		{`(?m)^note .*\n`, ""},
		{`(  up to .*\n?)+`, "the bars\n"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return strings.TrimSpace(text)
}

// Ctrl-C ends a run, and what has been measured is reported.
func TestBenchInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var once sync.Once
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Name: "T", Methods: []*rpc.Method{{Name: "T.Do", Serve: func(context.Context, any, *rpc.Call) error {
		once.Do(interrupt)
		return nil
	}}}})
	hs := httptest.NewServer(srv)
	defer hs.Close()
	defer srv.Close()
	sh := &shell{T: t, url: "ws" + strings.TrimPrefix(hs.URL, "http")}
	stdout, stderr, status := sh.run(ctx, "bench -for 1h -warmup 0s $URL T.Do", "")
	if status != exitInterrupted || !matches("T.Do: …\ninterrupted: what follows is of the first …\n\ncalls …", stdout) || !matches("wirecall: interrupted after …\n", stderr) {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}
