package mcprpc

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/internal/openrpc"
)

var update = flag.Bool("update", false, "write testdata anew")

// The tools are what testdata/tools.json says: sorted, with names, comments, schemas and
// annotations.
func TestTools(t *testing.T) {
	c := overMemory(t, newBox(), nil, nil)
	list, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if list.NextCursor != "" || list.TTLMs != 300_000 || list.CacheScope != "public" {
		t.Errorf("the list has the cursor %q, and is kept for %d ms, %s", list.NextCursor, list.TTLMs, list.CacheScope)
	}
	got, err := json.MarshalIndent(list.Tools, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const name = "testdata/tools.json"
	if *update {
		if err := os.WriteFile(name, append(got, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("the tools are\n%s", got)
	}
}

// Which methods are tools.
func TestSelected(t *testing.T) {
	document := `{"methods":[
		{"name":"A.Marked","x-wirecall":{"options":{"mcp.tool":"readonly"}}},
		{"name":"A.Plain"},
		{"name":"A.Never","x-wirecall":{"options":{"mcp.tool":"no"}}},
		{"name":"B.Plain","x-wirecall":{"options":{"role":"admin"}}},
		{"name":"rpc.discover"}]}`
	for _, tt := range []struct {
		options Options
		want    string
	}{
		{Options{}, "A_Marked"},
		{Options{All: true}, "A_Marked A_Plain B_Plain"},
		{Options{Only: []string{"A.*"}}, "A_Marked A_Plain"},
		{Options{Only: []string{"B.Plain", "A.P*"}}, "A_Plain B_Plain"},
		{Options{Only: []string{"A.*", "C.*"}}, "mcprpc: no method is C.*"},
		{Options{Only: []string{"A.Never"}}, errNoTools.Error()},
		{Options{All: true, Only: []string{"A.*"}}, "mcprpc: Options.All and Options.Only are both set"},
	} {
		if got := names(t, document, &tt.options); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.options, got, tt.want)
		}
	}
}

// names are those of the tools, or the error.
func names(t *testing.T, document string, opts *Options) string {
	t.Helper()
	d, err := openrpc.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	o, err := opts.withDefaults()
	if err != nil {
		return err.Error()
	}
	s, err := newServer(d, nil, o)
	if err != nil {
		return err.Error()
	}
	near, far := mcp.NewInMemoryTransports()
	if _, err := s.Connect(t.Context(), far, nil); err != nil {
		t.Fatal(err)
	}
	c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), near, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []string
	for tool, err := range c.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tool.Name)
	}
	return strings.Join(all, " ")
}

// Names are those that each client takes, and no two are the same.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", 65)
	for methods, want := range map[string]string{
		`"a.b","eth_getBlock","$/x y","ünï"`: "__x_y _n_ a_b eth_getBlock",
		`"A.B","A_B"`:                        "mcprpc: A.B and A_B would both be the tool A_B",
		`"A.B","A.B"`:                        "mcprpc: A.B and A.B would both be the tool A_B",
		`"` + long[:64] + `"`:                long[:64],
		`"` + long + `"`:                     "mcprpc: " + long + " cannot be a tool: its name has more than 64 characters",
	} {
		var all []string
		for name := range strings.SplitSeq(methods, ",") {
			all = append(all, `{"name":`+name+`}`)
		}
		if got := names(t, `{"methods":[`+strings.Join(all, ",")+`]}`, &Options{All: true}); got != want {
			t.Errorf("%s: %s, want %s", methods, got, want)
		}
	}
	marked := `{"methods":[{"name":"A.B","x-wirecall":{"options":{"mcp.tool":"readnoly"}}}]}`
	if got, want := names(t, marked, nil), "mcprpc: A.B has the option mcp.tool=readnoly: want readonly, destructive, yes or no"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Ten thousand methods are ten thousand tools, in pages.
func TestManyTools(t *testing.T) {
	var methods []string
	for i := range 10_000 {
		methods = append(methods, fmt.Sprintf(`{"name":"S.M%d","params":[{"name":"p","schema":{"$ref":"#/components/schemas/T"}}]}`, i))
	}
	document := `{"methods":[` + strings.Join(methods, ",") + `],"components":{"schemas":{"T":{"type":"object","properties":{"t":{"$ref":"#/components/schemas/T"}}}}}}`
	got := strings.Fields(names(t, document, &Options{All: true}))
	if len(got) != 10_000 || !slices.IsSorted(got) {
		t.Errorf("%d tools: %.100s", len(got), got)
	}
}

// What a document says of types is what a tool says, or an error that names the method.
func TestSchemas(t *testing.T) {
	const components = `{"T":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/T"}}},"a/b":{"$ref":"#/components/schemas/T"},
		"U":{"allOf":[{"$ref":"#/components/schemas/T"}],"description":"not \"$ref\":\"#/components/schemas/None\""},"Loop":{"$ref":"#/components/schemas/Loop"},
		"Broken":{"$ref":"#/components/schemas/None"}}`
	const failed = `,{"description":"An error.","type":"object","properties":{"code":{"type":"integer"},"message":{"type":"string"},"type":{"type":"string"},"data":{}},"required":["code","message"]}]`
	const loop = `{"next":{"$ref":"#/$defs/T"}}`
	for _, tt := range []struct{ method, input, output string }{
		{`"params":[],"result":{"schema":{"type":"null"}}`, `{"type":"object","properties":{},"additionalProperties":false}`, ``},
		{`"params":[{"name":"t","required":true,"description":"Which.","schema":{"$ref":"#/components/schemas/T"}}],"result":{"schema":{"$ref":"#/components/schemas/T"}}`,
			`{"type":"object","properties":{"t":{"description":"Which.","$ref":"#/$defs/T"}},"required":["t"],"additionalProperties":false,"$defs":{"T":{"type":"object","properties":` + loop + `}}}`,
			`{"$ref":"#/$defs/T"}` + failed + `,"$defs":{"T":{"type":"object","properties":` + loop + `}}}`},
		{`"params":[{"name":"s","schema":{"$ref":"#/components/schemas/a~1b"}}]`,
			`{"type":"object","properties":{"s":{"$ref":"#/$defs/a~1b"}},"additionalProperties":false,"$defs":{"T":{"type":"object","properties":` + loop + `},"a/b":{"$ref":"#/$defs/T"}}}`, ``},
		{`"params":[{"name":"any"},{"name":"no","schema":false}],"result":{"schema":{"$ref":"#/components/schemas/Loop"}}`,
			`{"type":"object","properties":{"any":{},"no":false},"additionalProperties":false}`,
			`{"type":"object","properties":{"result":{"$ref":"#/$defs/Loop"}},"required":["result"]}` + failed + `,"$defs":{"Loop":{"$ref":"#/$defs/Loop"}}}`},
		{`"params":[],"result":{"schema":{"type":["object"],"minProperties":1}}`,
			`{"type":"object","properties":{},"additionalProperties":false}`, `{"type":["object"],"minProperties":1}` + failed + `}`},
		{`"params":[{"name":"big","schema":{"type":"integer","maximum":18446744073709551615}}]`,
			`{"type":"object","properties":{"big":{"type":"integer","maximum":18446744073709551615}},"additionalProperties":false}`, ``},
		{`"params":[{"name":"b","schema":{"$ref":"#/components/schemas/Broken"}}]`, `mcprpc: M: a schema refers to "#/$defs/None", which leads to nothing`, ``},
		{`"params":[{"name":"b","schema":{"$ref":"https://example.com/s"}}]`, `mcprpc: M: a schema refers to "https://example.com/s", which is not a component`, ``},
		{`"params":[{"name":"b","schema":{"type":"string","x-mcp-header":"a b"}}]`, `mcprpc: M cannot be a tool: …`, ``},
	} {
		d, err := openrpc.Parse([]byte(`{"methods":[{"name":"M",` + tt.method + `}],"components":{"schemas":` + components + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		s := &schemas{document: d, components: map[string]schema{}}
		if strings.HasPrefix(tt.input, "mcprpc: ") {
			if _, err := newServer(d, nil, Options{All: true}); err == nil || !like(tt.input, err.Error()) {
				t.Errorf("%s: %v, want %s", tt.method, err, tt.input)
			}
			continue
		}
		input, err := s.input(d.Methods[0])
		if err != nil || string(input) != tt.input {
			t.Errorf("%s: the input is %s, %v, want %s", tt.method, input, err, tt.input)
		}
		output, err := s.output(d.Methods[0])
		if tt.output != "" {
			tt.output = `{"type":"object","anyOf":[` + tt.output
		}
		if err != nil || string(output) != tt.output {
			t.Errorf("%s: the output is %s, %v, want %s", tt.method, output, err, tt.output)
		}
	}
}

// A description whose methods all refer to all of it is refused before it fills the memory.
func TestHugeSchemas(t *testing.T) {
	document := func(components, size, methods int) string {
		var defs, refs, all []string
		for i := range components {
			defs = append(defs, fmt.Sprintf(`"T%d":{"description":%q}`, i, strings.Repeat("x", size)))
			refs = append(refs, fmt.Sprintf(`{"$ref":"#/components/schemas/T%d"}`, i))
		}
		defs = append(defs, `"All":{"anyOf":[`+strings.Join(refs, ",")+`]}`)
		for i := range methods {
			all = append(all, fmt.Sprintf(`{"name":"M%d","params":[{"name":"p","schema":{"$ref":"#/components/schemas/All"}}]}`, i))
		}
		return `{"methods":[` + strings.Join(all, ",") + `],"components":{"schemas":{` + strings.Join(defs, ",") + `}}}`
	}
	for _, tt := range []struct {
		document, want string
	}{
		{document(1000, 2000, 1), "mcprpc: M0: its schemas have more than 1048576 bytes"},
		{document(100, 5000, 1000), "mcprpc: the schemas are too large at M…: a tool may have 1048576 bytes of them, and all together 67108864"},
	} {
		d, err := openrpc.Parse([]byte(tt.document))
		if err != nil {
			t.Fatal(err)
		}
		s := &schemas{document: d, components: map[string]schema{}}
		for _, m := range d.Methods {
			if _, err = s.input(m); err != nil {
				break
			}
		}
		if err == nil || !like(tt.want, err.Error()) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
