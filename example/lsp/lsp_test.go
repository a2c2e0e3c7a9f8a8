package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/lsp/protocol"
	"github.com/wirecall/wirecall/rpc"
)

// A todoServer is a language server that finds what is still to do. It is made of the
// interfaces that the program uses, the other way around: a language server calls its
// editor, and so it is one end of a plain connection as the editor is the other.
type todoServer struct {
	editor *protocol.EditorClient
	silent bool // it finds nothing, not even that there is nothing
	calls  []string
	exited chan struct{}
}

// startTodo serves rwc and returns the other end.
func startTodo(t *testing.T, silent bool) (*todoServer, net.Conn) {
	near, far := net.Pipe()
	s := &todoServer{silent: silent, exited: make(chan struct{})}
	conn, err := rpc.NewConn(t.Context(), far, &rpc.ConnOptions{
		Framing: rpc.ContentLength, Plain: true, Services: []rpc.Service{protocol.ServerService(s)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s.editor = protocol.NewEditorClient(conn)
	return s, near
}

func (s *todoServer) Initialize(_ context.Context, _ *int, root *string, can protocol.Capabilities) (about protocol.About, err error) {
	if root == nil || !strings.HasPrefix(*root, "file:///") || !can.Workspace.Configuration {
		return about, rpc.Errorf(rpc.CodeInvalidParams, "no root, or no configuration")
	}
	s.calls = append(s.calls, "initialize")
	about.ServerInfo.Name, about.Capabilities = "todo", json.RawMessage("{}")
	return about, nil
}

func (s *todoServer) Initialized(context.Context, *struct{}) error { return nil }

// DidOpen asks for the settings of the file before it looks into it.
func (s *todoServer) DidOpen(ctx context.Context, d protocol.Document) error {
	s.calls = append(s.calls, "open "+filepath.Base(d.URI)+" in "+d.LanguageID)
	settings, err := s.editor.Configuration(ctx, []protocol.Item{{ScopeURI: d.URI, Section: "todo"}})
	if err != nil || len(settings) != 1 || string(settings[0]) != "null" {
		return errors.New("no settings")
	}
	token := protocol.Token(`"t"`)
	return errors.Join(
		s.editor.CreateProgress(ctx, token),
		s.editor.Progress(ctx, token, protocol.Work{Kind: "begin", Title: "Looking"}),
		s.look(ctx, d),
		s.editor.Progress(ctx, token, protocol.Work{Kind: "end"}),
		s.editor.LogMessage(ctx, "looked"))
}

func (s *todoServer) look(ctx context.Context, d protocol.Document) error {
	if s.silent {
		return nil
	}
	var found []protocol.Diagnostic
	for n, line := range strings.Split(d.Text, "\n") {
		if at := strings.Index(line, "TODO"); at >= 0 {
			start := protocol.Position{Line: n, Character: at}
			found = append(found, protocol.Diagnostic{Range: protocol.Range{Start: start, End: start}, Severity: 3, Message: line[at:]})
		}
	}
	return s.editor.PublishDiagnostics(ctx, d.URI, found)
}

func (s *todoServer) DidClose(context.Context, protocol.DocumentID) error { return nil }

func (s *todoServer) Shutdown(context.Context) error {
	s.calls = append(s.calls, "shutdown")
	return nil
}

func (s *todoServer) Exit(context.Context) error {
	close(s.exited)
	return nil
}

// write writes files into a folder and makes it the current one.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheck(t *testing.T) {
	write(t, map[string]string{"a.go": "package a\n\n// TODO: write it\n", "b c.go": "package a // TODO\n", "done.go": "package a\n"})
	synctest.Test(t, func(t *testing.T) {
		s, conn := startTodo(t, false)
		var out, log strings.Builder
		c := checker{language: "go", out: &out, log: &log}
		found, err := c.check(t.Context(), conn, []string{"a.go", "b c.go", "done.go"})
		if found != 2 || err != nil {
			t.Error(found, err)
		}
		if want := "a.go:3:4: note: TODO: write it\nb c.go:1:14: note: TODO\n"; out.String() != want {
			t.Errorf("got:\n%swant:\n%s", &out, want)
		}
		<-s.exited
		synctest.Wait() // for what the server has logged meanwhile
		if got, want := strings.Join(s.calls, ", "), "initialize, open a.go in go, open b%20c.go in go, open done.go in go, shutdown"; got != want {
			t.Errorf("the server was asked to %s, want %s", got, want)
		}
		if !strings.Contains(log.String(), "connected to todo\n") || !strings.Contains(log.String(), "\"t\" begin: Looking\n") {
			t.Errorf("log: %s", &log)
		}
	})
}

// A server that is silent is waited for until the context ends, one that ends is not.
func TestSilence(t *testing.T) {
	write(t, map[string]string{"a.go": "package a\n"})
	synctest.Test(t, func(t *testing.T) {
		for name, cut := range map[string]bool{"silent": false, "gone": true} {
			_, conn := startTodo(t, true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if cut {
				time.AfterFunc(time.Second, func() { conn.Close() })
			}
			c := checker{language: "go", out: t.Output(), log: t.Output()}
			_, err := c.check(ctx, conn, []string{"a.go"})
			if cancel(); err == nil || cut == errors.Is(err, context.DeadlineExceeded) {
				t.Error(name, err)
			}
		}
	})
}

func TestMissingFile(t *testing.T) {
	write(t, nil)
	near, far := net.Pipe()
	defer far.Close()
	c := checker{out: t.Output(), log: t.Output()}
	if _, err := c.check(t.Context(), near, []string{"a.go"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := near.Write(nil); err == nil {
		t.Error("the server is left waiting")
	}
}

func TestRunWithoutServer(t *testing.T) {
	write(t, map[string]string{"a.go": "package a\n"})
	for _, command := range []string{"", "./no-such-server", os.Args[0] + " -test.run=^$"} {
		if _, err := run(t.Context(), command, &checker{out: t.Output(), log: t.Output()}, []string{"a.go"}); err == nil {
			t.Errorf("%q has checked a file", command)
		}
	}
}
