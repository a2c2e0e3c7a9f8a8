package golang

import (
	"go/token"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

const jsongenPath = "github.com/wirecall/wirecall/codec/jsongen"

// A jsonPlan is what is generated for the JSON of a package's types, and what is known of
// them for it.
type jsonPlan struct {
	path    string // of the package
	defs    map[string]*model.Def
	codings map[*model.Def]*coding // of structs; nil where they are left to encoding/json
	structs []*coding              // those that functions are written for
	roots   []*coding              // the types that are registered
	left    []string               // what is left to encoding/json, and why
	finder  *reachFinder           // nil until it is needed

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
	levels         int    // of elements in elements
}

// maxLevels is how deeply slices, maps and pointers may nest without a struct
// between them. Their functions nest likewise.
const maxLevels = 20

// planJSON decides which types JSON is generated for.
func (e *emitter) planJSON() {
	e.json = &jsonPlan{path: e.pkg.Path, defs: map[string]*model.Def{}, codings: map[*model.Def]*coding{}}
	for _, d := range e.pkg.Types {
		e.json.defs[model.Key(d.Type)] = d
	}
	for _, name := range jsonPredeclared {
		if e.declared(name) { // what is generated for JSON needs Go's own
			e.json.left = append(e.json.left, "all types: the package declares "+name)
			return
		}
	}
	for _, w := range e.want() {
		e.root(w.typ, w.max)
	}
	e.json.prune()
}

// root registers a type, if JSON is generated for it.
func (e *emitter) root(t *model.Type, limit int) {
	if !e.json.nameable(t) {
		e.leave(t, unnameable)
	} else if c := e.coding(t); c != nil && e.affordable(c, limit) {
		e.json.roots = append(e.json.roots, c)
	}
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

const unnameable = "generated code cannot write its name"

// coding is how values of t are encoded and decoded, or nil where they are left
// to encoding/json.
func (e *emitter) coding(t *model.Type) *coding {
	is, def := e.json.resolve(t)
	if is == nil {
		return e.leave(t, "it may be another type in other builds")
	}
	c, ok := basicCodings[is.Kind]
	switch {
	case is.Varies:
		return e.leave(t, "its length may be another on other platforms")
	case is.Kind == model.Time:
		c = coding{append: "AppendTime", decode: "Time", mayFail: true}
	case is.Kind == model.Raw:
		c = coding{append: "AppendRaw", decode: "Raw", mayFail: true}
	case def != nil && def.Own:
		return e.leave(t, "methods of its own write or read its JSON")
	case def != nil && e.json.reach(def).recursive:
		return e.leave(t, "it can hold values of its own type")
	case def != nil && e.json.reach(def).varies:
		return e.leave(t, "it holds what may be another type in other builds")
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
		if elem, def := e.json.resolve(is.Elem); elem != nil && elem.Kind == model.Uint8 {
			c.append, c.decode = "AppendBytes", "Bytes"
			if def != nil {
				return e.leave(t, "its elements are bytes of a type with a name")
			}
			return c
		}
	case model.Array:
		c.append, c.decode = "AppendArray", "Array"
	case model.Map:
		c.append, c.decode = "AppendMap", "Map"
		key, def := e.json.resolve(is.Key)
		switch {
		case key == nil, key.Kind != model.String, def != nil && def.Own:
			return e.leave(t, "its keys are not plain strings")
		case e.json.holdsOwn(is.Elem, map[string]bool{}):
			return e.leave(t, "methods write JSON in its elements, which have no address in a map")
		}
	case model.Struct:
		return e.leave(t, "it is a struct without a name")
	default:
		return e.leave(t, "only encoding/json knows it")
	}
	if c.elem = e.coding(is.Elem); c.elem == nil {
		return nil // its element's reason is its own
	}
	if c.levels = c.elem.levels + 1; c.levels > maxLevels {
		return e.leave(t, "it nests more deeply than generated code should")
	}
	if !e.json.nameable(is.Elem) {
		return e.leave(is.Elem, unnameable)
	}
	c.mayFail = c.elem.mayFail
	return c
}

// structCoding is the coding of a struct that has a name, by functions of its
// own.
func (e *emitter) structCoding(def *model.Def) *coding {
	if c, ok := e.json.codings[def]; ok {
		return c
	}
	e.json.codings[def] = nil
	if !e.json.nameable(def.Type) {
		return e.leave(def.Type, unnameable)
	}
	fields, ok := e.jsonFields(def.Is)
	if !ok {
		return e.leave(def.Type, "it embeds a pointer, a type that is not exported under a name, or structs too deeply")
	}
	if !e.accessible(fields) {
		return e.leave(def.Type, "it has fields that are reached through one which another package does not export")
	}
	c := &coding{plan: e.json, typ: def.Type, fields: fields}
	gain := false
	for _, f := range fields {
		f.coding = e.coding(f.Type)
		gain = gain || f.coding != nil
		c.mayFail = c.mayFail || f.coding == nil || f.coding.mayFail
		if f.InString && !e.quote(f) {
			return e.leave(def.Type, "its field "+f.Name+" has the option string, and may be text, null or what methods write")
		}
	}
	if !gain {
		return e.leave(def.Type, "it has no field that is not left to encoding/json")
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
	is, def := e.json.resolve(f.Type)
	switch {
	case is == nil, is.Kind == model.String, is.Kind == model.Pointer, is.Kind == model.Raw, is.Kind == model.Custom, def != nil && def.Own && is.Kind != model.Time:
		return false
	}
	_, f.quoted = basicCodings[is.Kind]
	return true
}

// packages adds the packages that generated JSON mentions, and their names.
func (p *jsonPlan) packages(need map[string]string) {
	if len(p.roots) > 0 {
		need[jsongenPath] = "jsongen"
	}
	add := func(c *coding) {
		for ; c != nil; c = c.elem {
			c.typ.Names(func(pkg model.Import, _ string) { need[pkg.Path] = pkg.Name })
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
	for _, c := range e.json.roots {
		e.mentionCoding(l, c)
	}
	for _, c := range e.json.structs {
		e.mention(l, c.typ)
		for _, f := range c.fields {
			if f.coding != nil && f.coding.fields == nil {
				e.mentionCoding(l, f.coding)
			}
		}
	}
	e.json.v, e.json.s, e.json.i, e.json.f, e.json.dst = l.take("v"), l.take("s"), l.take("i"), l.take("f"), l.take("dst")
	for _, c := range e.json.structs {
		name := upper(jsonName(c.typ))
		if c.typ.Pkg.Path != e.pkg.Path {
			name = upper(c.typ.Pkg.Name) + name
		}
		end := "JSON" + e.pkg.Suffix
		c.append, c.decode, c.names = e.own("append"+name+end), e.own("decode"+name+end), e.own(lower(name)+end)
	}
}

// mentionCoding adds what a value and its elements mention of the package itself.
func (e *emitter) mentionCoding(l scope, c *coding) {
	for ; c != nil; c = c.elem {
		e.mention(l, c.typ)
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
