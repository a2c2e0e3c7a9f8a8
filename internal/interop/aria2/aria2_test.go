//go:build aria2

package aria2

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

const secret Secret = "open sesame"

// start starts aria2 and returns where it listens. It is not told a port of 0, so it
// tries others until it has one for itself.
func start(t *testing.T) (url string) {
	t.Helper()
	listening := regexp.MustCompile(`RPC: (listening|failed)`)
	for port := 16800; port < 16900; port++ {
		cmd := exec.CommandContext(t.Context(), "aria2c", "--no-conf", "--enable-rpc", "--disable-ipv6", fmt.Sprint("--rpc-listen-port=", port),
			"--rpc-secret="+string(secret), "--no-proxy=*", "--max-tries=1", fmt.Sprint("--stop-with-process=", os.Getpid()))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines, says := bufio.NewReader(out), ""
		for !listening.MatchString(says) {
			if says, err = lines.ReadString('\n'); err != nil {
				break
			}
		}
		exited := make(chan error, 1)
		go func() {
			io.Copy(io.Discard, lines)
			exited <- cmd.Wait()
		}()
		if strings.Contains(says, "listening") {
			t.Cleanup(func() {
				cmd.Process.Kill()
				<-exited
			})
			return fmt.Sprintf("ws://127.0.0.1:%d/jsonrpc", port)
		}
		<-exited
	}
	t.Fatal("aria2 does not listen")
	return ""
}

// events implements Events: each is sent to the channel, as its name and the id.
type events chan string

func (e events) OnDownloadStart(_ context.Context, ev Event) error    { return e.send("start", ev) }
func (e events) OnDownloadPause(_ context.Context, ev Event) error    { return e.send("pause", ev) }
func (e events) OnDownloadStop(_ context.Context, ev Event) error     { return e.send("stop", ev) }
func (e events) OnDownloadComplete(_ context.Context, ev Event) error { return e.send("complete", ev) }
func (e events) OnDownloadError(_ context.Context, ev Event) error    { return e.send("error", ev) }

func (e events) send(what string, ev Event) error {
	e <- what + " " + ev.GID
	return nil
}

func (e events) want(t *testing.T, what, gid string) {
	t.Helper()
	if got, want := <-e, what+" "+gid; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func dial(t *testing.T, url string) (*rpc.Conn, events) {
	t.Helper()
	told := make(events, 10)
	conn, err := rpc.Dial(t.Context(), url, &rpc.DialOptions{Services: []rpc.Service{EventsService(told)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, told
}

// serveFile serves one file, and begins with it when begin is closed.
func serveFile(t *testing.T, begin <-chan struct{}) (url string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-begin:
			io.WriteString(w, "its content")
		case <-r.Context().Done():
		}
	})
	ts := httptest.NewServer(mux)
	t.Cleanup(ts.Close)
	return ts.URL
}

func TestDownload(t *testing.T) {
	conn, told := dial(t, start(t))
	aria2, ctx, dir := NewAria2Client(conn), t.Context(), t.TempDir()
	begin := make(chan struct{})
	gid, err := aria2.AddURI(ctx, secret, []string{serveFile(t, begin) + "/file"}, &Options{Dir: dir, Out: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	told.want(t, "start", gid)
	some, err := aria2.TellStatus(ctx, secret, gid, "status", "files")
	if err != nil || some.Status != "active" || some.GID != "" || len(some.Files) != 1 || some.Files[0].Path != filepath.Join(dir, "copy") {
		t.Errorf("%+v, %v", some, err)
	}

	close(begin)
	told.want(t, "complete", gid)
	all, err := aria2.TellStatus(ctx, secret, gid)
	if err != nil || all.GID != gid || all.Status != "complete" || all.CompletedLength != int64(len("its content")) {
		t.Errorf("%+v, %v", all, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "copy")); err != nil || string(got) != "its content" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDownloadIsPausedAndRemoved(t *testing.T) {
	conn, told := dial(t, start(t))
	aria2, ctx := NewAria2Client(conn), t.Context()
	gid, err := aria2.AddURI(ctx, secret, []string{serveFile(t, nil) + "/file"}, &Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	told.want(t, "start", gid)
	for _, step := range []struct {
		call  func(context.Context, Secret, string) (string, error)
		event string
	}{{aria2.Pause, "pause"}, {aria2.Unpause, "start"}, {aria2.Remove, "stop"}} {
		if same, err := step.call(ctx, secret, gid); err != nil || same != gid {
			t.Error(step.event, same, err)
		}
		told.want(t, step.event, gid)
	}
}

func TestDownloadFails(t *testing.T) {
	conn, told := dial(t, start(t))
	aria2 := NewAria2Client(conn)
	gid, err := aria2.AddURI(t.Context(), secret, []string{serveFile(t, nil) + "/another"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	told.want(t, "start", gid)
	told.want(t, "error", gid)
	const notFound = 3
	if s, err := aria2.TellStatus(t.Context(), secret, gid, "status", "errorCode"); err != nil || s.Status != "error" || s.ErrorCode != notFound {
		t.Errorf("%+v, %v", s, err)
	}
}

// aria2 has one code for all that it refuses.
func TestRefused(t *testing.T) {
	conn, _ := dial(t, start(t))
	aria2, ctx := NewAria2Client(conn), t.Context()
	wrong := make(chan error)
	go func() { // aria2 makes it wait, and answers others before it
		_, err := aria2.GetVersion(ctx, "a guess")
		wrong <- err
	}()
	if v, err := aria2.GetVersion(ctx, secret); err != nil || v.Version == "" || !slices.Contains(v.EnabledFeatures, "HTTPS") {
		t.Error(v, err)
	}
	_, unknown := aria2.TellStatus(ctx, secret, "0123456789abcdef")
	for err, want := range map[error]string{<-wrong: "Unauthorized", unknown: "GID 0123456789abcdef is not found"} {
		_, declared := errors.AsType[Refused](err)
		if !declared || rpc.CodeOf(err) != 1 || err.Error() != want {
			t.Errorf("%#v: want %s", err, want)
		}
	}
}

// What the contract has aria2 has too, by the same names.
func TestNames(t *testing.T) {
	conn, told := dial(t, start(t))
	system := NewSystemClient(conn)
	want := func(service rpc.Service, list func(context.Context) ([]string, error)) {
		has, err := list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range service.Methods {
			if !slices.Contains(has, m.Name) {
				t.Errorf("aria2 has no %s", m.Name)
			}
		}
	}
	want(Aria2Service(nil), system.ListMethods)
	want(SystemService(nil), system.ListMethods)
	want(EventsService(told), system.ListNotifications)
}
