// Package program starts other projects' programs on their standard input and output.
package program

import (
	"io"
	"os/exec"
	"strings"
	"testing"
)

// Stdio is the standard input and output of a program.
type Stdio struct {
	io.Reader // its output
	io.WriteCloser
	stderr strings.Builder
}

// Start starts a program. When the test ends, the program's input is closed, upon which it
// must end without an error.
func Start(t *testing.T, cmd *exec.Cmd) *Stdio {
	t.Helper()
	p := start(t, cmd)
	t.Cleanup(func() {
		p.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, &p.stderr)
		}
	})
	return p
}

// StartEndless is Start for a program that does not end with its input, and is killed.
func StartEndless(t *testing.T, cmd *exec.Cmd) *Stdio {
	t.Helper()
	p := start(t, cmd)
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return p
}

func start(t *testing.T, cmd *exec.Cmd) *Stdio {
	t.Helper()
	p := new(Stdio)
	cmd.Stderr = &p.stderr
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
	p.Reader, p.WriteCloser = out, in
	return p
}
