package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Tools for agents are the work of another program, wherever that is.
func TestMCP(t *testing.T) {
	path := t.TempDir()
	t.Setenv("PATH", path)
	sh := &shell{T: t, dir: t.TempDir()}
	sh.check(remoteCase{line: "mcp -list ws://localhost", status: 1,
		stderr: "wirecall: mcp needs the program wirecall-mcp, which is not in the PATH: go install github.com/wirecall/wirecall/mcprpc/cmd/wirecall-mcp@latest\n"})
	script := "#!/bin/sh\nread line\necho \"$# $1 $2 $line\"\nexit $1\n"
	if err := os.WriteFile(filepath.Join(path, "wirecall-mcp"), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	sh.check(remoteCase{line: "mcp 0 '-only Room.*'", stdin: "hello\n", stdout: "2 0 -only Room.* hello\n"})
	sh.check(remoteCase{line: "mcp 3 b", stdin: "hello\n", stdout: "2 3 b hello\n", status: 3, stderr: "wirecall: wirecall-mcp: exit status 3\n"})
}
