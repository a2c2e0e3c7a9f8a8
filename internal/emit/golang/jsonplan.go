package golang

import (
	"fmt"
	"go/token"
	"hash/fnv"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

const jsongenPath = "github.com/wirecall/wirecall/codec/jsongen"

// A jsonPlan is what is generated for the JSON of a package's types.
type jsonPlan struct {
	defs    map[string]*model.Def
	codings map[*model.Def]*coding // of structs; nil where they are left to encoding/json
	structs []*coding              // those that functions are written for
	roots   []*coding              // the types that are registered

	v, s, i, f, dst string // the local identifiers of the functions
}

// A coding is how values of a type are encoded and decoded: by functions of
// package jsongen, or by generated ones.
type coding struct {
	plan           *jsonPlan
	typ            *model.Type
	append, decode string
	elem           *coding // what the functions of jsongen are given for elements
	fields         []*jsonField
	names          string // of the variable that holds the names of fields
	mayFail        bool   // append may give up
}

// planJSON decides which types JSON is generated for.
func (e *emitter) planJSON() {
	e.json = &jsonPlan{defs: map[string]*model.Def{}, codings: map[*model.Def]*coding{}}
	for _, d := range e.pkg.Types {
		e.json.defs[typeKey(d.Type)] = d
	}
	for _, name := range jsonPredeclared {
		if _, taken := e.pkg.Declared[name]; taken {
			return // what is generated for JSON needs Go's own
		}
	}
	seen := map[string]bool{}
	for _, s := range e.pkg.Services {
		for _, m := range s.Methods {
			for _, v := range slices.Concat(m.Params, m.Results) {
				key := e.resolvedKey(v.Type)
				if !seen[key] && !ready[key] && e.nameable(v.Type) {
					if c := e.coding(v.Type); c != nil {
						e.json.roots = append(e.json.roots, c)
					}
				}
				seen[key] = true
			}
		}
	}
	e.json.prune()
}

// prune drops the structs that nothing needs: what held them was left to
// encoding/json for something else.
func (p *jsonPlan) prune() {
	needed := map[*coding]bool{}
	var need func(c *coding)
	need = func(c *coding) {
		if c == nil || needed[c] {
			return
		}
		needed[c] = true
		need(c.elem)
		for _, f := range c.fields {
			need(f.coding)
		}
	}
	for _, c := range p.roots {
		need(c)
	}
	p.structs = slices.DeleteFunc(p.structs, func(c *coding) bool { return !needed[c] })
}

// ready are the types that package jsongen registers itself.
var ready = map[string]bool{"any": true, "encoding/json.RawMessage": true, "time.Time": true}

func init() {
	for k := model.Bool; k <= model.String; k++ {
		ready[k.String()] = true
		ready["[]"+k.String()] = k == model.Uint8 || k == model.String
	}
}

// typeKey tells types apart, as they are written.
func typeKey(t *model.Type) string {
	if t.Kind != model.Named {
		return unnamedKey(t, typeKey)
	}
	key := t.Pkg.Path + "." + t.Name
	if len(t.Args) == 0 {
		return key
	}
	for _, a := range t.Args {
		key += "," + typeKey(a)
	}
	return key + ";" // where the arguments end
}

// unnamedKey tells types without a name apart, by the keys of their parts.
func unnamedKey(t *model.Type, key func(*model.Type) string) string {
	switch t.Kind {
	case model.Pointer:
		return "*" + key(t.Elem)
	case model.Slice:
		return "[]" + key(t.Elem)
	case model.Array:
		return "[" + strconv.FormatInt(t.Len, 10) + "]" + key(t.Elem)
	case model.Map:
		return "map[" + key(t.Key) + "]" + key(t.Elem)
	case model.Struct:
		fields := ""
		for _, f := range t.Fields {
			fields += fmt.Sprintf("%s %t %s %q;", f.Name, f.Embedded, key(f.Type), f.Tag)
		}
		return "struct{" + fields + "}"
	}
	return t.Kind.String()
}

// resolvedKey is typeKey without aliases.
func (e *emitter) resolvedKey(t *model.Type) string {
	if t.Kind != model.Named {
		return unnamedKey(t, e.resolvedKey)
	}
	if d := e.json.defs[typeKey(t)]; d != nil && d.Alias {
		return e.resolvedKey(d.Is)
	}
	return typeKey(t)
}

// resolve is what a type is, and the declaration of the name that it has, nil
// where it has none. The type is nil where nothing is known.
func (e *emitter) resolve(t *model.Type) (*model.Type, *model.Def) {
	for t != nil && t.Kind == model.Named {
		d := e.json.defs[typeKey(t)]
		if d == nil {
			return nil, nil
		}
		if !d.Alias {
			return d.Is, d
		}
		t = d.Is
	}
	return t, nil
}

// nameable reports whether generated code can write a type.
func (e *emitter) nameable(t *model.Type) bool {
	ok := true
	t.Walk(func(t *model.Type) {
		switch t.Kind {
		case model.Named:
			d := e.json.defs[typeKey(t)]
			ok = ok && (d != nil && !d.Hidden || d == nil && t.Pkg.Path == e.pkg.Path)
		case model.Struct:
			ok = false
		}
	})
	return ok
}

var basicCodings = map[model.Kind]coding{
	model.Bool: {append: "AppendBool", decode: "Bool"}, model.String: {append: "AppendString", decode: "String"},
	model.Float32: {append: "AppendFloat", decode: "Float", mayFail: true}, model.Float64: {append: "AppendFloat", decode: "Float", mayFail: true},
}

func init() {
	for k := model.Int; k <= model.Int64; k++ {
		basicCodings[k] = coding{append: "AppendInt", decode: "Int"}
	}
	for k := model.Uint; k <= model.Uintptr; k++ {
		basicCodings[k] = coding{append: "AppendUint", decode: "Uint"}
	}
}

// coding is how values of t are encoded and decoded, or nil where they are left
// to encoding/json.
func (e *emitter) coding(t *model.Type) *coding {
	is, def := e.resolve(t)
	if is == nil {
		return nil
	}
	c, ok := basicCodings[is.Kind]
	switch {
	case is.Kind == model.Time:
		c = coding{append: "AppendTime", decode: "Time", mayFail: true}
	case is.Kind == model.Raw:
		c = coding{append: "AppendRaw", decode: "Raw", mayFail: true}
	case def != nil && (def.Own || e.recursive(def)):
		return nil
	case ok:
	case is.Kind == model.Any && def == nil:
		c = coding{append: "AppendAny", decode: "Any", mayFail: true}
	case is.Kind == model.Struct && def != nil:
		return e.structCoding(def)
	default:
		return e.composed(t, is)
	}
	c.plan, c.typ = e.json, t
	return &c
}

// composed is the coding of a type with elements.
func (e *emitter) composed(t, is *model.Type) *coding {
	c := &coding{plan: e.json, typ: t}
	switch is.Kind {
	case model.Pointer:
		c.append, c.decode = "AppendPointer", "Pointer"
	case model.Slice:
		c.append, c.decode = "AppendSlice", "Slice"
		if elem, def := e.resolve(is.Elem); elem != nil && elem.Kind == model.Uint8 {
			c.append, c.decode = "AppendBytes", "Bytes"
			if def != nil {
				return nil
			}
			return c
		}
	case model.Array:
		c.append, c.decode = "AppendArray", "Array"
	case model.Map:
		c.append, c.decode = "AppendMap", "Map"
		key, def := e.resolve(is.Key)
		if key == nil || key.Kind != model.String || def != nil && def.Own || e.holdsOwn(is.Elem) {
			return nil
		}
	default:
		return nil
	}
	if c.elem = e.coding(is.Elem); c.elem == nil || !e.nameable(is.Elem) {
		return nil
	}
	c.mayFail = c.elem.mayFail
	return c
}

// holdsOwn reports whether a value of type t holds one whose own methods make
// its JSON, not behind a pointer. As an element of a map it has no address, and
// then encoding/json does not see a pointer's methods.
func (e *emitter) holdsOwn(t *model.Type) bool {
	is, def := e.resolve(t)
	switch {
	case is == nil:
		return true
	case is.Kind == model.Time, is.Kind == model.Raw:
		return false
	case def != nil && def.Own:
		return true
	case is.Kind == model.Array:
		return e.holdsOwn(is.Elem)
	case is.Kind == model.Struct:
		return slices.ContainsFunc(is.Fields, func(f *model.Field) bool {
			return (f.Wire != "" || f.Flat) && e.holdsOwn(f.Type)
		})
	}
	return false
}

// structCoding is the coding of a struct that has a name, by functions of its
// own.
func (e *emitter) structCoding(def *model.Def) *coding {
	if c, ok := e.json.codings[def]; ok {
		return c
	}
	e.json.codings[def] = nil
	if !e.nameable(def.Type) {
		return nil
	}
	fields, ok := e.jsonFields(def.Is)
	if !ok || !e.accessible(fields) {
		return nil
	}
	c := &coding{plan: e.json, typ: def.Type, fields: fields}
	gain := false
	for _, f := range fields {
		f.coding = e.coding(f.Type)
		gain = gain || f.coding != nil
		c.mayFail = c.mayFail || f.coding == nil || f.coding.mayFail
		if f.InString && !e.quote(f) {
			return nil
		}
	}
	if !gain {
		return nil
	}
	e.json.codings[def] = c
	e.json.structs = append(e.json.structs, c)
	return c
}

// accessible reports whether this package can get at the fields.
func (e *emitter) accessible(fields []*jsonField) bool {
	return !slices.ContainsFunc(fields, func(f *jsonField) bool {
		return slices.ContainsFunc(f.path, func(f *model.Field) bool { return !token.IsExported(f.Name) && f.Pkg != e.pkg.Path })
	})
}

// quote does what the option string says, and reports whether it can.
func (e *emitter) quote(f *jsonField) bool {
	is, def := e.resolve(f.Type)
	switch {
	case is == nil, is.Kind == model.String, is.Kind == model.Pointer, is.Kind == model.Raw, is.Kind == model.Custom, def != nil && def.Own && is.Kind != model.Time:
		return false
	}
	_, f.quoted = basicCodings[is.Kind]
	return true
}

// recursive reports whether values of a type can hold others of that type. They
// can be nested more deeply than encoding/json allows, and in a circle.
func (e *emitter) recursive(def *model.Def) bool {
	return e.reaches(def.Is, def, map[*model.Def]bool{})
}

// reaches reports whether values of t can hold values of a type.
func (e *emitter) reaches(t *model.Type, target *model.Def, seen map[*model.Def]bool) bool {
	is, def := e.resolve(t)
	switch {
	case is == nil, def != nil && (def.Own || seen[def]):
		return false
	case def == target:
		return true
	case def != nil:
		seen[def] = true
	}
	if is.Elem != nil && e.reaches(is.Elem, target, seen) {
		return true
	}
	return slices.ContainsFunc(is.Fields, func(f *model.Field) bool {
		return (f.Wire != "" || f.Flat) && e.reaches(f.Type, target, seen)
	})
}

// packages adds the packages that generated JSON mentions, and their names.
func (p *jsonPlan) packages(need map[string]string) {
	if len(p.roots) > 0 {
		need[jsongenPath] = "jsongen"
	}
	add := func(c *coding) {
		for ; c != nil; c = c.elem {
			c.typ.Walk(func(t *model.Type) {
				if t.Kind == model.Named {
					need[t.Pkg.Path] = t.Pkg.Name
				}
			})
		}
	}
	for _, c := range p.roots {
		add(c)
	}
	for _, c := range p.structs {
		add(c)
		for _, f := range c.fields {
			if f.coding != nil {
				add(f.coding.elem)
			}
		}
	}
}

// nameJSON takes the names of generated functions, and those of the identifiers
// in them, none of which may hide what the functions mention.
func (e *emitter) nameJSON() {
	l := e.scope()
	for _, c := range slices.Concat(e.json.roots, e.json.structs) {
		e.mentionCoding(l, c)
	}
	e.json.v, e.json.s, e.json.i, e.json.f, e.json.dst = l.take("v"), l.take("s"), l.take("i"), l.take("f"), l.take("dst")
	for _, c := range e.json.structs {
		name := upper(jsonName(c.typ))
		if c.typ.Pkg.Path != e.pkg.Path {
			name = upper(c.typ.Pkg.Name) + name
		}
		c.append, c.decode, c.names = e.own("append"+name+"JSON"), e.own("decode"+name+"JSON"), e.own(lower(name)+"JSON")
	}
}

// mentionCoding adds what the functions for c mention of the package itself.
func (e *emitter) mentionCoding(l scope, c *coding) {
	for ; c != nil; c = c.elem {
		e.mention(l, c.typ)
		for _, f := range c.fields {
			if f.coding != nil && f.coding.fields == nil {
				e.mentionCoding(l, f.coding)
			}
		}
	}
}

// jsonName is the name of a type, with the names of its arguments.
func jsonName(t *model.Type) string {
	name := []string{t.Name}
	for _, a := range t.Args {
		a.Walk(func(t *model.Type) {
			if t.Name != "" {
				name = append(name, upper(t.Name))
			}
		})
	}
	return strings.Join(name, "")
}

// shape is the hash that package jsongen computes when the program runs.
func (e *emitter) shape(t *model.Type) string {
	h := fnv.New64a()
	h.Write([]byte(e.describe(t, nil)))
	return fmt.Sprintf("0x%016x", h.Sum64())
}

// describe does as its namesake in package jsongen.
func (e *emitter) describe(t *model.Type, above []*model.Def) string {
	is, def := e.resolve(t)
	switch {
	case is == nil:
		return "?"
	case def != nil && slices.Contains(above, def):
		return "^"
	case is.Kind == model.Time:
		return "time"
	case def != nil && def.Own:
		return "own"
	case is.Kind == model.Custom:
		return "string" // json.Number, which only encoding/json itself treats otherwise
	case def != nil:
		above = append(slices.Clip(above), def)
	}
	switch is.Kind {
	case model.Pointer:
		return "*" + e.describe(is.Elem, above)
	case model.Slice:
		return "[]" + e.describe(is.Elem, above)
	case model.Array:
		return "[" + strconv.FormatInt(is.Len, 10) + "]" + e.describe(is.Elem, above)
	case model.Map:
		return "map[" + e.describe(is.Key, above) + "]" + e.describe(is.Elem, above)
	case model.Struct:
		if def == nil {
			return "struct"
		}
		return e.describeFields(is, above)
	}
	return is.Kind.String()
}

func (e *emitter) describeFields(s *model.Type, above []*model.Def) string {
	var b strings.Builder
	b.WriteByte('{')
	for _, f := range s.Fields {
		b.WriteString(f.Name)
		if f.Embedded {
			b.WriteByte('=')
		}
		b.WriteString(strconv.Quote(reflect.StructTag(f.Tag).Get("json")))
		b.WriteString(e.describe(f.Type, above) + ";")
	}
	b.WriteByte('}')
	return b.String()
}
