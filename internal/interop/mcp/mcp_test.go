package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/rpc"
)

// A host is a client of servers of tools.
type host struct{ progress chan string }

func (*host) Ping(context.Context) (struct{}, error) { return struct{}{}, nil }

func (*host) ListRoots(context.Context) (Roots, error) {
	return Roots{[]Root{{"file:///srv/attic", "attic"}}}, nil
}

func (*host) CreateMessage(_ context.Context, messages []Message, maxTokens int) (Sample, error) {
	if len(messages) != 1 || maxTokens <= 0 {
		return Sample{}, errors.New("no message")
	}
	return Sample{"assistant", Content{"text", "echo of " + messages[0].Content.Text}, "parrot"}, nil
}

func (h *host) Progress(_ context.Context, token string, progress, total float64) error {
	h.progress <- fmt.Sprintf("%s %v/%v", token, progress, total)
	return nil
}

// connect begins with the server at the other end of rwc.
func connect(t *testing.T, rwc io.ReadWriteCloser) (*ServerClient, *host, string) {
	t.Helper()
	h := &host{make(chan string, 100)}
	conn, err := rpc.NewConn(t.Context(), rwc, &rpc.ConnOptions{
		Plain: true, Services: []rpc.Service{ClientService(h)}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	server := NewServerClient(conn)
	about, err := server.Initialize(t.Context(), Version, Capabilities{Roots: &struct{}{}, Sampling: &struct{}{}}, Program{"wirecall", "1"})
	if err != nil || about.ProtocolVersion != Version {
		t.Fatal(about, err)
	}
	if err := server.Initialized(t.Context()); err != nil {
		t.Fatal(err)
	}
	return server, h, about.ServerInfo.Name
}

// output returns the text of a tool's output.
func output(t *testing.T, server *ServerClient, name string, arguments any, meta *Meta) string {
	t.Helper()
	out, err := server.CallTool(t.Context(), name, arguments, meta)
	if err != nil || len(out.Content) == 0 {
		t.Errorf("%s: %+v, %v", name, out, err)
		return ""
	}
	return out.Content[0].Text
}

// goServer is a server of the SDK for Go, with tools that ask their client.
func goServer() *mcp.Server {
	srv := mcp.NewServer(&mcp.Implementation{Name: "calc", Version: "1"}, &mcp.ServerOptions{PageSize: 2})
	type pair struct{ A, B int }
	type none struct{}
	text := func(format string, args ...any) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
	}
	mcp.AddTool(srv, &mcp.Tool{Name: "add"}, func(_ context.Context, _ *mcp.CallToolRequest, p pair) (*mcp.CallToolResult, any, error) {
		return text("%d", p.A+p.B), nil, nil
	})
	mcp.AddTool(srv, &mcp.Tool{Name: "ask"}, func(ctx context.Context, r *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		if err := r.Session.Ping(ctx, nil); err != nil {
			return nil, nil, err
		}
		for i := range 3 {
			if err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: float64(i + 1), Total: 3}); err != nil {
				return nil, nil, err
			}
		}
		roots, err := r.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		sample, err := r.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 5, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: roots.Roots[0].Name}}}})
		if err != nil {
			return nil, nil, err
		}
		return text("%s", sample.Content.(*mcp.TextContent).Text), nil, nil
	})
	mcp.AddTool(srv, &mcp.Tool{Name: "wait"}, func(ctx context.Context, r *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New("not today")
	})
	return srv
}

func TestGoSDK(t *testing.T) {
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		goServer().Run(t.Context(), &mcp.IOTransport{Reader: far, Writer: far})
	}()
	defer func() { near.Close(); <-served }()
	server, h, name := connect(t, near)
	if name != "calc" {
		t.Error(name)
	}
	var tools []string
	var cursor *string
	for more := true; more; more = cursor != nil {
		page, err := server.ListTools(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range page.Tools {
			tools = append(tools, tool.Name)
		}
		cursor = page.NextCursor
	}
	if got := strings.Join(tools, " "); got != "add ask wait" {
		t.Error(got)
	}
	if got := output(t, server, "add", map[string]int{"A": 20, "B": 22}, nil); got != "42" {
		t.Error(got)
	}
	if got := output(t, server, "ask", json.RawMessage("{}"), &Meta{"t"}); got != "echo of attic" {
		t.Error(got)
	}
	for _, want := range []string{"t 1/3", "t 2/3", "t 3/3"} {
		if got := <-h.progress; got != want {
			t.Errorf("progress %s, want %s", got, want)
		}
	}
	out, err := server.CallTool(t.Context(), "wait", json.RawMessage("{}"), nil)
	if err != nil || !out.IsError || out.Content[0].Text != "not today" {
		t.Error(out, err)
	}
	if _, err := server.CallTool(t.Context(), "nothing", json.RawMessage("{}"), nil); rpc.CodeOf(err) != rpc.CodeInvalidParams {
		t.Error("an unknown tool:", err)
	}
}
