package openrpc

import (
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

var own = model.Import{Path: "example.com/s", Name: "s"}

func named(name string) *model.Type      { return &model.Type{Kind: model.Named, Pkg: own, Name: name} }
func pointer(t *model.Type) *model.Type  { return &model.Type{Kind: model.Pointer, Elem: t} }
func slice(t *model.Type) *model.Type    { return &model.Type{Kind: model.Slice, Elem: t} }
func basicType(k model.Kind) *model.Type { return &model.Type{Kind: k, Name: k.String()} }
func dict(k, v *model.Type) *model.Type  { return &model.Type{Kind: model.Map, Key: k, Elem: v} }
func structOf(fields ...*model.Field) *model.Type {
	return &model.Type{Kind: model.Struct, Fields: fields}
}

var (
	integral, text64 = basicType(model.Int64), basicType(model.String)
	octet            = basicType(model.Uint8)
)

// types is the named types of the tests.
var types = []*model.Def{
	{Type: named("Point"), Is: structOf(&model.Field{Name: "X", Wire: "x", Type: basicType(model.Float64)})},
	{Type: named("Names"), Is: slice(text64)},
	{Type: named("Alias"), Is: slice(text64), Alias: true},
	{Type: named("Short"), Is: text64, Alias: true},
	{Type: named("Text"), Is: &model.Type{Kind: model.Text}, Own: true},
	{Type: named("Marked"), Is: &model.Type{Kind: model.Text}, Own: true, Addressed: true},
	{Type: named("Loop"), Is: pointer(named("Loop"))},
	{Type: named("List"), Is: slice(named("List"))},
	{Type: named("Größe"), Is: integral},
}

// TestSchemas is what types are.
func TestSchemas(t *testing.T) {
	const ref = `{"$ref": "#/components/schemas/s.`
	for _, tt := range []struct {
		t    *model.Type
		want string
	}{
		{basicType(model.Bool), `{"type": "boolean"}`},
		{octet, `{"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255}`},
		{basicType(model.Uint64), `{"type": "integer", "format": "uint64", "minimum": 0}`},
		{basicType(model.Any), `{}`},
		{pointer(basicType(model.Any)), `{}`},
		{pointer(text64), `{"type": ["string", "null"]}`},
		{pointer(pointer(text64)), `{"type": ["string", "null"]}`},
		{pointer(slice(text64)), `{"type": ["array", "null"], "items": {"type": "string"}}`},
		{slice(octet), `{"type": ["string", "null"], "contentEncoding": "base64"}`},
		{&model.Type{Kind: model.Array, Len: 2, Elem: octet}, `{"type": "array", "items": {"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255}, "minItems": 2, "maxItems": 2}`},
		{dict(text64, integral), `{"type": ["object", "null"], "additionalProperties": {"type": "integer", "format": "int64"}}`},
		{dict(integral, text64), `{"type": ["object", "null"], "propertyNames": {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}, "additionalProperties": {"type": "string"}}`},
		{dict(text64, named("Marked")), `{"type": ["object", "null"], "additionalProperties": {}}`},
		{named("Point"), ref + `Point"}`},
		{pointer(named("Point")), `{"anyOf": [` + ref + `Point"}, {"type": "null"}]}`},
		{pointer(named("Names")), ref + `Names"}`},
		{named("Alias"), ref + `Alias"}`},
		{named("Short"), `{"type": "string"}`},
		{named("Größe"), ref + `Gr-u00f6-u00dfe"}`},
		{named("Unknown"), `{}`},
	} {
		if got := oneLineOf(t, testEmitter().schema(tt.t)); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.t, got, tt.want)
		}
	}
}

// TestComponents is what named types are, those that hold themselves too.
func TestComponents(t *testing.T) {
	for name, want := range map[string]string{
		"Point": `{"type": "object", "properties": {"x": {"type": "number", "format": "double"}}, "required": ["x"]}`,
		"Text":  `{"type": "string"}`,
		"Loop":  `{}`,
		"List":  `{"type": ["array", "null"], "items": {"$ref": "#/components/schemas/s.List"}}`,
	} {
		e := testEmitter()
		e.schema(named(name))
		if got := oneLineOf(t, e.schemas.get("s."+name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestFields is what the options of a tag make of a field.
func TestFields(t *testing.T) {
	for _, tt := range []struct {
		f    model.Field
		want string
	}{
		{model.Field{Type: integral, InString: true}, `{"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}`},
		{model.Field{Type: pointer(integral), InString: true}, `{"type": ["string", "null"], "format": "int64", "pattern": "^-?[0-9]+$"}`},
		{model.Field{Type: pointer(integral), InString: true, Omit: true}, `{"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}`},
		{model.Field{Type: slice(integral), InString: true}, `{"type": ["array", "null"], "items": {"type": "integer", "format": "int64"}}`},
		{model.Field{Type: pointer(text64), Omit: true}, `{"type": "string"}`},
		{model.Field{Type: named("Point"), Doc: "Where.\n"}, `{"allOf": [{"$ref": "#/components/schemas/s.Point"}], "description": "Where."}`},
		{model.Field{Type: text64, Doc: "Old.\n\nDeprecated: Use B.\n"}, `{"type": "string", "description": "Old.\n\nDeprecated: Use B.", "deprecated": true}`},
	} {
		tt.f.Wire = "f"
		e := testEmitter()
		m := &model.Member{Field: &tt.f, Path: []*model.Field{&tt.f}}
		if got := oneLineOf(t, described(e.field(m), m.Doc)); got != tt.want {
			t.Errorf("%v is %s, want %s", &tt.f, got, tt.want)
		}
	}
}

// TestNames gives types of packages of one name names of their own, the same each time.
func TestNames(t *testing.T) {
	e := testEmitter()
	other := named("Point")
	other.Pkg.Path = "example.com/other/s"
	page := named("Page")
	page.Args = []*model.Type{other}
	for _, tt := range []struct {
		t    *model.Type
		want string
	}{{named("Point"), "s.Point"}, {other, "s.Point-2"}, {named("Point"), "s.Point"}, {other, "s.Point-2"}, {page, "s.PageOfPoint"}} {
		if got, _ := e.name(tt.t); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func testEmitter() *emitter {
	e := newEmitter()
	e.Index = model.NewIndex(&model.Package{Path: own.Path, Name: own.Name, Types: types})
	return e
}

func oneLineOf(t *testing.T, v any) string {
	t.Helper()
	text, err := oneLine(v, " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
