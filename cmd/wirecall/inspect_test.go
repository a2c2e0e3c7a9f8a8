package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
)

// inspected runs wirecall inspect until stop is called, which returns the exit status and
// what it has written to stderr. page is the address that it prints.
func inspected(t *testing.T, args ...string) (page string, stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var errs bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, &session{args: append([]string{"inspect"}, args...), dir: t.TempDir(), stdin: strings.NewReader(""), stdout: in, stderr: &errs, interrupted: ctx})
		in.Close()
	}()
	page, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return strings.TrimSpace(page), func() (int, string) {
		cancel()
		return <-status, errs.String()
	}
}

// get returns the status of a GET.
func get(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// The command serves a page, behind a secret, whose socket reaches the server, until it is
// interrupted.
func TestInspect(t *testing.T) {
	page, stop := inspected(t, serveChat(t, itself))
	if !strings.HasPrefix(page, "http://127.0.0.1:") || get(t, page) != http.StatusOK {
		t.Fatalf("there is no page at %q", page)
	}
	root, _, _ := strings.Cut(strings.TrimPrefix(page, "http://"), "/")
	for _, path := range []string{"/", "/config", "/socket", "/AAAA/", "/AAAA/config"} {
		if status := get(t, "http://"+root+path); status != http.StatusNotFound {
			t.Errorf("%s without the secret: %d", path, status)
		}
	}
	if status := get(t, page+"connections"); status != http.StatusNotFound {
		t.Errorf("connections of a server that is not ours: %d", status)
	}
	conn, err := rpc.Dial(t.Context(), "ws"+strings.TrimPrefix(page, "http")+"socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if m, err := chat.NewRoomClient(conn).Post(t.Context(), "Ann", "hello"); err != nil || m.Text != "hello" {
		t.Errorf("%+v, %v", m, err)
	}
	if status, errs := stop(); status != 0 || errs != "" {
		t.Errorf("it ended with %d: %s", status, errs)
	}
}

// What the page is told of a server holds no secrets.
func TestInspectShowsNoSecrets(t *testing.T) {
	for url, want := range map[string]string{
		"ws://user:hunter2@127.0.0.1:1/rpc?key=hunter2#hunter2": `"target":"ws://127.0.0.1:1/rpc"`,
		"exec:server -key hunter2":                              `"target":"exec:server"`,
	} {
		page, stop := inspected(t, "-token", "hunter2", "-H", "X: hunter2", url)
		answer, err := http.Get(page + "config")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.Contains(string(text), want) || strings.Contains(string(text), "hunter2") {
			t.Errorf("%s: %s, %v", url, text, err)
		}
		stop()
	}
}

// What cannot be inspected is said at once.
func TestInspectRefuses(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "want a URL"},
		{[]string{"ws://localhost/", "ws://localhost/"}, 2, "want a URL"},
		{[]string{"localhost:8080"}, 2, "the URL must begin with"},
		{[]string{"ftp://localhost"}, 2, "the URL must begin with"},
		{[]string{"-post", "http://localhost/"}, 2, "wirecall inspect -help"},
		{[]string{"-framing", "x", "tcp://localhost:1"}, 2, "want lines or headers"},
		{[]string{"-addr", "0.0.0.0:0", "ws://localhost/"}, 1, "is not an address of the loopback interface"},
		{[]string{"-addr", "x", "ws://localhost/"}, 1, "-addr"},
	} {
		page, stop := inspected(t, c.args...)
		if status, errs := stop(); page != "" || status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("%q: %q, %d, %s", c.args, page, status, errs)
		}
	}
}
