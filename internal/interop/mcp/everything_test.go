//go:build node

package mcp

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/interop/program"
)

// install installs what is written in TypeScript.
func install(t *testing.T) {
	t.Helper()
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = "node"
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// The protocol's own test server, of its SDK for TypeScript, over standard input and
// output.
func TestEverything(t *testing.T) {
	install(t)
	cmd := exec.Command("node", "node/node_modules/@modelcontextprotocol/server-everything/dist/index.js", "stdio")
	server, h, name := connect(t, program.StartEndless(t, cmd)) // it has timers
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
