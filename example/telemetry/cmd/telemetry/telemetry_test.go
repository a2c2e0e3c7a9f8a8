package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/example/telemetry"
)

// start runs the program until stop, which returns what it ended with.
func start(t *testing.T, args ...string) (lines *bufio.Scanner, stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, args, w)
		w.Close()
	}()
	return bufio.NewScanner(r), func() error {
		cancel()
		go io.Copy(io.Discard, r)
		return <-done
	}
}

// until reads lines until one that contains what is wanted.
func until(t *testing.T, lines *bufio.Scanner, want string) string {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			return lines.Text()
		}
	}
	t.Fatalf("no line with %q", want)
	return ""
}

func TestPrograms(t *testing.T) {
	server, stopServer := start(t, "serve", "-addr", "127.0.0.1:0")
	url := strings.TrimSuffix(strings.Fields(until(t, server, "ws://"))[2], ",")
	dashboard, stopDashboard := start(t, "watch", "-url", url)
	until(t, dashboard, "0 devices")
	_, stopDevice := start(t, "device", "-device", "attic", "-interval", "1h", "-url", url)
	until(t, dashboard, `"attic"      every 1h`)

	var out bytes.Buffer
	if err := run(t.Context(), []string{"set", "-device", "attic", "-interval", "2ms", "-url", url}, &out); err != nil {
		t.Error(err)
	}
	if want := "attic: every 2ms, was 1h0m0s\n"; out.String() != want {
		t.Errorf("set printed %q, want %q", out.String(), want)
	}
	until(t, dashboard, `"attic"      every 2ms`)
	if err := stopDevice(); !errors.Is(err, context.Canceled) {
		t.Error("the device:", err)
	}
	until(t, dashboard, "offline")
	err := run(t.Context(), []string{"set", "-device", "attic", "-url", url}, &out)
	if _, ok := errors.AsType[*telemetry.OfflineDevice](err); !ok {
		t.Error("set of an offline device:", err)
	}
	if err := stopServer(); err != nil {
		t.Error("the server:", err)
	}
	if err := stopDashboard(); err == nil {
		t.Error("the dashboard has not seen the server go")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "serve now", "device", "device -device attic -interval 0s", "set", "serve -what"} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); err != errUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
}
