package mcprpc

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/rpc"
)

// call makes the call of a tool. It is an mcp.ToolHandler.
func (t *tool) call(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	params, err := dynamic.ObjectParams(t.method, req.Params.Arguments)
	if err != nil {
		return t.failed(ctx, req, &rpc.Error{Code: rpc.CodeInvalidParams, Message: err.Error()}, nil)
	}
	limited, stop := t.limit(ctx)
	defer stop()
	c := &collector{ctx: ctx, results: map[string]json.RawMessage{}, items: map[string][]json.RawMessage{}, progress: progressOf(req)}
	call := &dynamic.Call{Method: t.method, Params: params}
	err = call.Make(withTrace(limited, req), t.caller(ctx), &dynamic.Handler{Result: c.result, Item: c.item})
	c.more = err != nil && (errors.Is(err, errEnough) || context.Cause(limited) == errEnough)
	if err != nil && !c.more {
		return t.failed(ctx, req, err, c)
	}
	return t.answer(req, c)
}

// errEnough ends a call whose streams have had their items or their time.
var errEnough = errors.New("mcprpc: enough of the stream")

// limit returns the context of a call. The time of streams is no deadline, which would
// cross to the server and be an error there.
func (t *tool) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case len(t.method.Extension.Streams.Results) > 0:
		ctx, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(t.options.streamTime(), func() { cancel(errEnough) })
		return ctx, func() {
			timer.Stop()
			cancel(nil)
		}
	case t.options.Timeout > 0:
		return context.WithTimeout(ctx, t.options.Timeout)
	}
	return ctx, func() {}
}

// traceKeys are the members of a request's metadata that belong to a trace: W3C Trace
// Context and Baggage.
var traceKeys = []string{"traceparent", "tracestate", "baggage"}

// withTrace returns a context with which calls belong to the trace of the request, as its
// metadata says, or else its HTTP headers.
func withTrace(ctx context.Context, req *mcp.CallToolRequest) context.Context {
	md := map[string]string{}
	for _, key := range traceKeys {
		value, _ := req.Params.Meta[key].(string)
		if value == "" && req.Extra != nil {
			value = req.Extra.Header.Get(key)
		}
		if value != "" {
			md[key] = value
		}
	}
	if len(md) == 0 {
		return ctx
	}
	return rpc.WithMetadata(ctx, md)
}

// How much of its streams a call returns. One item may go beyond the bytes.
const (
	maxItems = 100
	maxBytes = 64 << 10
)

// A collector holds what a call has brought.
type collector struct {
	ctx      context.Context // of the request
	results  map[string]json.RawMessage
	items    map[string][]json.RawMessage // of each stream
	n, bytes int                          // of all items
	more     bool                         // the streams had not ended
	progress *progress
}

// result takes in a result.
func (c *collector) result(name string, v dynamic.JSON) error {
	c.results[name] = v
	return nil
}

// item takes in an item of a stream. It returns errEnough with the last that there is room
// for.
func (c *collector) item(name string, v dynamic.JSON) error {
	c.items[name] = append(c.items[name], v)
	c.n, c.bytes = c.n+1, c.bytes+len(v)
	c.progress.report(c.ctx, c.n, v)
	if c.n >= maxItems || c.bytes >= maxBytes {
		return errEnough
	}
	return nil
}

// answer is the result of a call that has not failed.
func (t *tool) answer(req *mcp.CallToolRequest, c *collector) (*mcp.CallToolResult, error) {
	var content json.RawMessage
	var err error
	switch t.shape {
	case shapeNothing:
		text := "Done: there is no result."
		if t.method.Extension.Notify {
			text = "Sent: there is no answer to it."
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
	case shapeObject:
		content = c.results[""]
	case shapeValue:
		content, err = object{{"result", c.results[""]}}.json()
	case shapeStream:
		content, err = t.read("", req, c).json()
	case shapeSeveral:
		content, err = t.several(req, c).json()
	}
	if err != nil {
		return nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(content)}}, StructuredContent: content}, nil
}

// several is the results by their names.
func (t *tool) several(req *mcp.CallToolRequest, c *collector) (o object) {
	for _, name := range t.method.Extension.Results {
		if t.method.Receives(name) {
			o = append(o, member{name, t.read(name, req, c)})
		} else {
			o = append(o, member{name, c.results[name]})
		}
	}
	return o
}

// read is what has been read of a stream.
func (t *tool) read(name string, req *mcp.CallToolRequest, c *collector) object {
	items := c.items[name]
	if items == nil {
		items = []json.RawMessage{}
	}
	o := object{{"items", items}, {"more", c.more}}
	if after := t.after(items, req); after != nil {
		o = append(o, member{"after", after})
	}
	return o
}

// after is the value of the cursor behind the items, or nil if there is no cursor.
func (t *tool) after(items []json.RawMessage, req *mcp.CallToolRequest) json.RawMessage {
	cursor := t.method.Extension.Cursor
	if cursor == nil {
		return nil
	}
	if len(items) > 0 {
		if at, ok := dynamic.After(cursor, items[len(items)-1]); ok {
			return at
		}
	}
	var arguments map[string]json.RawMessage
	if json.Unmarshal(req.Params.Arguments, &arguments) != nil {
		return nil
	}
	return arguments[cursor.Param]
}
