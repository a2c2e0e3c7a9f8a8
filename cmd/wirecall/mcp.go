package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const mcpUsage = `mcp [flags] URL
	Show the methods of a server to agents, as tools of the Model Context
	Protocol. The program wirecall-mcp does it, which has to be installed.`

// mcpProgram is a program of another module, so that the SDK is in no go.sum of those who
// only generate code.
const mcpProgram = "wirecall-mcp"

// mcp runs the program that shows methods as tools.
func mcp(ctx context.Context, s *session, args []string) error {
	program, err := findProgram(mcpProgram)
	if err != nil {
		return fmt.Errorf("wirecall: mcp needs the program %[1]s, which is not in the PATH: go install github.com/wirecall/wirecall/mcprpc/cmd/%[1]s@latest", mcpProgram)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.dir, s.env, s.stdin, s.stdout, s.stderr
	err = cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() > 0 {
		return &exitError{ended.ExitCode(), fmt.Errorf("wirecall: %s: %w", mcpProgram, err)}
	}
	return err
}

// findProgram looks for a program beside this one, and then in the PATH.
func findProgram(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if beside, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return beside, nil
		}
	}
	return exec.LookPath(name)
}
