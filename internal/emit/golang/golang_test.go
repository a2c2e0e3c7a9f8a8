package golang

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// The types and values that the methods of the tests are made of.
var (
	intType = &model.Type{Kind: model.Int, Name: "int"}
	text    = &model.Value{Name: "text", Wire: "text", Named: true, Type: &model.Type{Kind: model.String, Name: "string"}}
	count   = &model.Value{Name: "r0", Wire: "r0", Type: intType}
	lines   = &model.Value{Name: "lines", Wire: "lines", Named: true, Stream: true, Type: link(0)}
	after   = &model.Value{Name: "after", Wire: "after", Named: true, Type: intType}
)

// methodKinds has one method of each kind. The name of a kind is that of a file in
// testdata.
var methodKinds = map[string]*model.Method{
	"nothing":      {Error: true},
	"unary":        {Context: true, Error: true, Params: []*model.Value{text}, Results: []*model.Value{count}},
	"results":      {Context: true, Error: true, Results: []*model.Value{count, {Name: "rest", Wire: "rest", Type: text.Type}}},
	"variadic":     {Error: true, Variadic: true, Params: []*model.Value{{Name: "n", Wire: "n", Named: true, Type: &model.Type{Kind: model.Slice, Elem: intType}}}},
	"notify":       {Context: true, Error: true, Notify: true, Params: []*model.Value{text}},
	"idempotent":   {Context: true, Error: true, Idempotent: true, Results: []*model.Value{count}},
	"unordered":    {Context: true, Error: true, Unordered: true},
	"receive":      {Context: true, Error: true, Results: []*model.Value{lines}},
	"receive_only": {Context: true, Results: []*model.Value{lines}},
	"send":         {Context: true, Error: true, Params: []*model.Value{lines}, Results: []*model.Value{count}},
	"both":         {Context: true, Error: true, Params: []*model.Value{text, lines}, Results: []*model.Value{count, lines}},
	"cursor":       {Context: true, Error: true, Idempotent: true, Params: []*model.Value{after}, Results: []*model.Value{lines}, Cursor: &model.Cursor{Param: "after", Field: "N"}},
	"comment":      {Error: true, Doc: "M does this.\n\n\tand that\n"},
}

// packageOf is a package with one service of one method.
func packageOf(m model.Method) *model.Package {
	p := graph([][]int{nil})
	m.Name, m.Wire, m.JSON = "M", "S.M", model.JSONNone
	p.Services[0].Methods = []*model.Method{&m}
	return p
}

// TestMethodKinds compares what is emitted for each kind of method: all of the
// output that stands below its imports.
func TestMethodKinds(t *testing.T) {
	for kind, m := range methodKinds {
		t.Run(kind, func(t *testing.T) {
			p := packageOf(*m)
			if problems := Check(p); len(problems) > 0 {
				t.Fatal(problems)
			}
			out, err := Generate(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, got, ok := strings.Cut(string(out), "\n)\n\n")
			if !ok {
				t.Fatalf("there are no imports in\n%s", out)
			}
			compareFile(t, filepath.Join("testdata", kind+".golden"), got)
		})
	}
}

func compareFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s\nIf that is as it should be run go test with -update.", got, want)
	}
}

// TestCheck is which names are refused, and which are taken otherwise.
func TestCheck(t *testing.T) {
	for name, want := range map[string]string{
		"SService": "a.go:1:1: SService is generated for S: rename this one, or the interface",
		"SClient":  "a.go:1:1: SClient is generated for S: rename this one, or the interface",
		"nil":      "a.go:1:1: generated code needs Go's own nil: rename this one",
		"string":   "a.go:1:1: generated code needs Go's own string: rename this one",
		"int64":    "",
		"context":  "",
		"rpc":      "",
		"sMParams": "",
	} {
		p := packageOf(*methodKinds["unary"])
		p.Declared[name] = model.Pos{File: "a.go", Line: 1, Col: 1}
		got := Check(p).Error()
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got != "" {
			continue
		}
		out, err := Generate(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if declares(t, out, name) {
			t.Errorf("%s is declared again in\n%s", name, out)
		}
	}
}

// TestCheckOfTests is which interfaces are refused in files of tests, where go test
// would run what is generated for them.
func TestCheckOfTests(t *testing.T) {
	for name, refused := range map[string]bool{"Test": true, "TestRoom": true, "Benchmark": true, "FuzzService": false, "Fuzz": true, "ExampleRoom": true,
		"Tester": false, "Examples": false, "test": false, "Room": false} {
		for _, tests := range []bool{true, false} {
			p := packageOf(*methodKinds["nothing"])
			p.Services[0].Name, p.Tests = name, tests
			want := ""
			if refused && tests {
				want = fmt.Sprintf("%s: the go command takes %[1]sService, which is generated for it, for a test: rename the interface", name)
			}
			if got := Check(p).Error(); got != want {
				t.Errorf("%s, in tests %t: got %q, want %q", name, tests, got, want)
			}
		}
	}
}

// declares reports whether a file declares a name at package level, or imports a
// package by it.
func declares(t *testing.T, file []byte, name string) (found bool) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "", file, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			found = found || d.Recv == nil && d.Name.Name == name
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					found = found || s.Name.Name == name
				case *ast.ValueSpec:
					for _, id := range s.Names {
						found = found || id.Name == name
					}
				case *ast.ImportSpec:
					path := strings.Trim(s.Path.Value, `"`)
					found = found || s.Name == nil && path[strings.LastIndex(path, "/")+1:] == name || s.Name != nil && s.Name.Name == name
				}
			}
		}
	}
	return found
}
