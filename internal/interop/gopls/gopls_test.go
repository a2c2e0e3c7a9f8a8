//go:build gopls

package gopls

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/example/lsp/protocol"
	"github.com/wirecall/wirecall/internal/interop/program"
	"github.com/wirecall/wirecall/rpc"
)

// version is that of gopls. Its module is not one of this module's: it would decide the
// versions of others.
const version = "golang.org/x/tools/gopls@v0.23.0"

// install builds gopls and returns its path.
func install(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "install", version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "gopls")
}

// An editor serves gopls. Tests learn of what it does by channels.
type editor struct {
	diagnostics chan []protocol.Diagnostic // of the file
	progress    chan string                // the kinds of progress, and "create"
	asked       chan string                // sections of the settings
	uri         string
}

func (e *editor) PublishDiagnostics(_ context.Context, uri string, d []protocol.Diagnostic) error {
	if uri == e.uri {
		e.diagnostics <- d
	}
	return nil
}

func (e *editor) LogMessage(context.Context, string) error  { return nil }
func (e *editor) ShowMessage(context.Context, string) error { return nil }

func (e *editor) CreateProgress(context.Context, protocol.Token) error {
	e.progress <- "create"
	return nil
}

func (e *editor) Progress(_ context.Context, _ protocol.Token, w protocol.Work) error {
	e.progress <- w.Kind
	return nil
}

func (e *editor) Configuration(_ context.Context, items []protocol.Item) ([]json.RawMessage, error) {
	settings := make([]json.RawMessage, len(items))
	for i, item := range items {
		e.asked <- item.Section
		settings[i] = json.RawMessage("null")
	}
	return settings, nil
}

func (e *editor) RegisterCapability(context.Context, []protocol.Registration) error { return nil }

// start starts gopls, which must end by itself.
func start(t *testing.T, e *editor) *rpc.Conn {
	t.Helper()
	conn, err := rpc.NewConn(t.Context(), program.Start(t, exec.Command(install(t))), &rpc.ConnOptions{
		Framing: rpc.ContentLength, Plain: true, Services: []rpc.Service{protocol.EditorService(e)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

const source = `package main

// Answer is what everything is about.
func Answer() int { return "42" }

func main() { println(Answer()) }
`

func TestGopls(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := "file://" + dir
	e := &editor{uri: root + "/main.go", diagnostics: make(chan []protocol.Diagnostic, 100), progress: make(chan string, 1000), asked: make(chan string, 100)}
	conn := start(t, e)
	server, reader, ctx := protocol.NewServerClient(conn), NewReaderClient(conn), t.Context()

	var can protocol.Capabilities
	can.Workspace.Configuration, can.Window.WorkDoneProgress = true, true
	about, err := server.Initialize(ctx, nil, &root, can)
	if err != nil || about.ServerInfo.Name != "gopls" {
		t.Fatal(about.ServerInfo, err)
	}
	if err := server.Initialized(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if section := <-e.asked; section != "gopls" {
		t.Error("it asks for the settings of", section)
	}
	if err := server.DidOpen(ctx, protocol.Document{URI: e.uri, LanguageID: "go", Version: 1, Text: source}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"create", "begin", "end"} {
		for kind := range e.progress {
			if kind == want {
				break
			}
		}
	}
	awaitDiagnostics(t, e, `cannot use "42"`)

	id, at := protocol.DocumentID{URI: e.uri}, protocol.Position{Line: 5, Character: 25}
	hover, err := reader.Hover(ctx, id, at)
	if err != nil || hover == nil || !strings.Contains(hover.Contents.Value, "Answer is what everything is about.") {
		t.Errorf("%+v, %v", hover, err)
	}
	if hover, err := reader.Hover(ctx, id, protocol.Position{Line: 1}); hover != nil || err != nil {
		t.Errorf("of nothing: %+v, %v", hover, err)
	}
	_, err = reader.Hover(ctx, protocol.DocumentID{URI: "no uri"}, at)
	if err == nil || rpc.CodeOf(err) == rpc.CodeUnknown {
		t.Error("of no file:", err)
	}

	cancels(t, reader)
	if err := reader.DidChange(ctx, VersionedID{e.uri, 2}, []Change{{strings.Replace(source, `"42"`, "42", 1)}}); err != nil {
		t.Fatal(err)
	}
	awaitDiagnostics(t, e, "")

	if err := server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := server.Exit(ctx); err != nil {
		t.Error(err)
	}
	<-conn.Done()
}

// awaitDiagnostics waits until what was found is one diagnostic with this text, or none
// for "".
func awaitDiagnostics(t *testing.T, e *editor, text string) {
	t.Helper()
	for d := range e.diagnostics {
		if text == "" && len(d) == 0 || text != "" && len(d) == 1 && strings.Contains(d[0].Message, text) {
			return
		}
	}
}

// cancels makes calls that are no longer wanted, and one that is.
func cancels(t *testing.T, reader *ReaderClient) {
	t.Helper()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := reader.Symbols(ctx, "e")
			ended <- err
		}()
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if symbols, err := reader.Symbols(t.Context(), "Answer"); err != nil || len(symbols) == 0 {
		t.Error(symbols, err)
	}
}
