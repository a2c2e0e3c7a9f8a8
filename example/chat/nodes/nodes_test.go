package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/example/chat/nodes/bells"
	"github.com/wirecall/wirecall/internal/embedded"
	"github.com/wirecall/wirecall/rpc"
)

// watch returns what changes in a room, unseen.
func watch(t *testing.T, room chat.Room) (next func() chat.Delta) {
	t.Helper()
	_, changes, err := room.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	pull, stop := iter.Pull2(changes)
	t.Cleanup(stop)
	return func() chat.Delta {
		t.Helper()
		d, err, ok := pull()
		if err != nil || !ok {
			t.Fatal("the changes have ended:", err)
		}
		return d
	}
}

// startNodes starts three nodes on one server of NATS, until the test ends.
func startNodes(t *testing.T) (nodes []*process) {
	t.Helper()
	nats, stop, err := embedded.Start(embedded.Options{Folder: t.TempDir(), Share: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("a secret", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	program := build(t)
	for range 3 {
		p := newProcess(t, program, "-nats", nats.ClientURL(), "-secret", secret)
		p.start()
		t.Cleanup(p.kill)
		nodes = append(nodes, p)
	}
	return nodes
}

// A node that has left the cluster serves nobody any more.
func TestEndedNode(t *testing.T) {
	nc, stop, err := embedded.Connect(embedded.Options{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(t.Context(), "127.0.0.1:0", nc, []byte(strings.Repeat("a secret", 4)), in) }()
	if _, err := out.Read(make([]byte, 100)); err != nil { // it serves
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	nc.Close()
	if err := <-ended; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("the program ends with %v", err)
	}
}

// Three nodes have one room. When one is killed, whoever was in the room there leaves, and
// whoever reads goes on at another node without a message lost.
func TestNodes(t *testing.T) {
	nodes := startNodes(t)
	rooms := make([]chat.Room, 3)
	for i, p := range nodes {
		conn, err := p.dial(t.Context(), slices.Concat(nodes[i+1:], nodes[:i]))
		if err != nil {
			t.Fatal(err)
		}
		rooms[i] = chat.NewRoomClient(conn)
	}
	changed := watch(t, rooms[0])
	for i, name := range []string{"ann", "ben", "cat"} {
		_, changes, err := rooms[i].Watch(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		go rpc.Collect(changes)
		for d := changed(); !slices.Contains(d.Joined, name); d = changed() {
		}
	}
	if now, _, err := rooms[1].Watch(t.Context(), ""); err != nil || !slices.Equal(now.Online, []string{"ann", "ben", "cat"}) {
		t.Errorf("ben finds %v, %v", now.Online, err)
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
	for d := changed(); !slices.Contains(d.Left, "ben"); d = changed() {
	}
}

// A visitor is a device that receives its bell.
type visitor chan string

func (v visitor) Bell(_ context.Context, from string) error {
	v <- from
	return nil
}

// Who is connected to one node can be rung at by another, at all devices.
func TestBells(t *testing.T) {
	nodes := startNodes(t)
	var devices []visitor
	for _, p := range nodes[:2] {
		v := make(visitor, 1)
		conn, err := p.dial(t.Context(), nil, bells.VisitorService(v))
		if err != nil {
			t.Fatal(err)
		}
		if err := bells.NewBellsClient(conn).Answer(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		devices = append(devices, v)
	}
	conn, err := nodes[2].dial(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	door := bells.NewBellsClient(conn)
	if n, err := door.Ring(t.Context(), "cat", "ann"); n != 2 || err != nil {
		t.Errorf("rung at %d devices, %v", n, err)
	}
	for _, v := range devices {
		if from := <-v; from != "cat" {
			t.Errorf("%s rings", from)
		}
	}
	if n, err := door.Ring(t.Context(), "cat", "nobody"); n != 0 || err != nil {
		t.Errorf("rung at %d devices of nobody, %v", n, err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"serve", "-nats a", "-share a", "-secret a", "-nats a -folder b -secret c", "-nats a -share b -secret c"} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); err != errUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
}
