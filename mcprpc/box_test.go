package mcprpc

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A box is a Toolbox.
type box struct {
	notes   chan string                              // what Note is given
	waiting chan struct{}                            // Wait has begun
	release chan struct{}                            // Wait returns
	ended   chan error                               // and why it has ended
	tick    func(ctx context.Context, n int64) error // before each tick
}

func newBox() *box {
	return &box{notes: make(chan string, 10), waiting: make(chan struct{}, 10), release: make(chan struct{}), ended: make(chan error, 10), tick: func(context.Context, int64) error { return nil }}
}

func (*box) Add(_ context.Context, a, b int64) (int64, error) { return a + b, nil }

func (*box) Echo(_ context.Context, data []byte, note *string) ([]byte, string, error) {
	if note == nil {
		return data, "no note", nil
	}
	return data, *note, nil
}

func (*box) Grow(_ context.Context, tree toolbox.Tree) (toolbox.Tree, error) {
	tree.Branches = append(tree.Branches, toolbox.Tree{Name: "leaf"})
	return tree, nil
}

func (*box) Find(_ context.Context, name string, trees map[string]toolbox.Tree) (*toolbox.Tree, error) {
	tree, ok := trees[name]
	if !ok {
		return nil, nil
	}
	return &tree, nil
}

func (*box) Erase(_ context.Context, name string) error {
	switch name {
	case "root":
		return fmt.Errorf("erasing: %w", &toolbox.Refused{Name: name})
	case "secret":
		return rpc.Errorf(rpc.CodePermissionDenied, "not yours")
	case "token":
		return rpc.Errorf(rpc.CodeUnauthenticated, "who are you?")
	case "gone":
		return rpc.Errorf(rpc.CodeMethodNotFound, "another server has no such method")
	}
	return nil
}

func (b *box) Note(_ context.Context, text string) error {
	b.notes <- text
	return nil
}

func (b *box) Count(ctx context.Context, after int64) (iter.Seq2[toolbox.Tick, error], error) {
	return func(yield func(toolbox.Tick, error) bool) {
		for n := after + 1; ; n++ {
			if err := b.tick(ctx, n); err != nil {
				yield(toolbox.Tick{}, err)
				return
			}
			if !yield(toolbox.Tick{N: n}, nil) {
				return
			}
		}
	}, nil
}

func (*box) Deal(_ context.Context, n int) (int, iter.Seq2[int, error], iter.Seq2[int, error], error) {
	pile := func(first int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := first; i < n; i += 2 {
				if !yield(i, nil) {
					return
				}
			}
		}
	}
	return n, pile(0), pile(1), nil
}

func (*box) Words(_ context.Context, n, size int) (iter.Seq2[string, error], error) {
	return func(yield func(string, error) bool) {
		for range n {
			if !yield(strings.Repeat("é", size/2), nil) {
				return
			}
		}
	}, nil
}

func (*box) Sum(_ context.Context, numbers iter.Seq2[int64, error]) (sum int64, err error) {
	for n, err := range numbers {
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// sleep waits for a time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type userKey struct{}

func (*box) Who(ctx context.Context) (string, error) {
	user, _ := ctx.Value(userKey{}).(string)
	return user + " " + rpc.Metadata(ctx)["traceparent"], nil
}

func (b *box) Wait(ctx context.Context) error {
	b.waiting <- struct{}{}
	select {
	case <-b.release:
		return nil
	case <-ctx.Done():
		b.ended <- context.Cause(ctx)
		return ctx.Err()
	}
}

func (*box) Call(ctx context.Context) (string, error) {
	return toolbox.NewToolboxClient(rpc.Peer(ctx)).Who(ctx)
}

func (*box) Hidden(context.Context) error { return nil }

// overMemory returns a client of a server whose tools call b over a connection in memory.
func overMemory(t *testing.T, b *box, opts *Options, client *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	return connect(t, connected(t, b), opts, client)
}

// connect returns a client of a server whose tools call through caller.
func connect(t *testing.T, caller rpc.Caller, opts *Options, client *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	s, err := NewServer(t.Context(), caller, opts)
	if err != nil {
		t.Fatal(err)
	}
	near, far := mcp.NewInMemoryTransports()
	served, err := s.Connect(t.Context(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, client).Connect(t.Context(), near, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		served.Wait()
	})
	return c
}

// connected returns a connection to a server of b that describes itself.
func connected(t *testing.T, b *box) *rpc.Conn {
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
	srv.Register(toolbox.ToolboxService(b))
	return rpctest.Pair(t.Context(), t, srv, nil)
}

// serve serves a handler, and returns its URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	hs := httptest.NewServer(h)
	t.Cleanup(hs.Close)
	return hs.URL
}

// dial returns a client of the tools at a URL, whose requests have the headers, and which
// speaks the version, or the newest if it is empty.
func dial(t *testing.T, url, version string, header http.Header, client *mcp.ClientOptions) (*mcp.ClientSession, error) {
	t.Helper()
	transport := &mcp.StreamableClientTransport{Endpoint: url, DisableStandaloneSSE: true, MaxRetries: -1, HTTPClient: &http.Client{Transport: withHeader(header)}}
	c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, client).Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// withHeader is a transport that adds headers to requests.
type withHeader http.Header

func (h withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	maps.Copy(r.Header, h)
	return http.DefaultTransport.RoundTrip(r)
}

// call calls a tool. The arguments and the result are JSON.
func call(t *testing.T, c *mcp.ClientSession, tool, arguments string) *mcp.CallToolResult {
	t.Helper()
	r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(arguments)})
	if err != nil {
		t.Fatalf("%s %s: %v", tool, arguments, err)
	}
	return r
}

// text is what the model reads of a result.
func text(t *testing.T, r *mcp.CallToolResult) string {
	t.Helper()
	if len(r.Content) != 1 {
		t.Fatalf("the result has %d contents", len(r.Content))
	}
	return r.Content[0].(*mcp.TextContent).Text
}

// structured is the structured content of a result as JSON, with sorted names.
func structured(t *testing.T, r *mcp.CallToolResult) string {
	t.Helper()
	b, err := json.Marshal(r.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
