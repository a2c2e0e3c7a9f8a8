package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What wirecall call and watch do at the recorder's address is in its files when Ctrl-C has
// ended it, and can be replayed.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	logs, stderr := io.Pipe()
	status := make(chan int, 1)
	go func() {
		s := &session{args: []string{"record", "-addr", "127.0.0.1:0", serveChat(t, itself) + "/rpc", "-o", "tape.txt"}, dir: dir, stdout: io.Discard, stderr: stderr}
		status <- run(ctx, s)
		stderr.Close()
	}()
	lines := bufio.NewScanner(logs)
	lines.Scan()
	url := regexp.MustCompile(`ws://[^,]+`).FindString(lines.Text())
	await := func(prefix string) {
		for lines.Scan() && !strings.HasPrefix(lines.Text(), prefix) {
		}
	}
	sh := &shell{T: t, url: url, dir: dir}
	for _, command := range []struct{ line, wrote string }{
		{"call -token open-sesame $URL?key=open-sesame Room.Post author=Ann text=hello", "tape.txt"},
		{"watch -undescribed -n 1 $URL Room.Messages after:=0", "tape-2.txt"},
	} {
		var running sync.WaitGroup
		running.Go(func() { sh.check(remoteCase{line: command.line, stdout: ann}) })
		await("wirecall: wrote " + filepath.Join(dir, command.wrote))
		running.Wait()
	}
	interrupt()
	await("never")
	if code := <-status; code != 0 {
		t.Errorf("status %d", code)
	}
	file := filepath.Join(dir, "tape.txt")
	page := readFile(t, filepath.Join("..", "..", "docs", "command-line.md"))
	_, want, _ := strings.Cut(page, "```\nRecorded by ")
	want, _, _ = strings.Cut(want, "```")
	if text := readFile(t, file); strings.Contains(text, "open-sesame") || !matches("Recorded by "+want, text) {
		t.Errorf("%s\nin the docs:\n%s", text, want)
	}
	synctest.Test(t, func(t *testing.T) {
		room := chat.RoomService(chat.InMemory())
		rpctest.Replay(t, file, room)
		rpctest.Replay(t, filepath.Join(dir, "tape-2.txt"), room)
	})
}

// What is wrong with the arguments is said before anything is listened for.
func TestRecordRefuses(t *testing.T) {
	sh := newShell(t, nil)
	for _, c := range []remoteCase{
		{line: "record", status: 2, stderr: "wirecall: want a URL: wirecall record …"},
		{line: "record gopher://localhost", status: 2, stderr: "wirecall: the URL must begin with ws, wss, http, https, tcp or unix and ://\n"},
		{line: "record -cacert hello.txt $URL", status: 2, stderr: "wirecall: -cacert: hello.txt holds no certificate\n"},
		{line: "record -addr nowhere $URL", status: 1, stderr: "wirecall: listen tcp: …"},
	} {
		sh.check(c)
	}
}
