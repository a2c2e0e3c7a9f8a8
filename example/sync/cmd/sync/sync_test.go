package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// serving starts a server for the test and returns its URL and what stops it.
func serving(t *testing.T, args ...string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, append([]string{"serve", "-addr", "127.0.0.1:0"}, args...), w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`ws://\S+/rpc`).FindString(line), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("serve:", err)
		}
	}
}

func TestEdit(t *testing.T) {
	url, stop := serving(t)
	home, work := filepath.Join(t.TempDir(), "home.db"), filepath.Join(t.TempDir(), "other.db")
	edits := func(replica, command, want string) {
		t.Helper()
		var out strings.Builder
		args := append([]string{"edit", "-replica", replica, "-url", url, "-wait", "1h"}, strings.Fields(command)...)
		if err := run(t.Context(), args, &out); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%swant\n%s", command, err, out.String(), want)
		}
	}
	edits(home, "show", "the list is empty\n")
	edits(home, "add two eggs", "1 [ ] \"two eggs\"\n")
	edits(work, "add milk", "1 [ ] \"two eggs\"\n2 [ ] \"milk\"\n")
	edits(work, "done 2", "1 [ ] \"two eggs\"\n2 [x] \"milk\"\n")
	edits(home, "text 1 three eggs", "1 [ ] \"three eggs\"\n2 [x] \"milk\"\n")
	edits(home, "undone 2", "1 [ ] \"three eggs\"\n2 [ ] \"milk\"\n")
	edits(work, "delete 1", "1 [ ] \"milk\"\n")
	stop()

	var out strings.Builder
	err := run(t.Context(), []string{"edit", "-replica", home, "-url", url, "-wait", "1ns", "add", "bread"}, &out)
	want := "the server cannot be reached at " + url + "\n1 [ ] \"three eggs\"\n2 [ ] \"milk\"\n3 [ ] \"bread\"\nedits that the server does not have yet: 1\n"
	if err != nil || out.String() != want {
		t.Errorf("offline: %v\n%swant\n%s", err, out.String(), want)
	}
}

func TestFollow(t *testing.T) {
	url, stop := serving(t)
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"edit", "-replica", filepath.Join(t.TempDir(), "a.db"), "-url", url, "follow"}, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	lines.Scan()
	if err := run(t.Context(), []string{"edit", "-replica", filepath.Join(t.TempDir(), "b.db"), "-url", url, "add", "milk"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && !strings.Contains(lines.Text(), "milk") {
	}
	if lines.Text() != `1 [ ] "milk"` {
		t.Errorf("followed to %q", lines.Text())
	}
	go io.Copy(io.Discard, r)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	for _, args := range []string{"", "serve now", "edit show", "serve -what", "edit -replica " + file, "edit -replica " + file + " add", "edit -replica " + file + " done", "edit -replica " + file + " text 1", "edit -replica " + file + " done 1 2"} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := run(t.Context(), []string{"edit", "-replica", file, "done", "1"}, io.Discard); err == nil || err.Error() != "no item 1: the list has 0" {
		t.Errorf("an item that is not there: %v", err)
	}
}
