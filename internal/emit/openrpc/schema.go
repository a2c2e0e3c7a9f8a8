package openrpc

import (
	"encoding/json"
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// schema is that of a type, as encoding/json writes it: null included where it writes that.
func (e *emitter) schema(t *model.Type) object {
	switch t.Kind {
	case model.Pointer:
		if e.Endless(t) {
			return object{}
		}
		return e.nullable(t.Elem)
	case model.Slice:
		if e.varies(t.Elem) {
			return object{} // it may be bytes
		}
		if e.IsBytes(t) {
			return object{{"type", []string{"string", "null"}}, {"contentEncoding", "base64"}}
		}
		return object{{"type", []string{"array", "null"}}, {"items", e.schema(t.Elem)}}
	case model.Array:
		out := object{{"type", "array"}, {"items", e.schema(t.Elem)}}
		if !t.Varies {
			out = append(out, member{"minItems", t.Len}, member{"maxItems", t.Len})
		}
		return out
	case model.Map:
		return e.dictionary(t)
	case model.Struct:
		return e.structure(t)
	case model.Named:
		return e.named(t)
	}
	return basic(t.Kind)
}

// basic is the schema of a type that is not made of others.
func basic(k model.Kind) object {
	switch {
	case k == model.Bool:
		return object{{"type", "boolean"}}
	case k == model.String, k == model.Text:
		return object{{"type", "string"}}
	case k == model.Time:
		return object{{"type", "string"}, {"format", "date-time"}}
	case k == model.Float32:
		return object{{"type", "number"}, {"format", "float"}}
	case k == model.Float64:
		return object{{"type", "number"}, {"format", "double"}}
	case k.IsInteger():
		return integer(k)
	}
	return object{}
}

// An integerRange is what integers of a kind are. Bounds beyond 2^53 are left out: many
// validators have numbers as floats.
type integerRange struct {
	format   string
	min, max json.Number
}

var integers = map[model.Kind]integerRange{
	model.Int: {"int64", "", ""}, model.Int64: {"int64", "", ""},
	model.Int8: {"int8", "-128", "127"}, model.Int16: {"int16", "-32768", "32767"}, model.Int32: {"int32", "-2147483648", "2147483647"},
	model.Uint: {"uint64", "0", ""}, model.Uint64: {"uint64", "0", ""}, model.Uintptr: {"uint64", "0", ""},
	model.Uint8: {"uint8", "0", "255"}, model.Uint16: {"uint16", "0", "65535"}, model.Uint32: {"uint32", "0", "4294967295"},
}

func integer(k model.Kind) object {
	r := integers[k]
	out := object{{"type", "integer"}, {"format", r.format}}
	if r.min != "" {
		out.set("minimum", r.min)
	}
	if r.max != "" {
		out.set("maximum", r.max)
	}
	return out
}

// nullable is the schema of what a pointer to t is.
func (e *emitter) nullable(t *model.Type) object {
	s := e.schema(t)
	if len(s) == 0 || t.Kind == model.Named && e.Nilable(t) {
		return s
	}
	return orNull(s)
}

// orNull is a schema that null fits as well.
func orNull(s object) object {
	i := slices.IndexFunc(s, func(m member) bool { return m.name == "type" })
	if i < 0 {
		return object{{"anyOf", []object{s, {{"type", "null"}}}}}
	}
	if one, ok := s[i].value.(string); ok {
		s = slices.Clone(s)
		s[i].value = []string{one, "null"}
	}
	return s
}

// dictionary is the schema of a map, whose keys are text.
func (e *emitter) dictionary(t *model.Type) object {
	out := object{{"type", []string{"object", "null"}}}
	if k := e.Resolve(t.Key); k != nil && k.Kind.IsInteger() && !e.varies(t.Key) {
		if d := e.Def(t.Key); d == nil || !d.Own {
			out.set("propertyNames", quoted(k.Kind))
		}
	}
	elem := object{}
	if !e.Unaddressed(t.Elem) {
		elem = e.schema(t.Elem)
	}
	return out.with("additionalProperties", elem)
}

// digits is what an integer looks like in quotes.
const digits = "^-?[0-9]+$"

// structure is the schema of a struct. Members that it does not name are ignored, so that
// no schema forbids them.
func (e *emitter) structure(t *model.Type) object {
	if e.embedsVarying(t, map[*model.Type]bool{}) {
		return object{{"type", "object"}}
	}
	properties, required := object{}, []string{}
	for _, m := range e.Members(t) {
		properties.set(m.Wire, described(e.field(m), m.Doc))
		if !m.Optional() {
			required = append(required, m.Wire)
		}
	}
	out := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		out.set("required", required)
	}
	return out
}

// varies reports whether a type, or what it points to, may be another in other builds of
// the package. Its schema says nothing, so that the document is the same in all.
func (e *emitter) varies(t *model.Type) bool {
	for t.Kind == model.Pointer {
		t = t.Elem
	}
	for t.Kind == model.Named {
		d := e.Written(t)
		if d == nil || d.Varies || !d.Alias || d.Is == nil {
			return d != nil && d.Varies
		}
		t = d.Is
	}
	return false
}

// embedsVarying reports whether a struct has the members of one that may be another in
// other builds.
func (e *emitter) embedsVarying(t *model.Type, seen map[*model.Type]bool) bool {
	seen[t] = true
	return slices.ContainsFunc(t.Fields, func(f *model.Field) bool {
		if !f.Flat || e.varies(f.Type) {
			return f.Flat
		}
		is := f.Type
		if is.Kind == model.Pointer {
			is = is.Elem
		}
		is = e.Resolve(is)
		return is != nil && !seen[is] && is.Kind == model.Struct && e.embedsVarying(is, seen)
	})
}

// field is the schema of a field. Where nil is left out it is not null.
func (e *emitter) field(m *model.Member) object {
	t := m.Type
	if m.InString && e.varies(t) {
		return object{}
	}
	if is, ok := e.Quoted(m.Field); ok {
		s := quoted(is.Kind)
		if t.Kind == model.Pointer && !m.Omit {
			return orNull(s)
		}
		return s
	}
	if m.InString && t.Is("encoding/json", "Number") {
		return object{{"type", "string"}}
	}
	if m.Omit && t.Kind == model.Pointer && !e.Endless(t) {
		return e.schema(t.Elem)
	}
	return e.schema(t)
}

// quoted is the schema of a number, bool or string that is put in quotes.
func quoted(k model.Kind) object {
	switch {
	case k == model.Bool:
		return object{{"type", "string"}, {"enum", []string{"false", "true"}}}
	case k.IsInteger():
		return object{{"type", "string"}, {"format", integers[k].format}, {"pattern", digits}}
	}
	return object{{"type", "string"}}
}

// named is the schema of a named type, in most cases a reference to it.
func (e *emitter) named(t *model.Type) object {
	d := e.Written(t)
	if e.varies(t) {
		return object{}
	}
	if d != nil && d.Alias && d.Is != nil && !compound(d.Is.Kind) {
		return e.schema(d.Is)
	}
	switch {
	case t.Is("math/big", "Int"):
		return object{{"type", "integer"}}
	case t.Is("encoding/json", "Number"):
		return object{{"type", "number"}}
	case t.Is("time", "Duration"):
		return integer(model.Int64).with("description", "A duration in nanoseconds.")
	case d == nil, d.Is == nil, d.Is.Kind == model.Raw:
		return object{}
	case d.Is.Kind == model.Time:
		return basic(model.Time)
	}
	name, ok := e.name(d.Type)
	if !ok {
		e.component(name, d)
	}
	return ref("schemas", name)
}

// compound reports whether types of a kind are made of others. An alias of one has a schema
// of its own, which would otherwise be written wherever it is mentioned.
func compound(k model.Kind) bool { return k >= model.Pointer && k <= model.Struct }

// component adds the schema of a named type.
func (e *emitter) component(name string, d *model.Def) {
	i := len(e.schemas)
	e.schemas.set(name, nil) // it may hold itself
	s := object{}
	if !d.Opaque() {
		s = e.schema(d.Is)
	}
	s = described(s, d.Doc)
	if d.IsEnum() {
		s.set("x-enum", enum(d))
	}
	e.schemas[i].value = s
}

// enum is the constants of a type. It is no enum of the schema: values may be others, and
// newer peers have more.
func enum(d *model.Def) (out []object) {
	for _, c := range d.Consts {
		var value any = c.Value
		if d.Is.Kind != model.String {
			value = json.Number(c.Value)
		}
		o := object{{"name", c.Name}, {"value", value}}
		o.setText("description", text(c.Doc))
		out = append(out, o)
	}
	return out
}
