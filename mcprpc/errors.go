package mcprpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/rpc"
)

// failed is the result of a call that has failed: one that the model sees, as it can mend
// the arguments, or choose another tool. It has what the streams had brought, if there is
// a collector.
func (t *tool) failed(ctx context.Context, req *mcp.CallToolRequest, err error, c *collector) (*mcp.CallToolResult, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nobody waits for a result
	}
	code := rpc.CodeOf(err)
	if code == rpc.CodeMethodNotFound && rpc.NotRun(err) || code == rpc.CodeUnauthenticated {
		return nil, &jsonrpc.Error{Code: int64(code), Message: err.Error()}
	}
	message := err.Error()
	if c != nil {
		message = t.explain(req, message, code)
	}
	e := object{{"code", int(code)}, {"message", message}}
	text := fmt.Sprintf("%s (code %d)", message, code)
	if own, ok := errors.AsType[*rpc.Error](err); ok {
		if own.Type != "" {
			e = append(e, member{"type", own.Type})
			text = fmt.Sprintf("%s (%s, code %d)", message, own.Type, code)
		}
		if data := dataOf(own); data != nil {
			e = append(e, member{"data", data})
			text += "\n" + string(data)
		}
	}
	if rpc.NotRun(err) && code != rpc.CodeInvalidParams {
		text += "\nThe call has not been run: it may be made again."
	}
	if c != nil && t.shape == shapeStream && c.n > 0 {
		e = append(e, t.read("", req, c)...)
	}
	content, err := e.json()
	if err != nil {
		return nil, err
	}
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: text}}, StructuredContent: content}, nil
}

// explain is the message of a call that was made: with where the arguments are not what the
// schemas ask for.
func (t *tool) explain(req *mcp.CallToolRequest, message string, code rpc.Code) string {
	if code == rpc.CodeDeadlineExceeded {
		return t.method.Name + " has not answered in time, and has been cancelled"
	}
	if misfit := t.document.MisfitOf(t.method, req.Params.Arguments); misfit != "" {
		return message + "; " + misfit
	}
	return message
}

// dataOf is the data of an error, or nil if there is none.
func dataOf(e *rpc.Error) json.RawMessage {
	var data json.RawMessage
	if e.Decode(&data) != nil || len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return nil
	}
	return data
}
