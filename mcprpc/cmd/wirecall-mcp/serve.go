package main

import (
	"context"
	"errors"
	"fmt"
	"go/doc"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// serve serves the tools over HTTP at an address, until ctx ends. Whoever reaches it has
// the rights of this program at the server, so that it must be this machine's own.
func serve(ctx context.Context, s *mcp.Server, addr string, stderr io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(ln.Addr().String())
	if err != nil || !at.Addr().IsLoopback() {
		ln.Close()
		return fmt.Errorf("-addr %s is no loopback address: whoever reaches it would have the rights of this program; a server can show its tools itself, with its own authentication, by mcprpc.Handler", addr)
	}
	fmt.Fprintf(stderr, "tools at http://%s\n", ln.Addr())
	h := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true})
	web := &http.Server{Handler: http.NewCrossOriginProtection().Handler(h), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { web.Close() })()
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// list prints the tools as an agent has them: the name, what is known of the effects, and
// the first sentence of the description.
func list(ctx context.Context, s *mcp.Server, stdout io.Writer) error {
	near, far := mcp.NewInMemoryTransports()
	if _, err := s.Connect(ctx, far, nil); err != nil {
		return err
	}
	c, err := mcp.NewClient(&mcp.Implementation{Name: "wirecall-mcp", Version: "0"}, nil).Connect(ctx, near, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for tool, err := range c.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		line := tool.Name
		if effects := effectsOf(tool.Annotations); effects != "" {
			line += " (" + effects + ")"
		}
		if sentence := new(doc.Package).Synopsis(tool.Description); sentence != "" {
			line += "  # " + sentence
		}
		fmt.Fprintln(stdout, line)
	}
	return nil
}

// effectsOf is what a tool's annotations say.
func effectsOf(a *mcp.ToolAnnotations) string {
	var all []string
	if a.ReadOnlyHint {
		all = append(all, "readonly")
	}
	if a.DestructiveHint != nil && *a.DestructiveHint {
		all = append(all, "destructive")
	}
	if a.IdempotentHint {
		all = append(all, "idempotent")
	}
	return strings.Join(all, ", ")
}
