package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/wirecall/wirecall/example/lsp/protocol"
	"github.com/wirecall/wirecall/rpc"
)

// A checker has a language server check files, and serves what the server asks of an
// editor.
type checker struct {
	language string
	out, log io.Writer

	mu      sync.Mutex
	names   map[string]string // by URI, of the files that are not checked yet
	found   int
	checked chan struct{} // closed when all files are
}

// check opens files in the server at the other end of rwc, and prints what it finds
// until it has said something of each. It returns how much it was.
func (c *checker) check(ctx context.Context, rwc io.ReadWriteCloser, files []string) (found int, err error) {
	documents, err := c.read(files)
	if err != nil {
		rwc.Close()
		return 0, err
	}
	// A language server has a header before each message, and its first request must be
	// initialize, not rpc.hello.
	conn, err := rpc.NewConn(ctx, rwc, &rpc.ConnOptions{
		Framing:  rpc.ContentLength,
		Plain:    true,
		Services: []rpc.Service{protocol.EditorService(c)},
	})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	server := protocol.NewServerClient(conn)
	if err := c.open(ctx, server, documents); err != nil {
		return 0, err
	}
	select {
	case <-c.checked:
	case <-conn.Done():
		return 0, conn.Err()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if err := server.Shutdown(ctx); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found, server.Exit(ctx)
}

// open begins a session with the server and opens documents.
func (c *checker) open(ctx context.Context, server *protocol.ServerClient, documents []protocol.Document) error {
	folder, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	var can protocol.Capabilities
	can.Workspace.Configuration, can.Window.WorkDoneProgress = true, true
	id, root := os.Getpid(), uri(folder)
	about, err := server.Initialize(ctx, &id, &root, can)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.log, "connected to", about.ServerInfo.Name)
	if err := server.Initialized(ctx, nil); err != nil {
		return err
	}
	for _, d := range documents {
		if err := server.DidOpen(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// read reads the files.
func (c *checker) read(files []string) ([]protocol.Document, error) {
	c.names, c.checked = make(map[string]string), make(chan struct{})
	var documents []protocol.Document
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		path, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		d := protocol.Document{URI: uri(path), LanguageID: c.language, Version: 1, Text: string(text)}
		documents = append(documents, d)
		c.names[d.URI] = name
	}
	return documents, nil
}

// uri returns the URI of a file, whose path is absolute.
func uri(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive of Windows
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

var severities = []string{"", "error", "warning", "note", "hint"}

// PublishDiagnostics implements protocol.Editor. Of files that are not open, and of those
// that are checked already, nothing is printed.
func (c *checker) PublishDiagnostics(_ context.Context, uri string, diagnostics []protocol.Diagnostic) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, ok := c.names[uri]
	if !ok {
		return nil
	}
	for _, d := range diagnostics {
		at := d.Range.Start
		fmt.Fprintf(c.out, "%s:%d:%d: %s: %s\n", name, at.Line+1, at.Character+1, severities[min(max(d.Severity, 1), 4)], d.Message)
		c.found++
	}
	if delete(c.names, uri); len(c.names) == 0 {
		close(c.checked)
	}
	return nil
}

// LogMessage implements protocol.Editor.
func (c *checker) LogMessage(_ context.Context, message string) error {
	fmt.Fprintln(c.log, message)
	return nil
}

// ShowMessage implements protocol.Editor.
func (c *checker) ShowMessage(ctx context.Context, message string) error {
	return c.LogMessage(ctx, message)
}

// CreateProgress implements protocol.Editor.
func (c *checker) CreateProgress(context.Context, protocol.Token) error { return nil }

// Progress implements protocol.Editor.
func (c *checker) Progress(_ context.Context, token protocol.Token, w protocol.Work) error {
	fmt.Fprintf(c.log, "%s %s: %s%s\n", token, w.Kind, w.Title, w.Message)
	return nil
}

// Configuration implements protocol.Editor: everything has its default.
func (c *checker) Configuration(_ context.Context, items []protocol.Item) ([]json.RawMessage, error) {
	settings := make([]json.RawMessage, len(items))
	for i := range settings {
		settings[i] = json.RawMessage("null")
	}
	return settings, nil
}

// RegisterCapability implements protocol.Editor: the files do not change meanwhile.
func (c *checker) RegisterCapability(context.Context, []protocol.Registration) error { return nil }
