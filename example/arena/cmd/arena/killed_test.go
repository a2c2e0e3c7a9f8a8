package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wirecall/wirecall/example/arena"
	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/internal/embedded"
	"github.com/wirecall/wirecall/rpc"
)

// TestMain is the program itself in a process that startProcess has started.
func TestMain(m *testing.M) {
	if args := os.Getenv("ARENA_ARGS"); args != "" {
		fmt.Fprintln(os.Stderr, run(context.Background(), strings.Fields(args), os.Stdout))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A process serves the arena.
type process struct {
	name, addr string
	cmd        *exec.Cmd
	dead       atomic.Bool
}

func startProcess(t *testing.T, name, nats string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ARENA_ARGS=serve -addr 127.0.0.1:0 -node "+name+" -nats "+nats)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{name: name, cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.addr = strings.TrimSuffix(strings.TrimPrefix(strings.Fields(line)[2], "ws://"), "/rpc,")
	return p
}

// kill ends a process as SIGKILL does.
func (p *process) kill() {
	if !p.dead.Swap(true) {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// dial connects to the first of the processes that lives, and to the next when that is
// killed.
func dial(t *testing.T, nodes []*process) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), "ws://arena/rpc", &rpc.DialOptions{Resume: true, NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		for _, p := range nodes {
			if !p.dead.Load() {
				return (&net.Dialer{}).DialContext(ctx, "tcp", p.addr)
			}
		}
		return nil, errors.New("all have been killed")
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Three processes are one arena. The one that leads a room is killed: the bots of all
// three play on, within seconds and with what they had.
func TestKilled(t *testing.T) {
	nats, stop, err := embedded.Start(embedded.Options{Folder: t.TempDir(), Share: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var nodes []*process
	for i := range 3 {
		nodes = append(nodes, startProcess(t, fmt.Sprint(i), nats.ClientURL()))
	}
	for i := range nodes {
		game := arena.NewArenaClient(dial(t, slices.Concat(nodes[i:], nodes[:i])))
		go arena.PlayBot(t.Context(), game, "lobby", fmt.Sprint("bot ", i), func(world.State) {})
	}
	frames, err := arena.NewArenaClient(dial(t, nodes)).Watch(t.Context(), "lobby", "")
	if err != nil {
		t.Fatal(err)
	}
	var state, before world.State // now, and when a node was killed
	leads := ""                   // by what has been published since then
	for e, err := range frames {
		if err != nil {
			t.Fatal(err)
		}
		next := e.Value.Apply(state)
		if state.Tick > 0 && next.Tick != state.Tick+1 {
			t.Fatalf("tick %d follows tick %d", next.Tick, state.Tick)
		}
		state = next
		switch {
		case e.Value.Node != "":
			leads = e.Value.Node
		case leads == "":
		case before.Tick == 0 && len(state.Players) == len(nodes) && scores(state) >= 5:
			before = state
			nodes[slices.IndexFunc(nodes, func(p *process) bool { return p.name == leads })].kill()
			leads = ""
		}
		if before.Tick > 0 && leads != "" && scores(state) >= scores(before)+5 {
			break
		}
	}
	for _, was := range before.Players {
		if p, _ := state.Player(was.ID); p.Name != was.Name || p.Score < was.Score {
			t.Errorf("the player %+v has become %+v", was, p)
		}
	}
	if len(state.Players) != len(nodes) {
		t.Errorf("the players %+v", state.Players)
	}
}

func scores(s world.State) (n int) {
	for _, p := range s.Players {
		n += p.Score
	}
	return n
}
