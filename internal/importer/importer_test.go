package importer

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// options is those of the tests: no pattern of names is known.
var options = Options{Package: "p", Source: "api.json", MethodName: func(string, string) string { return "" }, Reserved: func(int) bool { return false }}

// document is one of a method that returns a schema, with components.
func document(schema, components string) []byte {
	return fmt.Appendf(nil, `{"openrpc":"1.3.2","methods":[{"name":"m","params":[],"result":{"name":"r","schema":%s}}],"components":{"schemas":{%s}}}`, schema, components)
}

// TestHostile imports documents that are made to take long, or to be more than one file of
// types: they are refused with a place, or cost what their length is.
func TestHostile(t *testing.T) {
	chain := func(n int, link string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"S%d":`+link, i, i+1))
		}
		return strings.Join(append(all, fmt.Sprintf(`"S%d":{"type":"string"}`, n)), ",")
	}
	const first = `{"$ref":"#/components/schemas/S0"}`
	for name, tt := range map[string]struct {
		doc  []byte
		want string // of the error; empty for none
	}{
		"deep": {
			document(strings.Repeat(`{"items":`, 100_000)+`{}`+strings.Repeat(`}`, 100_000), ""),
			"it is nested more than 200 deep",
		},
		"a long chain of objects": {
			document(first, chain(20_000, `{"type":"object","properties":{"x":{"$ref":"#/components/schemas/S%d"}}}`)),
			"schemas refer to each other more than 5000 deep",
		},
		"a long chain of references": {
			document(first, chain(20_000, `{"$ref":"#/components/schemas/S%d"}`)),
			"more than 500 references lead to each other",
		},
		"a long chain of unions": {
			document(first, chain(20_000, `{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/S%d"}]}`)),
			"deep",
		},
		"a merge that doubles at each step": {
			document(first, chain(300, `{"allOf":[{"$ref":"#/components/schemas/S%[2]d"},{"$ref":"#/components/schemas/S%[2]d"}]}`)),
			"",
		},
		"a union that doubles at each step": {
			document(first, chain(300, `{"oneOf":[{"$ref":"#/components/schemas/S%[2]d"},{"items":{"$ref":"#/components/schemas/S%[2]d"}}]}`)),
			"",
		},
		"a name of a result that is code": {
			[]byte(`{"openrpc":"1.3.2","methods":[{"name":"m","params":[],"result":{"name":"r","schema":{}},"x-wirecall":{"results":["a int) (b"]}}]}`),
			`#/methods/0/x-wirecall/results: "a int) (b" is no name of a result`,
		},
		"a name of a service that is code": {
			[]byte(`{"openrpc":"1.3.2","methods":[{"name":"m","params":[],"x-wirecall":{"service":"A\ntype B int"}}]}`),
			`#/methods/0/x-wirecall/service: "A\ntype B int" is no name of a service`,
		},
		"a byte order mark": {append([]byte("\xef\xbb\xbf"), document(`{}`, "")...), ""},
		"two documents":     {append(document(`{}`, ""), "{}"...), "something follows the value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Import(tt.doc, options)
			if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) && tt.want != "" {
				t.Errorf("got %.300s, want %q", got, tt.want)
			}
		})
	}
}

// TestNoCode has nothing in texts of a document become code, a directive or a build
// constraint.
func TestNoCode(t *testing.T) {
	const evil = `*/ x\ntype Evil int\n//go:embed x\n//wirecall:notify\n+build ignore\r\ntype Evil2 int\u2028type Evil3 int`
	doc := fmt.Sprintf(`{"openrpc":"1.3.2","info":{"title":"%[1]s","version":"%[1]s","description":"%[1]s"},"methods":[
		{"name":"m","summary":"%[1]s","description":"%[1]s","params":[{"name":"%[1]s","required":true,"schema":{"type":"string","enum":["%[1]s","b"]}}],
		 "errors":[{"code":1,"message":"%[1]s"}],
		 "result":{"name":"r","schema":{"title":"%[1]s","description":"%[1]s","properties":{"a":{"type":"string","description":"%[1]s"},"%[1]s":{}}}},
		 "x-wirecall":{"options":{"k":"%[1]s"},"subscription":{"notify":"%[1]s"},"omitempty":["%[1]s"]}, "paramStructure":"by-position"}]}`, evil)
	out, err := Import([]byte(doc), options)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		for _, bad := range []string{"type Evil", "//go:embed", "//wirecall:notify", "// +build", "//wirecall:subscription"} {
			if strings.HasPrefix(line, bad) {
				t.Errorf("there is a line %q in\n%s", line, out)
			}
		}
	}
}

// FuzzImport has whatever is imported be Go, the same each time.
func FuzzImport(f *testing.F) {
	f.Add(document(`{"$ref":"#/components/schemas/a"}`, `"a":{"type":"object","properties":{"a":{"$ref":"#/components/schemas/a"},"b":{"oneOf":[{"type":"string","enum":["x","y"]},{"type":"null"}]}}}`))
	f.Add([]byte(`{"openrpc":"1.3.2","methods":[{"name":"A.b","params":[{"name":"p","schema":{"allOf":[{"type":["integer","null"]}]}}],"errors":[{"code":1,"message":"m"}],"x-wirecall":{"service":"A","streams":{"params":{"p":{}},"results":{"r":{}}},"results":["r"],"cursor":{"param":"p","path":["id"]},"errors":[{"name":"a.B","code":2,"data":{"properties":{"Error":{}}}}],"options":{"a":"b"}},"result":{"name":"r"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := Import(text, options)
		again, errAgain := Import(text, options)
		if !bytes.Equal(out, again) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Errorf("got %s, %v, and then %s, %v", out, err, again, errAgain)
		}
		if err != nil {
			if strings.Contains(err.Error(), "what was written is no Go") {
				t.Error(err)
			}
			return
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", out, parser.ParseComments); err != nil {
			t.Errorf("%v in\n%s", err, out)
		}
	})
}
