//go:build node

package mcp

import (
	"context"
	"errors"
	"iter"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/mcprpc"
	"github.com/wirecall/wirecall/rpc"
)

// A box has some of the methods of a Toolbox.
type box struct {
	toolbox.Toolbox
	ended chan error
}

func (*box) Add(_ context.Context, a, b int64) (int64, error) { return a + b, nil }

func (*box) Erase(_ context.Context, name string) error { return &toolbox.Refused{Name: name} }

func (b *box) Count(ctx context.Context, after int64) (iter.Seq2[toolbox.Tick, error], error) {
	return func(yield func(toolbox.Tick, error) bool) {
		yield(toolbox.Tick{N: after + 1}, nil)
		<-ctx.Done()
		b.ended <- context.Cause(ctx)
	}, nil
}

// An agent on the protocol's SDK for TypeScript calls methods as tools, compares results and
// errors with the schemas, and cancels a call.
func TestAgent(t *testing.T) {
	install(t)
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
	b := &box{ended: make(chan error, 1)}
	srv.Register(toolbox.ToolboxService(b))
	h, err := mcprpc.Handler(srv, &mcprpc.Options{Only: []string{"Toolbox.Add", "Toolbox.Erase", "Toolbox.Count"}})
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(h)
	defer hs.Close()
	defer srv.Close()
	out, err := exec.Command("node", "node/agent.mjs", hs.URL).CombinedOutput()
	const want = `Toolbox_Add Toolbox_Count Toolbox_Erase
{"result":42} 
invalid params: b: json: cannot unmarshal string into Go value of type int64; b: want integer, have a string (code -32602) -32602
the name root is not allowed (toolbox.Refused, code 1001)
{"name":"root"} 1001
1 {"N":1}
MCP error -32001: enough
`
	if err != nil || string(out) != want {
		t.Errorf("the agent prints\n%s%v", out, err)
	}
	if err := <-b.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler ended with %v", err)
	}
}
