package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/internal/embedded"
)

// Three nodes have one room. When one is killed, whoever reads goes on at another node
// without a message lost.
func TestNodes(t *testing.T) {
	nats, stop, err := embedded.Start(embedded.Options{Folder: t.TempDir(), Share: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("a secret", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	var nodes []*process
	program := build(t)
	for range 3 {
		p := newProcess(t, program, "-nats", nats.ClientURL(), "-secret", secret)
		p.start()
		defer p.kill()
		nodes = append(nodes, p)
	}
	rooms := make([]chat.Room, 3)
	for i, p := range nodes {
		if rooms[i], err = p.enter(t.Context(), slices.Concat(nodes[i+1:], nodes[:i])...); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := rooms[1].Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	const all = 300
	posted := make(chan struct{}, all)
	go func() {
		for i := range all {
			if _, err := rooms[2].Post(t.Context(), "cat", strings.Repeat("x", i)); err != nil {
				t.Error(err)
				return
			}
			posted <- struct{}{}
		}
	}()
	for range all / 3 {
		<-posted
	}
	nodes[1].kill()
	n := 0
	for m, err := range messages {
		if err != nil || len(m.Text) != n {
			t.Fatalf("message %d has %d bytes, %v", n, len(m.Text), err)
		}
		if n++; n == all {
			break
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"serve", "-nats a", "-share a", "-secret a", "-nats a -folder b -secret c", "-nats a -share b -secret c"} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); err != errUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
}
