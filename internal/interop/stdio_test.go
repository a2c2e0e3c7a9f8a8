//go:build node

package interop

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/interop/program"
	"github.com/wirecall/wirecall/rpc"
)

// start starts a script of node, and returns what it reads and writes. It ends with the
// test, and must not complain.
func start(t *testing.T, args ...string) io.ReadWriteCloser {
	t.Helper()
	if err := install(); err != nil {
		t.Fatal(err)
	}
	return program.Start(t, exec.Command("node", args...))
}

type steps struct{ seen chan string }

func (s *steps) Progress(_ context.Context, token string, value Step) error {
	s.seen <- token + strings.Repeat(".", value.Done)
	return nil
}

// A server of vscode-jsonrpc serves a client, calls it meanwhile, and is canceled.
func TestVSCodeServerOnStdio(t *testing.T) {
	own, progress := newBackend(), &steps{make(chan string, 10)}
	conn, err := rpc.NewConn(t.Context(), start(t, "node/stdio/server.mjs"), &rpc.ConnOptions{
		Framing: rpc.ContentLength, Plain: true, ByPosition: true, Services: []rpc.Service{CalcService(own), StepsService(progress)}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	callPlain(t, conn, own.notes)

	var sum int
	if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "calc_ask"}, Params: []string{"t"}, Result: &sum}); err != nil || sum != 42 {
		t.Error(sum, err)
	}
	if a, b := <-progress.seen, <-progress.seen; a != "t." || b != "t.." {
		t.Error("progress:", a, b)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- NewCalcClient(conn).Wait(ctx) }()
	if note := <-own.notes; note != "waiting" {
		t.Error(note)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if note := <-own.notes; note != "cancelled" {
		t.Error(note)
	}
}

// A client of vscode-jsonrpc calls a server, which finds out how it frames messages.
func TestVSCodeClientOnStdio(t *testing.T) {
	b := newBackend()
	err := newServer(t, b).ServeConn(t.Context(), start(t, "node/stdio/client.mjs"))
	if err != io.EOF {
		t.Error(err)
	}
	if note := <-b.notes; note != "noted" {
		t.Error(note)
	}
}

// Servers in JavaScript that take POSTs.
func TestPostNode(t *testing.T) {
	eachScript(t, "http", func(t *testing.T, script string) {
		url, notes := startServer(t, script)
		post(t, url, notes)
	})
}
