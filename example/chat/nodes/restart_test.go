package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
)

var long = flag.Bool("long", false, "run the tests at their full size")

// A process is a node, which can be killed at any time.
type process struct {
	t               *testing.T
	program, addr   string
	args            []string
	cmd             *exec.Cmd
	stored, refused chan struct{} // posts that succeed, and dials that fail, where somebody counts them
}

// build builds the program.
func build(t *testing.T) (program string) {
	program = filepath.Join(t.TempDir(), "nodes.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func newProcess(t *testing.T, program string, args ...string) *process {
	p := &process{t: t, program: program, addr: freeAddr(t), stored: make(chan struct{}), refused: make(chan struct{})}
	p.args = append([]string{"-addr", p.addr}, args...)
	return p
}

// freeAddr is an address that nobody listens at. It is below the ports that the
// system gives to those who dial: a client that dials a server that is not there
// could get the server's own.
func freeAddr(t *testing.T) string {
	for range 100 {
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(10_000))); err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// start runs the server and waits until it serves.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.program, p.args...)
	var stderr strings.Builder
	p.cmd.Stderr = &stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		p.kill()
		p.t.Fatal("the server does not start: ", stderr.String())
	}
}

// kill gives the server no time for anything.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// enter is a room on a connection of its own, which waits for the server where that is
// away.
func (p *process) enter(ctx context.Context) (chat.Room, error) {
	conn, err := p.dial(ctx, nil)
	if err != nil {
		return nil, err
	}
	return chat.NewRoomClient(conn), nil
}

// dial connects to the first of some nodes that answers, until the test ends. It waits
// where none does.
func (p *process) dial(ctx context.Context, others []*process, services ...rpc.Service) (*rpc.Conn, error) {
	conn, err := rpc.Dial(ctx, "ws://chat/rpc", &rpc.DialOptions{
		Services: services,
		NetDial: func(ctx context.Context, network, _ string) (sock net.Conn, err error) {
			for _, p := range append([]*process{p}, others...) {
				if sock, err = p.connect(ctx, network); err == nil {
					return sock, nil
				}
			}
			return nil, err
		},
		Reconnect: rpc.Reconnect{
			RetryFirst: true,
			MinDelay:   10 * time.Millisecond, // or all would be away most of the time
			MaxDelay:   50 * time.Millisecond,
		}})
	if err != nil {
		return nil, err
	}
	p.t.Cleanup(func() { conn.Close() })
	return conn, nil
}

func (p *process) connect(ctx context.Context, network string) (net.Conn, error) {
	sock, err := new(net.Dialer).DialContext(ctx, network, p.addr)
	if err != nil {
		tick(p.refused)
	}
	return sock, err
}

// tick counts something for who awaits it now.
func tick(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// await waits until something has been counted n times.
func await(ctx context.Context, c <-chan struct{}, n int) {
	for range n {
		select {
		case <-c:
		case <-ctx.Done():
			return
		}
	}
}

const theEnd = "the end"

// read reads the room to the message that is the last, through whatever befalls
// the server.
func read(ctx context.Context, p *process) (seen []chat.Message, err error) {
	room, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	messages, err := room.Messages(ctx, 0)
	if err != nil {
		return nil, err
	}
	for m, err := range messages {
		if err != nil {
			return seen, fmt.Errorf("after message %d: %w", len(seen), err)
		}
		if m.ID != int64(len(seen))+1 {
			return seen, fmt.Errorf("message %d comes after %d", m.ID, len(seen))
		}
		if seen = append(seen, m); m.Text == theEnd {
			break
		}
	}
	return seen, nil
}

// say posts until ctx ends, and returns what the room has said it has stored. A
// post that may have been stored is not made again.
func say(ctx context.Context, p *process, author string) (stored []chat.Message) {
	room, err := p.enter(ctx)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	for i := 0; ctx.Err() == nil; {
		m, err := room.Post(ctx, author, fmt.Sprint(i))
		if err == nil {
			stored = append(stored, m)
			tick(p.stored)
		}
		if !rpc.NotRun(err) {
			i++
		}
	}
	return stored
}

// The server is killed and started again while some read and some post. Everybody
// reads everything that the room has said it has stored, and nothing twice.
func TestRestarts(t *testing.T) {
	restarts, readers, posters := 5, 5, 3
	if *long {
		restarts = 50
	}
	p := newProcess(t, build(t), "-folder", t.TempDir())
	p.start()
	defer func() { p.kill() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(restarts)*5*time.Second)
	defer cancel()
	posting, stop := context.WithCancel(ctx)

	seen, stored := make([][]chat.Message, readers), make([][]chat.Message, posters)
	var reads, posts sync.WaitGroup
	for i := range readers {
		reads.Go(func() {
			var err error
			if seen[i], err = read(ctx, p); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	for i := range posters {
		posts.Go(func() { stored[i] = say(posting, p, fmt.Sprint("poster ", i)) })
	}
	for range restarts {
		await(ctx, p.stored, rand.N(300)) // any moment will do
		p.kill()
		await(ctx, p.refused, rand.N(30))
		p.start()
	}
	stop()
	posts.Wait()
	room, err := p.enter(ctx)
	if err == nil {
		_, err = room.Post(ctx, "test", theEnd)
	}
	if err != nil {
		t.Error(err)
		cancel()
	}
	reads.Wait()

	said := make(map[string]bool)
	for _, m := range seen[0] {
		if key := m.Author + " " + m.Text; said[key] {
			t.Errorf("%q is there twice", key)
		} else {
			said[key] = true
		}
	}
	for i := range seen {
		if len(seen[i]) != len(seen[0]) {
			t.Fatalf("reader %d has seen %d messages, reader 0 %d", i, len(seen[i]), len(seen[0]))
		}
		for j, m := range seen[i] {
			if !same(m, seen[0][j]) {
				t.Fatalf("reader %d has seen %v, reader 0 %v", i, m, seen[0][j])
			}
		}
	}
	n := 0
	for _, messages := range stored {
		n += len(messages)
		for _, m := range messages {
			if m.ID > int64(len(seen[0])) || !same(m, seen[0][m.ID-1]) {
				t.Fatalf("stored and not seen: %v", m)
			}
		}
	}
	t.Logf("%d messages, of which %d were said to be stored", len(seen[0]), n)
}

func same(a, b chat.Message) bool {
	return a.ID == b.ID && a.Author == b.Author && a.Text == b.Text && a.Time.Equal(b.Time)
}
