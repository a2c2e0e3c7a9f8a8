package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/rpc"
)

// asProgram has the test run as the program.
const asProgram = "WIRECALL_MCP_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A room is a server of a chat, and of a method that waits.
type room struct {
	toolbox.Toolbox
	waiting chan struct{}
	ended   chan error
}

func (r *room) Wait(ctx context.Context) error {
	close(r.waiting)
	<-ctx.Done()
	r.ended <- context.Cause(ctx)
	return ctx.Err()
}

// serveRoom serves a room and returns its URL. With a token clients need that.
func serveRoom(t *testing.T, token string, describe bool) (*room, string) {
	t.Helper()
	r := &room{waiting: make(chan struct{}), ended: make(chan error, 1)}
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: describe, Authenticate: func(ctx context.Context, got string) (context.Context, error) {
		if got != token {
			return nil, rpc.Errorf(rpc.CodeUnauthenticated, "no such token")
		}
		return ctx, nil
	}})
	srv.Register(chat.RoomService(chat.InMemory()), toolbox.ToolboxService(r))
	hs := httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Close()
		hs.Close()
	})
	return r, "ws" + strings.TrimPrefix(hs.URL, "http")
}

// start starts the program, and returns a client of its standard input and output.
func start(t *testing.T, args ...string) *mcp.ClientSession {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = t.Output()
	c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error("the program ended with", err)
		}
	})
	return c
}

// names are those of the tools.
func names(t *testing.T, c *mcp.ClientSession) string {
	t.Helper()
	var all []string
	for tool, err := range c.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tool.Name)
	}
	return strings.Join(all, " ")
}

// An agent calls tools over the program's standard input and output, and cancels a call.
func TestStdio(t *testing.T) {
	r, url := serveRoom(t, "secret", true)
	t.Setenv("WIRECALL_TOKEN", "secret")
	c := start(t, "-only", "Room.*", "-only", "Toolbox.Wait", url)
	if got := names(t, c); got != "Room_Import Room_Messages Room_Post Room_Typing Room_Watch Toolbox_Wait" {
		t.Error(got)
	}
	result, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "Room_Import", Arguments: json.RawMessage(`{"messages":[{"author":"Ann"},{"author":"Bob"}]}`)})
	if err != nil || result.Content[0].(*mcp.TextContent).Text != `{"result":2}` {
		t.Error(result, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-r.waiting
		cancel()
	}()
	if _, err := c.CallTool(ctx, &mcp.CallToolParams{Name: "Toolbox_Wait"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-r.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler ended with %v", err)
	}
}

// command runs the program within the test, and returns what it prints.
func command(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	err = newCommand(r, nopCloser{&out}, w).Run(t.Context(), append([]string{"wirecall-mcp"}, args...))
	w.Close()
	return out.String(), err
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// Over HTTP the program serves its own machine alone.
func TestHTTP(t *testing.T) {
	_, url := serveRoom(t, "", true)
	ctx, cancel := context.WithCancel(t.Context())
	r, stderr := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- newCommand(io.NopCloser(strings.NewReader("")), nopCloser{io.Discard}, stderr).Run(ctx, []string{"wirecall-mcp", "-addr", "localhost:0", url})
	}()
	lines := bufio.NewScanner(r)
	lines.Scan()
	go io.Copy(io.Discard, r)
	at := strings.TrimPrefix(lines.Text(), "tools at ")
	c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: at}, nil)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if got := names(t, c); !strings.HasPrefix(got, "Room_Messages Room_Post Toolbox_Add") {
		t.Error(got)
	}
	c.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	_, url := serveRoom(t, "", true)
	_, closed := serveRoom(t, "secret", true)
	_, mute := serveRoom(t, "", false)
	for _, tt := range []struct{ args, want string }{
		{"", "want a URL: wirecall-mcp [flags] URL"},
		{"a b", "want a URL: wirecall-mcp [flags] URL"},
		{"-stdio -addr localhost:0 " + url, "-stdio and -addr are both given"},
		{"-addr :0 " + url, "-addr :0 is no loopback address: …"},
		{"-only C.* " + url, "mcprpc: no method is C.*"},
		{"-only C.* -all " + url, "mcprpc: Options.All and Options.Only are both set"},
		{"-token wrong " + closed, closed + ": …no such token"},
		{"-header x " + url, url + `: -header "x": want 'Name: value'`},
		{mute, "mcprpc: the server does not describe itself: …"},
		{"exec:/no/such/program", "exec:/no/such/program: …"},
		{"ws://127.0.0.1:1", "ws://127.0.0.1:1: …"},
	} {
		if _, err := command(t, strings.Fields(tt.args)...); err == nil || !matches(tt.want, err.Error()) {
			t.Errorf("%s: %v, want %s", tt.args, err, tt.want)
		}
	}
}

// matches reports whether text is want, in which … stands for anything.
func matches(want, text string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
	return regexp.MustCompile(`(?s)^` + pattern + `$`).MatchString(text)
}

var (
	block  = regexp.MustCompile("(?s)```(console|json)\n(.*?)```")
	atHome = regexp.MustCompile(`ws://localhost:8080/rpc`)
)

// The sessions of docs/agents.md are what a terminal shows that has the chat, and what it
// has clients configured with starts the tools.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "agents.md"))
	if err != nil {
		t.Fatal(err)
	}
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
	srv.Register(chat.RoomService(chat.InMemory()))
	hs := httptest.NewServer(srv)
	defer hs.Close()
	defer srv.Close()
	sessions, configurations := 0, 0
	for _, m := range block.FindAllStringSubmatch(atHome.ReplaceAllString(string(page), "ws"+strings.TrimPrefix(hs.URL, "http")), -1) {
		if m[1] == "json" {
			if configure(t, m[2]) {
				configurations++
			}
			continue
		}
		for _, step := range strings.Split("\n"+m[2], "\n$ ")[1:] {
			line, want, _ := strings.Cut(step, "\n")
			args, ok := strings.CutPrefix(line, "wirecall mcp ")
			if !ok {
				continue // how to start the server, for example
			}
			sessions++
			if got, err := command(t, strings.Fields(args)...); err != nil || strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("$ %s\n%s%v\nwant:\n%s", line, got, err, want)
			}
		}
	}
	if sessions != 2 || configurations != 1 {
		t.Errorf("%d sessions and %d configurations", sessions, configurations)
	}
}

// configure starts what a client's configuration has, if the text is one.
func configure(t *testing.T, text string) bool {
	t.Helper()
	var client struct {
		Servers map[string]struct {
			Command string
			Args    []string
		} `json:"mcpServers"`
	}
	if err := json.Unmarshal([]byte(text), &client); err != nil || len(client.Servers) == 0 {
		return false
	}
	for name, server := range client.Servers {
		if server.Command != "wirecall-mcp" {
			t.Errorf("%s is started by %s", name, server.Command)
		}
		if got := names(t, start(t, server.Args...)); got != "Room_Messages Room_Post" {
			t.Errorf("%s has the tools %s", name, got)
		}
	}
	return true
}
