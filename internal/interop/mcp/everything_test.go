//go:build node

package mcp

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// stdio is the standard input and output of a program.
type stdio struct {
	io.Reader
	io.WriteCloser
}

// The protocol's own test server, of its SDK for TypeScript, over standard input and
// output.
func TestEverything(t *testing.T) {
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = "node"
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	cmd := exec.Command("node", "node/node_modules/@modelcontextprotocol/server-everything/dist/index.js", "stdio")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // it has timers
		cmd.Wait()
	})
	server, h, name := connect(t, stdio{out, in})
	if !strings.Contains(name, "everything") {
		t.Error(name)
	}
	tools, err := server.ListTools(t.Context(), nil)
	if err != nil || !slices.ContainsFunc(tools.Tools, func(tool Tool) bool { return tool.Name == "get-sum" }) {
		t.Error(tools, err)
	}
	if got := output(t, server, "get-sum", map[string]int{"a": 20, "b": 22}, nil); got != "The sum of 20 and 22 is 42." {
		t.Error(got)
	}
	if got := output(t, server, "echo", map[string]string{"message": "grüße"}, nil); got != "Echo: grüße" {
		t.Error(got)
	}
	if got := output(t, server, "trigger-long-running-operation", map[string]float64{"duration": 0.1, "steps": 3}, &Meta{"t"}); !strings.HasPrefix(got, "Long running operation completed") {
		t.Error(got)
	}
	for _, want := range []string{"t 1/3", "t 2/3", "t 3/3"} {
		if got := <-h.progress; got != want {
			t.Errorf("progress %s, want %s", got, want)
		}
	}
	if got := output(t, server, "trigger-sampling-request", map[string]any{"prompt": "what is new?", "maxTokens": 5}, nil); !strings.Contains(got, "what is new?") || !strings.Contains(got, "parrot") {
		t.Error(got)
	}
	if got := output(t, server, "get-roots-list", map[string]any{}, nil); !strings.Contains(got, "file:///srv/attic") {
		t.Error(got)
	}
	bad, err := server.CallTool(t.Context(), "get-sum", map[string]string{"a": "x"}, nil)
	if err == nil && !bad.IsError {
		t.Error("a string for a number:", bad)
	}
}
