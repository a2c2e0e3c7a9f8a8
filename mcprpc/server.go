package mcprpc

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
)

// NewServer returns a server of the Model Context Protocol whose tools are methods of the
// wirecall server that caller calls, such as an *rpc.Conn. That server must describe
// itself: it is asked for its description now, under ctx, and not again. The calls have
// the credentials of caller, whoever uses the tools.
func NewServer(ctx context.Context, caller rpc.Caller, opts *Options) (*mcp.Server, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	document, err := dynamic.Discover(ctx, caller)
	if err != nil {
		return nil, fmt.Errorf("mcprpc: %w", err)
	}
	return newServer(document, func(context.Context) rpc.Caller { return caller }, o)
}

// listTTL is how long a client may keep the list of tools, in milliseconds: it does not
// change while the server runs.
const listTTL = 5 * 60 * 1000

// newServer returns a server whose tools call with what caller returns for the context of
// the request.
func newServer(document *openrpc.Document, caller func(context.Context) rpc.Caller, o Options) (*mcp.Server, error) {
	tools, err := selected(document.Methods, &o)
	if err != nil {
		return nil, err
	}
	about := &mcp.Implementation{Name: cmp.Or(document.Info.Title, "wirecall"), Version: cmp.Or(document.Info.Version, "0")}
	s := mcp.NewServer(about, &mcp.ServerOptions{
		Instructions: cmp.Or(o.Instructions, document.Info.Description),
		Logger:       o.Logger,
		Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
		SetCacheable: func(_ context.Context, _ mcp.Request, c *mcp.Cacheable) { c.TTLMs, c.CacheScope = listTTL, "public" },
	})
	all := &schemas{document: document, components: map[string]schema{}}
	for _, t := range tools {
		t.document, t.options, t.caller = document, &o, caller
		if err := t.addTo(s, all); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// A tool is a method that agents call.
type tool struct {
	method   *openrpc.Method
	name     string
	document *openrpc.Document
	options  *Options
	caller   func(context.Context) rpc.Caller
	shape    shape // of its result
}

// addTo adds the tool to a server. The SDK panics about a tool that it does not like, such
// as one with a schema that has its own keywords in the wrong place.
func (t *tool) addTo(s *mcp.Server, all *schemas) (err error) {
	about := &mcp.Tool{Name: t.name, Title: t.method.Name, Description: t.description(), Annotations: t.annotations()}
	input, err := all.input(t.method)
	if err != nil {
		return err
	}
	output, err := all.output(t.method)
	if err != nil {
		return err
	}
	about.InputSchema = input
	if output != nil {
		about.OutputSchema = output
	}
	t.shape = shapeOf(t.document, t.method)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("mcprpc: %s cannot be a tool: %v", t.method.Name, r)
		}
	}()
	s.AddTool(about, t.call)
	return nil
}

// annotations are what the contract says of the method's effects.
func (t *tool) annotations() *mcp.ToolAnnotations {
	a := &mcp.ToolAnnotations{Title: t.method.Name, IdempotentHint: t.method.Extension.Idempotent}
	switch t.method.Extension.Options[toolOption] {
	case "readonly":
		a.ReadOnlyHint = true
	case "destructive":
		a.DestructiveHint = new(true)
	}
	return a
}

// description is the method's comment, and what a model must know to use its result.
func (t *tool) description() string {
	text := cmp.Or(t.method.Description, t.method.Summary)
	for _, note := range t.notes() {
		if text != "" {
			text += "\n\n"
		}
		text += note
	}
	return text
}

func (t *tool) notes() (all []string) {
	m := t.method
	if m.Deprecated {
		all = append(all, "Deprecated.")
	}
	if m.Extension.Notify {
		all = append(all, "It is a notification: there is no answer.")
	}
	if len(m.Extension.Streams.Results) > 0 {
		note := fmt.Sprintf("A stream is read for at most %d items, %d KiB or %s.", maxItems, maxBytes>>10, t.options.streamTime().Round(time.Millisecond))
		if c := m.Extension.Cursor; c != nil {
			note += fmt.Sprintf(" If more is true, call again with %s set to the value of after.", c.Param)
		} else {
			note += " If more is true, it had not ended."
		}
		all = append(all, note)
	}
	if len(m.Errors) > 0 {
		var note strings.Builder
		note.WriteString("Errors:")
		for _, e := range m.Errors {
			note.WriteString(fmt.Sprintf("\n- %s (code %d)", e.Message, e.Code))
		}
		all = append(all, note.String())
	}
	return all
}
