//go:build node

package interop

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestNode runs the scripts in node, each of which is one JavaScript client. A
// chain grows while they do, until whoever subscribed to it leaves.
func TestNode(t *testing.T) {
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = "node"
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	scripts, err := filepath.Glob("node/*.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			b, tp := serveHTTP(t)
			left := make(chan bool)
			go func() { left <- b.grow() }()
			out, err := exec.CommandContext(t.Context(), "node", script, "ws://"+tp.addr).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !<-left {
				t.Error("the producer ended by itself")
			}
		})
	}
}

// grow yields headers with ascending numbers, until the subscription ends.
func (b *backend) grow() bool {
	for n := 100; ; n++ {
		select {
		case b.heads <- header(fmt.Sprintf("%#x", n)):
		case gone := <-b.ended:
			return gone
		}
	}
}
