package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
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

func TestPrograms(t *testing.T) {
	server, stopServer := start(t, "serve", "-addr", "127.0.0.1:0")
	if !server.Scan() {
		t.Fatal("the server says nothing")
	}
	url := strings.TrimSuffix(strings.Fields(server.Text())[2], ",")
	bots, stopBots := start(t, "bots", "-n", "3", "-room", "cellar", "-url", url)
	for bots.Scan() && strings.HasPrefix(bots.Text(), "3 bots, 0 ") {
	}
	if !strings.HasSuffix(bots.Text(), " states a second") {
		t.Errorf("the bots print %q", bots.Text())
	}
	if err := stopBots(); !errors.Is(err, context.Canceled) {
		t.Error("the bots:", err)
	}
	if err := stopServer(); err != nil {
		t.Error("the server:", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "serve now", "bots -n 0", "play", "serve -what", "serve -nats a -share b"} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); err != errUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
}
