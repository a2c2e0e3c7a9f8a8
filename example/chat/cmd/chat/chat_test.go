package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// start runs the program with arguments until the test ends, or its input does.
func start(t *testing.T, in io.Reader, args ...string) (lines *bufio.Scanner, stop context.CancelFunc, wait func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, args, in, w)
		w.Close()
	}()
	t.Cleanup(cancel)
	return bufio.NewScanner(r), cancel, func() error {
		go io.Copy(io.Discard, r)
		return <-done
	}
}

// until reads lines until one that contains what is wanted, and returns it.
func until(t *testing.T, lines *bufio.Scanner, want string) string {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			return lines.Text()
		}
	}
	t.Fatalf("no line with %q", want)
	return ""
}

func TestTwoInARoom(t *testing.T) {
	server, stop, stopped := start(t, nil, "serve", "-addr", "127.0.0.1:0")
	url := strings.TrimSuffix(strings.Fields(until(t, server, "ws://"))[2], ",")

	annIn, annTypes := io.Pipe()
	ann, _, annLeft := start(t, annIn, "join", "-name", "ann", "-url", url)
	until(t, ann, "* here: ann")
	bobIn, bobTypes := io.Pipe()
	bob, _, bobLeft := start(t, bobIn, "join", "-name", "bob", "-url", url)
	until(t, bob, "* here: ann, bob")
	until(t, ann, "* bob is here")

	go io.WriteString(annTypes, "hi \x1b[31mbob\n\n"+strings.Repeat("x", 9000)+"\n")
	until(t, ann, "* not posted: the text has 9000 bytes")
	until(t, bob, "ann: hi [31mbob")
	go io.WriteString(bobTypes, "bye\n")
	until(t, ann, "bob: bye")
	bobTypes.Close() // bye has been read: it is in the room
	if err := bobLeft(); err != nil {
		t.Error("bob:", err)
	}
	until(t, ann, "* bob has left")
	annTypes.CloseWithError(errors.New("hung up"))
	if err := annLeft(); err == nil || err.Error() != "hung up" {
		t.Error("ann:", err)
	}
	stop()
	if err := stopped(); err != nil {
		t.Error("the server:", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "serve now", "join", "serve -what", "watch -name ann"} {
		if err := run(t.Context(), strings.Fields(args), nil, io.Discard); err != errUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := run(t.Context(), []string{"join", "-name", "ann", "-url", "ws://127.0.0.1:1"}, nil, io.Discard); err == nil {
		t.Error("joined where nobody serves")
	}
}

// Keys that come one by one make a line, which is shown anew as it changes.
func TestKeys(t *testing.T) {
	var out bytes.Buffer
	term := newTerminal(strings.NewReader("hé\x7fello \x1b[Dworld\n\x04never"), &out)
	term.keys = true
	var got []string
	typed := 0
	for line, err := range term.lines(t.Context(), func() { typed++ }) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, line)
	}
	if len(got) != 1 || got[0] != "hello world" {
		t.Errorf("lines %q", got)
	}
	term.line = []byte("half")
	out.Reset()
	term.show("%s", "ann: \x1b[2J\x07")
	if want := "\r\x1b[Kann: \ufffd[2J\ufffd\n\r\x1b[K> half"; out.String() != want {
		t.Errorf("shown %q, want %q", out.String(), want)
	}
}
