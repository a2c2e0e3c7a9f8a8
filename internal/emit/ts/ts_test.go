package ts

import (
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

// Types that the tests are made of.
var (
	intType   = &model.Type{Kind: model.Int, Name: "int"}
	int64Type = &model.Type{Kind: model.Int64, Name: "int64"}
	text      = &model.Type{Kind: model.String, Name: "string"}
	float     = &model.Type{Kind: model.Float64, Name: "float64"}
	boolean   = &model.Type{Kind: model.Bool, Name: "bool"}
	octet     = &model.Type{Kind: model.Uint8, Name: "byte"}
	anything  = &model.Type{Kind: model.Any}

	own = model.Import{Path: "example.com/s", Name: "s"}
)

func pointer(t *model.Type) *model.Type { return &model.Type{Kind: model.Pointer, Elem: t} }
func slice(t *model.Type) *model.Type   { return &model.Type{Kind: model.Slice, Elem: t} }
func named(name string) *model.Type     { return &model.Type{Kind: model.Named, Pkg: own, Name: name} }
func array(n int64, t *model.Type) *model.Type {
	return &model.Type{Kind: model.Array, Len: n, Elem: t}
}
func dict(k, v *model.Type) *model.Type { return &model.Type{Kind: model.Map, Key: k, Elem: v} }
func structOf(fields ...*model.Field) *model.Type {
	return &model.Type{Kind: model.Struct, Fields: fields}
}

// defs is the named types of the tests.
func defs() []*model.Def {
	return []*model.Def{
		{Type: named("Point"), Is: structOf(&model.Field{Name: "X", Wire: "x", Type: float})},
		{Type: named("Blob"), Is: slice(octet)},
		{Type: named("Names"), Is: slice(text)},
		{Type: named("Alias"), Is: slice(text), Alias: true},
		{Type: named("Kind"), Is: text, Consts: []*model.Const{{Name: "KindA", Value: "a"}}},
		{Type: named("Text"), Is: &model.Type{Kind: model.Text}, Own: true},
		{Type: named("Custom"), Is: &model.Type{Kind: model.Custom}, Own: true},
		{Type: named("Reads"), Is: structOf(), Own: true},
		{Type: named("Marked"), Is: &model.Type{Kind: model.Text}, Own: true, Addressed: true},
		{Type: named("Loop"), Is: pointer(named("Loop"))},
		{Type: named("List"), Is: slice(named("List"))},
		{Type: named("Numbers"), Is: slice(named("Numbers2"))},
		{Type: named("Numbers2"), Is: slice(intType)},
	}
}

func packageOf(methods ...*model.Method) *model.Package {
	return &model.Package{Path: own.Path, Name: own.Name, Types: defs(), Services: []*model.Service{{Name: "S", Wire: "S", Methods: methods}}}
}

// TestTypes is what types are in TypeScript, and what converts them.
func TestTypes(t *testing.T) {
	for _, tt := range []struct {
		t             *model.Type
		want, convert string
	}{
		{boolean, "boolean", ""},
		{text, "string", ""},
		{octet, "number", ""},
		{&model.Type{Kind: model.Int32}, "number", ""},
		{intType, "number", "json.int"},
		{&model.Type{Kind: model.Uint64}, "number", "json.int"},
		{float, "number", "json.float"},
		{anything, "unknown", "json.any"},
		{pointer(intType), "number | null", "json.int"},
		{pointer(pointer(text)), "string | null", ""},
		{pointer(slice(text)), "string[] | null", ""},
		{pointer(anything), "unknown", "json.any"},
		{slice(text), "string[] | null", ""},
		{slice(pointer(text)), "(string | null)[] | null", ""},
		{slice(slice(octet)), "(Uint8Array | null)[] | null", "/*#__PURE__*/ json.list(json.bytes)"},
		{slice(octet), "Uint8Array | null", "json.bytes"},
		{array(2, octet), "[number, number]", ""},
		{array(9, text), "string[]", ""},
		{array(0, text), "[]", ""},
		{dict(text, intType), "{ [key: string]: number } | null", "/*#__PURE__*/ json.dict(json.int)"},
		{dict(intType, slice(text)), "{ [key: string]: string[] | null } | null", ""},
		{dict(named("Kind"), text), "{ [key in Kind]?: string } | null", ""},
		{dict(text, named("Marked")), "{ [key: string]: unknown } | null", "/*#__PURE__*/ json.dict(json.any)"},
		{dict(text, pointer(named("Marked"))), "{ [key: string]: Marked | null } | null", ""},
		{named("Point"), "Point", "convertPoint"},
		{named("Blob"), "Blob | null", "json.bytes"},
		{named("Names"), "Names | null", ""},
		{named("Alias"), "string[] | null", ""},
		{pointer(named("Names")), "Names | null", ""},
		{named("Kind"), "Kind", ""},
		{named("Text"), "Text", ""},
		{named("Custom"), "Custom", "json.any"},
		{named("Reads"), "Reads", "json.any"},
		{named("Loop"), "Loop | null", ""},
		{named("List"), "List | null", ""},
		{named("Numbers"), "Numbers | null", "convertNumbers"},
		{structOf(&model.Field{Name: "A", Wire: "a-b", Type: intType}), `{ "a-b": number }`, `/*#__PURE__*/ json.object(() => ({ "a-b": json.int }))`},
		{&model.Type{Kind: model.Named, Pkg: model.Import{Path: "math/big", Name: "big"}, Name: "Int"}, "bigint", ""},
	} {
		e := newEmitter(packageOf(), Options{})
		if got := e.typ(tt.t); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.t, got, tt.want)
		}
		if got := e.convert(tt.t, false); got != tt.convert {
			t.Errorf("%v is converted by %q, want %q", tt.t, got, tt.convert)
		}
	}
}

// TestFields is what the options of a tag make of a field.
func TestFields(t *testing.T) {
	for _, tt := range []struct {
		f             model.Field
		want, convert string
	}{
		{model.Field{Type: slice(text)}, "f: string[] | null", ""},
		{model.Field{Type: slice(text), Omit: true, Empty: true}, "f?: string[]", ""},
		{model.Field{Type: pointer(text), Omit: true, Zero: true}, "f?: string", ""},
		{model.Field{Type: pointer(slice(text)), Omit: true}, "f?: string[] | null", ""},
		{model.Field{Type: intType, Omit: true}, "f?: number", "json.int"},
		{model.Field{Type: anything, Omit: true}, "f?: unknown", "json.any"},
		{model.Field{Type: int64Type, InString: true}, "f: bigint", "json.text"},
		{model.Field{Type: pointer(int64Type), InString: true}, "f: bigint | null", "json.text"},
		{model.Field{Type: pointer(int64Type), InString: true, Omit: true}, "f?: bigint", "json.text"},
		{model.Field{Type: boolean, InString: true}, "f: boolean", "json.quoted()"},
		{model.Field{Type: float, InString: true}, "f: number", "json.quoted(json.float)"},
		{model.Field{Type: slice(intType), InString: true}, "f: number[] | null", "json.list(json.int)"},
		{model.Field{Type: named("Text"), InString: true}, "f: Text", ""},
	} {
		e := newEmitter(packageOf(), Options{})
		tt.f.Name, tt.f.Wire = "F", "f"
		m := &model.Member{Field: &tt.f, Path: []*model.Field{&tt.f}}
		if got := e.memberType(m); got != tt.want {
			t.Errorf("%v is %s, want %s", &tt.f, got, tt.want)
		}
		if got := e.fieldConverter(m); got != tt.convert {
			t.Errorf("%v is converted by %q, want %q", &tt.f, got, tt.convert)
		}
	}
}

// TestBigInt is what differs where integers of 64 bits are bigints.
func TestBigInt(t *testing.T) {
	e := newEmitter(packageOf(), Options{BigInt: true})
	m := &model.Method{Name: "M", Results: []*model.Value{{Name: "r0", Wire: "r0", Type: slice(int64Type)}}}
	if got, want := e.signature(m), "(options?: wirecall.CallOptions): Promise<bigint[] | null>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := e.convert(int64Type, false); got != "json.big" || !e.exact(m) {
		t.Errorf("got %s, exact %t", got, e.exact(m))
	}
	if got := e.typ(&model.Type{Kind: model.Int32}); got != "number" {
		t.Errorf("32 bits are %s", got)
	}
}

// TestNames is which names are changed, and to what.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{"Post": "post", "HTTPGet": "httpGet", "ID": "id", "Then": "then_", "Constructor": "constructor_", "Delete": "delete", "Émettre": "émettre"} {
		if got := methodName(name); got != want {
			t.Errorf("the method %s is %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"a": "a", "a-b": `"a-b"`, "0": `"0"`, "é": "é", "<&>": `"<&>"`, "__proto__": `["__proto__"]`, "\u2028": "\"\\u2028\""} {
		if got := key(name); got != want {
			t.Errorf("the member %q is %s, want %s", name, got, want)
		}
	}
}

// TestCollisions gives every declaration a name of its own.
func TestCollisions(t *testing.T) {
	p := packageOf(&model.Method{Name: "Get"}, &model.Method{Name: "GET", Params: []*model.Value{
		{Name: "options", Wire: "options", Type: named("Promise")}, {Name: "this", Wire: "this", Type: &model.Type{Kind: model.Named, Pkg: model.Import{Path: "other/s", Name: "s"}, Name: "S"}}}})
	p.Types = append(p.Types, &model.Def{Type: named("Promise"), Is: structOf()},
		&model.Def{Type: &model.Type{Kind: model.Named, Pkg: model.Import{Path: "other/s", Name: "s"}, Name: "S"}, Is: structOf()})
	out, _, err := Generate(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  get(", "  get_(options_: SPromise, this_: SS, options?:", "export interface SPromise {", "export interface SS {"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}

// TestNotes says each loss once, with the place.
func TestNotes(t *testing.T) {
	m := &model.Method{Name: "M", Pos: model.Pos{File: "a.go", Line: 1, Col: 2}, Params: []*model.Value{
		{Name: "a", Wire: "a", Type: named("Custom")}, {Name: "b", Wire: "b", Type: slice(named("Custom"))}, {Name: "c", Wire: "c", Type: dict(text, named("Marked"))}, {Name: "d", Wire: "d", Type: named("Point")}}}
	_, notes, err := Generate(packageOf(m), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a.go:1:2: S.M: a: s.Custom makes its JSON by methods of its own: it is unknown in TypeScript (and so for 1 more)",
		"a.go:1:2: S.M: c: encoding/json does not call the methods of a pointer for s.Marked in a map: it is unknown in TypeScript",
	}
	if got := strings.Split(notes.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestComments is what comments are as TSDoc.
func TestComments(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"One line.\n":            "/** One line. */\n",
		"A /* b */ c.":           "/** A /* b *\\/ c. */\n",
		"A\n\n\tb\n\n\tc\nd\n":   "/**\n * A\n *\n * ```\n * b\n *\n * c\n * ```\n * d\n */\n",
		"Deprecated: Use B.\n":   "/** @deprecated Use B. */\n",
		"A\n\nDeprecated: Use B": "/**\n * A\n *\n * @deprecated Use B\n */\n",
	} {
		if got := doc("", text); got != want {
			t.Errorf("%q is\n%s\nwant\n%s", text, got, want)
		}
	}
}
