package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/emit/golang"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/internal/model"
	"github.com/wirecall/wirecall/internal/racing"
)

// sink is a package whose output has all that output can have. Its identifiers in
// capitals are replaced.
const sink = `package sink

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	other "example.com/names/OTHER"
)

type ITEM struct {
	FIELD  int64  ~json:"field,omitempty"~
	Text   string ~json:",omitzero"~
	Quoted float64 ~json:",string"~
	At     time.Time
	Raw    json.RawMessage
	Number json.Number ~json:",omitempty"~
	List   [][]Inner
	Map    map[string]*Inner
	Array  [2][]byte
	Any    any
	Inside struct{ X int }
	Other  []other.T
	EMBEDDED
}

type EMBEDDED struct{ Below bool }

type Inner struct{ Items [][]Word }

type Word string

type Box[T any] struct {
	Value T
	All   []T
}

type FAILED struct{ Why string }

func (*FAILED) Error() string { return "" }

//wirecall:service name=Sink
//wirecall:error FAILED 7
type SERVICE interface {
	METHOD(ctx context.Context, PARAM ITEM, more ...*ITEM) (RESULT ITEM, count int, err error)
	Box(PARAM other.T) (Box[ITEM], error)
	Lists(PARAM []ITEM) (RESULT [][]ITEM, err error)
	Watch(ctx context.Context, PARAM ITEM) (RESULT iter.Seq2[ITEM, error], most iter.Seq2[other.T, error], err error)
	//wirecall:cursor PARAM=FIELD
	Follow(ctx context.Context, PARAM int64) (iter.Seq2[*ITEM, error], error)
	//wirecall:notify
	Say(PARAM map[string]ITEM) error
	Send(ctx context.Context, PARAM iter.Seq2[ITEM, error]) error
	Quit() error
}
`

// roles are the places in the sink that a name can take, and what they are
// otherwise.
var roles = map[string]string{"ITEM": "Item", "FIELD": "Field", "EMBEDDED": "Embedded", "FAILED": "Failed", "OTHER": "other", "SERVICE": "Service",
	"METHOD": "Method", "PARAM": "param", "RESULT": "result", "": ""}

// sinkWith is the sink with a name in one role. The role "" is a function that
// has nothing to do with the service.
func sinkWith(role, name string) string {
	text := strings.ReplaceAll(sink, "~", "`")
	for r, usual := range roles {
		switch {
		case r == "":
		case r == role:
			text = strings.ReplaceAll(text, r, name)
		default:
			text = strings.ReplaceAll(text, r, usual)
		}
	}
	if role == "" && name != "" {
		text += "\nfunc " + name + "() {}\n"
	}
	return text
}

// possible reports whether a name can take a role at all: in the sink, where
// some names are taken, and in Go.
func possible(role, name string) bool {
	switch role {
	case "FIELD", "METHOD":
		if !token.IsExported(name) {
			return false
		}
	case "PARAM", "RESULT":
		return !slices.Contains([]string{"ctx", "more", "count", "err", "most", "param", "result"}, strings.ToLower(name))
	}
	taken := []string{"init", "Field", "Item", "Embedded", "Failed", "Inner", "Word", "Box", "Service", "Method", "Lists", "Watch", "Follow", "Say", "Send", "Quit",
		"Text", "Quoted", "At", "Raw", "Number", "List", "Map", "Array", "Any", "Inside", "Other"}
	used := []string{"any", "bool", "byte", "error", "float64", "int", "int64", "string"} // by the sink
	imports := []string{"context", "json", "iter", "time", "other"}
	switch role {
	case "OTHER", "FIELD", "METHOD":
		return !slices.Contains(taken, name)
	}
	return !slices.Contains(slices.Concat(taken, used, imports), name)
}

// TestEveryNameCanBeTaken gives every identifier that generated code mentions to
// the user's own types, fields, packages, services, methods, parameters, results
// and functions. The output must compile, or the name must be refused with a
// reason.
func TestEveryNameCanBeTaken(t *testing.T) {
	dir := newModule(t, "example.com/names")
	writeFile(t, filepath.Join(dir, "other/other.go"), "package other\n\ntype T struct{ N int }\n")
	writeFile(t, filepath.Join(dir, "sink/sink.go"), sinkWith("", ""))
	if code, _, stderr := wirecall(t, dir, "gen", "./sink"); code != 0 {
		t.Fatal(stderr)
	}
	names := identifiers(t, filepath.Join(dir, "sink/wirecall_gen.go"))
	names = append(names, "ünïcode", "世界", "_", "__", "_x", "false", "cap", "iota", "wirecall", "main", "jsongen_", "v_")
	checker := newChecker(t, dir, "example.com/names", "./sink")
	step := 1
	if testing.Short() || racing.Detector {
		step = 20
	}
	for role := range roles {
		for i, name := range names {
			if i%step != 0 {
				continue
			}
			if name == "_" && role != "PARAM" && role != "RESULT" || !possible(role, name) {
				continue
			}
			pkg := fmt.Sprintf("%s%d", strings.ToLower(role), i)
			if role == "OTHER" {
				writeFile(t, filepath.Join(dir, pkg, "other/other.go"), "package "+name+"\n\ntype T struct{ N int }\n")
				name = pkg + "/other"
			}
			text := sinkWith(role, name)
			if name == "_" {
				text = strings.ReplaceAll(text, "//wirecall:cursor _=Field", "")
			}
			writeFile(t, filepath.Join(dir, pkg, "sink.go"), text)
		}
	}
	for _, file := range generateAll(t, dir) {
		rel, err := filepath.Rel(dir, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		checker.check(filepath.ToSlash(rel))
	}
}

// generateAll writes the outputs of all packages but those that are refused, as
// they may be for a name that generated code needs, and returns their files.
func generateAll(t *testing.T, dir string) (files []string) {
	t.Helper()
	outs, err := load.Load(t.Context(), load.Config{Dir: dir, Patterns: []string{"./..."}})
	problems, ok := errors.AsType[model.Problems](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	for _, o := range outs {
		problems = append(problems, golang.Check(o.Package)...)
	}
	if len(problems) == 0 {
		t.Error("no name is refused")
	}
	refused := map[string]bool{}
	for _, p := range problems {
		if !strings.Contains(p.Text, "generated code needs Go's own ") && !strings.Contains(p.Text, " is generated for ") {
			t.Errorf("refused: %v", p)
		}
		refused[filepath.Join(dir, filepath.Dir(p.Pos.File))] = true
	}
	for _, o := range outs {
		if refused[filepath.Dir(o.File)] {
			continue
		}
		text, err := generate(o.Package)
		if err != nil {
			t.Errorf("%s: %v", o.File, err)
		}
		writeFile(t, o.File, string(text))
		files = append(files, o.File)
	}
	return files
}

// identifiers returns the identifiers of a file.
func identifiers(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names[id.Name] = true
		}
		return true
	})
	return slices.Sorted(maps.Keys(names))
}
