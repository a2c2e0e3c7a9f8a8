package tscheck

import (
	"os/exec"
	"testing"
)

// TestPages compiles the pages of the examples against the generated clients.
func TestPages(t *testing.T) {
	check(t, install())
	if out, err := exec.Command(node(), "node_modules/typescript/bin/tsc", "--project", "testdata/pages.json").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
