package mcprpc

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/rpc"
)

// A result is what the method has returned, to the last digit.
func TestResults(t *testing.T) {
	b := newBox()
	c := overMemory(t, b, nil, nil)
	tools := toolsOf(t, c)
	for _, tt := range []struct{ tool, arguments, want string }{
		{"Toolbox_Add", `{"a":9007199254740993,"b":1}`, `{"result":9007199254740994}`},
		{"Toolbox_Echo", `{"data":"AP8="}`, `{"same":"AP8=","noted":"no note"}`},
		{"Toolbox_Echo", `{"data":null,"note":"<a> & b"}`, `{"same":null,"noted":"\u003ca\u003e \u0026 b"}`},
		{"Toolbox_Grow", `{"tree":{"name":"oak"}}`, `{"name":"oak","branches":[{"name":"leaf"}]}`},
		{"Toolbox_Find", `{"name":"oak","trees":{"oak":{"name":"Oak"}}}`, `{"result":{"name":"Oak"}}`},
		{"Toolbox_Find", `{"name":"elm","trees":null}`, `{"result":null}`},
		{"Toolbox_Erase", `{"name":"oak"}`, `Done: there is no result.`},
		{"Toolbox_Note", `{"text":"hello"}`, `Sent: there is no answer to it.`},
		{"Toolbox_Sum", `{"numbers":[9007199254740993,1,-3]}`, `{"result":9007199254740991}`},
		{"Toolbox_Sum", `{"numbers":[]}`, `{"result":0}`},
		{"Toolbox_Deal", `{"n":5}`, `{"dealt":5,"left":{"items":[0,2,4],"more":false},"right":{"items":[1,3],"more":false}}`},
		{"Toolbox_Words", `{"n":2,"size":4}`, `{"items":["éé","éé"],"more":false}`},
		{"Toolbox_Words", `{"n":0,"size":4}`, `{"items":[],"more":false}`},
	} {
		r := call(t, c, tt.tool, tt.arguments)
		if got := text(t, r); r.IsError || got != tt.want {
			t.Errorf("%s %s is %s, want %s", tt.tool, tt.arguments, got, tt.want)
		}
		if json.Valid([]byte(tt.want)) != (r.StructuredContent != nil) {
			t.Errorf("%s %s has the structured content %v", tt.tool, tt.arguments, r.StructuredContent)
		}
		valid(t, tools[tt.tool].InputSchema, json.RawMessage(tt.arguments))
		if r.StructuredContent != nil {
			valid(t, tools[tt.tool].OutputSchema, r.StructuredContent)
		} else if tools[tt.tool].OutputSchema != nil {
			t.Errorf("%s has an output schema and no output", tt.tool)
		}
	}
	if got := <-b.notes; got != "hello" {
		t.Errorf("noted %q", got)
	}
}

// toolsOf returns the tools by their names.
func toolsOf(t *testing.T, c *mcp.ClientSession) map[string]*mcp.Tool {
	t.Helper()
	tools := map[string]*mcp.Tool{}
	for tool, err := range c.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		tools[tool.Name] = tool
	}
	return tools
}

// valid checks a value against a schema by another library.
func valid(t *testing.T, schema, value any) {
	t.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(v); err != nil {
		t.Errorf("%s is not valid: %v\n%s", raw, err, text)
	}
}

// What a model can mend is a result: an error of the method, and arguments that do not
// fit, with the place.
func TestToolErrors(t *testing.T) {
	c := overMemory(t, newBox(), nil, nil)
	tools := toolsOf(t, c)
	for _, tt := range []struct{ tool, arguments, text, content string }{
		{"Toolbox_Erase", `{"name":"root"}`, "erasing: the name root is not allowed (toolbox.Refused, code 1001)\n" + `{"name":"root"}`,
			`{"code":1001,"data":{"name":"root"},"message":"erasing: the name root is not allowed","type":"toolbox.Refused"}`},
		{"Toolbox_Erase", `{"name":"secret"}`, "not yours (code -32015)", `{"code":-32015,"message":"not yours"}`},
		{"Toolbox_Erase", `{"name":"gone"}`, "another server has no such method (code -32601)", `{"code":-32601,"message":"another server has no such method"}`},
		{"Toolbox_Call", `{}`, "method not found: Toolbox.Who (code -32601)", `{"code":-32601,"message":"method not found: Toolbox.Who"}`},
		{"Toolbox_Add", `{"a":1}`, "the parameter b is missing: Toolbox.Add(a integer, b integer) integer (code -32602)", ``},
		{"Toolbox_Add", `{"a":1,"b":2,"c":3}`, "there is no parameter c: Toolbox.Add(a integer, b integer) integer (code -32602)", ``},
		{"Toolbox_Add", `{"a":1,"b":1.5}`, "…b: want integer, have a number (code -32602)", ``},
		{"Toolbox_Grow", `{"tree":{"name":"oak","branches":[{"name":"a"},{"name":7}]}}`, "…; tree.branches[1].name: want string, have an integer (code -32602)", ``},
		{"Toolbox_Sum", `{"numbers":7}`, "the parameter numbers is a stream: want an array of its items: Toolbox.Sum(numbers stream of integer) integer (code -32602)", ``},
		{"Toolbox_Sum", `{"numbers":[1,"two"]}`, "…; numbers[1]: want integer, have a string (code …)", ``},
	} {
		r := call(t, c, tt.tool, tt.arguments)
		if got := text(t, r); !r.IsError || !like(tt.text, got) {
			t.Errorf("%s %s: %s, want %s", tt.tool, tt.arguments, got, tt.text)
		}
		if got := structured(t, r); tt.content != "" && got != tt.content {
			t.Errorf("%s %s: %s, want %s", tt.tool, tt.arguments, got, tt.content)
		}
		if schema := tools[tt.tool].OutputSchema; schema != nil {
			valid(t, schema, r.StructuredContent)
		}
	}
}

// like reports whether text is want, in which … stands for anything.
func like(want, text string) bool {
	parts := strings.Split(want, "…")
	if !strings.HasPrefix(text, parts[0]) || !strings.HasSuffix(text, parts[len(parts)-1]) {
		return false
	}
	for _, part := range parts {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

// What no model can mend is an error of the protocol.
func TestProtocolErrors(t *testing.T) {
	c := connect(t, renamed{connected(t, newBox())}, nil, nil)
	for _, tt := range []struct {
		tool, arguments string
		code            int64
	}{
		{"Toolbox_Who", `{}`, jsonrpc.CodeMethodNotFound},
		{"Toolbox_Hidden", `{}`, jsonrpc.CodeInvalidParams}, // the SDK's, for what is no tool
		{"Toolbox_Erase", `{"name":"token"}`, -32014},
	} {
		_, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: tt.tool, Arguments: json.RawMessage(tt.arguments)})
		if e, ok := errors.AsType[*jsonrpc.Error](err); !ok || e.Code != tt.code {
			t.Errorf("%s %s: %v, want the code %d", tt.tool, tt.arguments, err, tt.code)
		}
	}
}

// A renamed is a Caller of a server that has lost the method Toolbox.Who since it has
// described itself.
type renamed struct{ rpc.Caller }

func (r renamed) Call(ctx context.Context, c *rpc.Call) error {
	if c.Method.Name == "Toolbox.Who" {
		m := *c.Method
		m.Name = "Toolbox.Lost"
		c.Method = &m
	}
	return r.Caller.Call(ctx, c)
}
