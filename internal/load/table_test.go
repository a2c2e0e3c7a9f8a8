package load

import (
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/wirecall/wirecall/internal/model"
)

// The tests in this file run no go command: what they load imports packages of the
// standard library that are cut down to what is needed of them.

var standard = map[string]string{
	"context":       "package context\n\ntype Context interface{ Err() error }\n",
	"encoding/json": "package json\n\ntype RawMessage []byte\n\ntype Number string\n",
	"io":            "package io\n\ntype Reader interface{ Read(p []byte) (n int, err error) }\n",
	"iter":          "package iter\n\ntype Seq[V any] func(yield func(V) bool)\n\ntype Seq2[K, V any] func(yield func(K, V) bool)\n",
	"time":          "package time\n\ntype Time struct{ wall uint64 }\n\nfunc (Time) MarshalJSON() ([]byte, error) { return nil, nil }\n\nfunc (*Time) UnmarshalJSON([]byte) error { return nil }\n\ntype Duration int64\n",
}

const standardImports = `package p

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"time"
)

var (
	_ context.Context
	_ json.Number
	_ io.Reader
	_ iter.Seq[int]
	_ time.Time
)

`

// tableOf loads sources, each as the file p.go of a package of its own.
func tableOf(t *testing.T, sources []string) (models []*model.Package, problems [][]string) {
	t.Helper()
	dir := t.TempDir()
	imports := map[string]*packages.Package{}
	for path, text := range standard {
		imports[path] = listed(t, filepath.Join(dir, "std", path), path, text)
	}
	l := newLoader(dir)
	var pkgs []*packages.Package
	for i, source := range sources {
		p := listed(t, filepath.Join(dir, strconv.Itoa(i)), fmt.Sprintf("example.com/p/%d", i), standardImports+source)
		p.Imports, p.Module = imports, &packages.Module{Main: true}
		pkgs = append(pkgs, p)
	}
	packages.Visit(pkgs, nil, l.origin)
	outs, found := l.outputs(pkgs)
	models, problems = make([]*model.Package, len(sources)), make([][]string, len(sources))
	number := func(file string) int {
		i, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatalf("a file of no source: %s", file)
		}
		return i
	}
	for _, o := range outs {
		models[number(o.File)] = o.Package
	}
	for _, p := range found.Sorted() {
		i := number(p.Pos.File)
		problems[i] = append(problems[i], p.Text)
	}
	return models, problems
}

// listed writes a package of one file, and is what the go command lists for it.
func listed(t *testing.T, dir, path, text string) *packages.Package {
	t.Helper()
	file := filepath.Join(dir, "p.go")
	write(t, file, text)
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return &packages.Package{ID: path, PkgPath: path, Name: f.Name.Name, Dir: dir, GoFiles: []string{file}}
}

// TestMethods is what is read from single methods, or why they are refused.
func TestMethods(t *testing.T) {
	cases := []struct{ name, method, want string }{
		{"nothing but an error", "M() error", "S.M(), no context"},
		{"parameters and a result", "M(ctx context.Context, a int, b []string) (map[string]bool, error)", "S.M(a int, b []string) -> r0 map[string]bool"},
		{"names of results", "M() (sum int, rest []byte, err error)", "S.M() -> sum int, rest []byte, no context"},
		{"no names", "M(int, string) (int, error)", "S.M(arg0 int, arg1 string) -> r0 int, no context"},
		{"blank names", "M(_ int, arg0 int) error", "S.M(arg_0 int, arg0 int), no context"},
		{"a variadic parameter", "M(a ...int) error", "S.M(a []int), no context, variadic"},
		{"a stream as the result", "M() (iter.Seq2[int, error], error)", "S.M() -> r0 stream of int, no context"},
		{"a stream without an error", "M() iter.Seq2[int, error]", "S.M() -> r0 stream of int, no context, no error"},
		{"a stream as a parameter", "M(in iter.Seq2[time.Time, error]) error", "S.M(in stream of time.Time), no context"},
		{"another name", "//wirecall:name get.m\n\tM() error", "get.m(), no context"},
		{"a notification", "//wirecall:notify\n\tM(n int) error", "S.M(n int), no context, notify"},
		{"idempotent", "//wirecall:idempotent\n\tM() error", "S.M(), no context, idempotent"},
		{"unordered", "//wirecall:unordered\n\tM() error", "S.M(), no context, unordered"},
		{"names of Go's own", "M(int string, nil bool) (len int, error error)", "S.M(int string, nil bool) -> len int, no context"},

		{"no error", "M() int", "refused: S.M: a call can fail: add an error as the last result (only a method whose results are all streams may do without, for they can yield it)"},
		{"an error that is not the last", "M() (error, int, error)", "refused: S.M: an error is no ordinary result: it must be the last, and the only one"},
		{"a context that is not the first", "M(a int, ctx context.Context) error", "refused: S.M: a context.Context is no ordinary parameter: it must be the first, and the only one"},
		{"names that differ in case", "M(a, A int) error", "refused: S.M: the parameters a and A differ in case at most, which peers that fold case confuse: rename one"},
		{"an answer to a notification", "//wirecall:notify\n\tM() (int, error)", "refused: S.M: nobody answers a notification: its only result is error, which says whether it could be sent"},
		{"a stream in a notification", "//wirecall:notify\n\tM(in iter.Seq2[int, error]) error", "refused: S.M: a notification carries no streams, for nobody could stop them: leave out //wirecall:notify"},
		{"a repeated stream", "//wirecall:idempotent\n\tM(in iter.Seq2[int, error]) error", "refused: S.M: a method that is sent a stream cannot be repeated, for the stream is spent: leave out //wirecall:idempotent"},
		{"a method for its own package", "m() error", "refused: S.m: an unexported method cannot be called from elsewhere: export it, or take it out of the interface"},
		{"a directive twice", "//wirecall:notify\n\t//wirecall:notify\n\tM() error", "refused: //wirecall:notify stands here twice"},
		{"a directive of interfaces", "//wirecall:service\n\tM() error", "refused: //wirecall:service is out of place: it belongs in the comment right above an interface"},
		{"a reserved name", "//wirecall:name rpc.m\n\tM() error", `refused: the name "rpc.m" is JSON-RPC's own: names beginning with rpc. are reserved`},
	}
	var sources []string
	for _, c := range cases {
		sources = append(sources, "//wirecall:service\ntype S interface {\n\t"+c.method+"\n}\n")
	}
	models, problems := tableOf(t, sources)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := "refused: " + strings.Join(problems[i], "; ")
			if len(problems[i]) == 0 {
				got = models[i].Services[0].Methods[0].String()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestTypes is what types are on the wire, or why they are refused.
func TestTypes(t *testing.T) {
	cases := []struct{ name, decl, want string }{
		{"tags", "type T struct {\n\tA int `json:\"a\"`\n\tB int `json:\"b,omitempty\"`\n\tC int `json:\",omitzero\"`\n\tD int `json:\",string\"`\n\tE int `json:\"-\"`\n\tF int `json:\"-,\"`\n\tG int `json:\"g'\"`\n\tH int `xml:\"x\"`\n}",
			"struct{a int; b? int; C? int; D \"int\"; - int; G int; H int}"},
		{"unexported fields", "type T struct{ A int; b func() }", "struct{A int}"},
		{"embedded structs", "type e struct{ A int }\ntype T struct{ e; E `json:\"x\"` }\ntype E struct{ B int }", "struct{...p.e; x p.E}"},
		{"embedded names of others", "type n int\ntype N int\ntype T struct{ n; N }", "struct{N p.N}"},
		{"of the standard library", "type T struct{ A time.Time; B json.RawMessage; C json.Number; D time.Duration }", "struct{A time.Time; B json.RawMessage; C json.Number; D time.Duration}"},
		{"text", "type T func()\n\nfunc (T) MarshalText() ([]byte, error) { return nil, nil }\n\nfunc (*T) UnmarshalText([]byte) error { return nil }", "text"},
		{"JSON of its own", "type T chan int\n\nfunc (T) MarshalJSON() ([]byte, error) { return nil, nil }\n\nfunc (*T) UnmarshalJSON([]byte) error { return nil }", "custom"},
		{"maps", "type K int\ntype T map[K][]*string", "map[p.K][]*string"},
		{"any", "type T any", "any"},
		{"an array", "type T [2*2]byte", "[4]byte"},
		{"itself", "type T struct{ T *T }", "struct{T *p.T}"},

		{"a function", "type T struct{ F func() }", "refused: S.M: parameter t: field T.F: func() cannot cross the wire; to be called back, declare a service that the caller serves, or leave the field out with the tag `json:\"-\"`"},
		{"a channel", "type T struct{ F chan int }", "refused: S.M: parameter t: field T.F: chan int cannot cross the wire; use []int, or make it a parameter or result of its own, iter.Seq2[int, error], or leave the field out with the tag `json:\"-\"`"},
		{"a reader", "type T struct{ F io.Reader `json:\"f\"` }", "refused: S.M: parameter t: field T.F: io.Reader cannot cross the wire; use []byte, or make it a parameter or result of its own, iter.Seq2[[]byte, error], or leave the field out with the tag `json:\"-\"`"},
		{"an error", "type T struct{ F error }", "refused: S.M: parameter t: field T.F: error cannot cross the wire; use string, for its text, or leave the field out with the tag `json:\"-\"`"},
		{"a complex number", "type T []complex64", "refused: S.M: parameter t: complex64 cannot cross the wire; use [2]float32"},
		{"keys that are no text", "type T map[bool]int", "refused: S.M: parameter t: a map with keys of type bool cannot cross the wire, for JSON's keys are text; use a string or integer type, or one with MarshalText and UnmarshalText"},
		{"a pointer that cannot be filled", "type e struct{ A int }\ntype T struct{ *e }", "refused: S.M: parameter t: field T.e: encoding/json cannot fill a pointer to an unexported struct; embed it by value, or give the field a name, or leave the field out with the tag `json:\"-\"`"},
		{"an interface with methods", "type I interface{ F() }\ntype T struct{ F I }", "refused: S.M: parameter t: field T.F: I cannot cross the wire; use any, or a struct, or leave the field out with the tag `json:\"-\"`"},
	}
	var sources []string
	for _, c := range cases {
		sources = append(sources, c.decl+"\n\n//wirecall:service\ntype S interface{ M(t T) error }\n")
	}
	models, problems := tableOf(t, sources)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := "refused: " + strings.Join(problems[i], "; ")
			if len(problems[i]) == 0 {
				got = models[i].Types[0].Is.String()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestServices is what is read from declarations of interfaces, or why they are
// refused.
func TestServices(t *testing.T) {
	cases := []struct{ name, decl, want string }{
		{"its own name", "//wirecall:service\ntype Room interface{ M() error }", "Room = Room"},
		{"without Service", "//wirecall:service\ntype RoomService interface{ M() error }", "RoomService = Room"},
		{"another name", "//wirecall:service name=Chat.v1\ntype Room interface{ M() error }", "Room = Chat.v1"},
		{"in a group", "type (\n\t//wirecall:service\n\tRoom interface{ M() error }\n)", "Room = Room"},
		{"unmarked", "type Room interface{ M() error }", ""},
		{"no methods", "//wirecall:service\ntype Room interface{}", "refused: Room: a service needs at least one method"},
		{"a constraint", "//wirecall:service\ntype Room interface{ ~int; M() error }", "refused: Room: an interface that lists types is a constraint, and cannot be a service"},
		{"a struct", "//wirecall:service\ntype Room struct{}", "refused: //wirecall:service belongs above an interface; Room is not one"},
		{"a function", "//wirecall:service\nfunc Room() {}", "refused: //wirecall:service is out of place: it belongs in the comment right above an interface"},
		{"a space too many", "// wirecall:service\ntype Room interface{ M() error }", "refused: a directive has no spaces around its name: write //wirecall:service"},
		{"one name for two", "//wirecall:service\ntype Room interface{ M() error }\n\n//wirecall:service\ntype RoomService interface{ M() error }",
			"refused: RoomService: its name on the wire, Room, is that of Room too: give one of them another with //wirecall:service name=NAME"},
		{"names that differ in case", "//wirecall:service\ntype Room interface{ Get() error; GET() error }",
			"refused: Room.GET: the names Room.Get and Room.GET on the wire differ in case at most: rename one, or give it a name with //wirecall:name"},
	}
	var sources []string
	for _, c := range cases {
		sources = append(sources, c.decl+"\n")
	}
	models, problems := tableOf(t, sources)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := "refused: " + strings.Join(problems[i], "; ")
			switch {
			case len(problems[i]) == 0 && models[i] == nil:
				got = ""
			case len(problems[i]) == 0:
				got = models[i].Services[0].Name + " = " + models[i].Services[0].Wire
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
