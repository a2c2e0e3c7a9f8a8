package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A goType is a type that values of a schema have in Go.
type goType struct {
	name   string // of its declaration, or empty
	is     string // an expression, or structure
	doc    string
	nilled bool // it has a nil, which is null
	alias  bool // the declaration is an alias, to keep methods
	fields []*field
	consts []constant
	errors string // the text of its method Error, or empty
	elem   *goType
}

// A field is one of a struct, or the reason why it is left out.
type field struct {
	name, wire, doc string
	typ             *goType
	options         string // of its tag
	left            string
}

type constant struct{ name, value, doc string }

const (
	rawMessage = "json.RawMessage"
	structure  = "struct"
	null       = "null"
)

// raw is a new type of any JSON.
func raw() *goType { return &goType{is: rawMessage, nilled: true, alias: true} }

// expr is the type as it is written where it is used.
func (t *goType) expr() string {
	switch {
	case t.name != "":
		return t.name
	case t.elem != nil:
		return "*" + t.elem.expr()
	case t.is == null:
		return rawMessage
	}
	return t.is
}

// optional is the type, or a pointer to it, so that it has a nil.
func (t *goType) optional() *goType {
	if t.nilled || t.is == null {
		return t
	}
	return &goType{elem: t, nilled: true}
}

// typeOf is the type of a schema. The hint is what a declaration is named after, where it
// needs one and the schema has no title.
func (im *importer) typeOf(v *value, hint string) *goType { return im.typeBelow(v, hint, 0) }

func (im *importer) typeBelow(v *value, hint string, depth int) *goType {
	if v == nil || !im.step(v, depth) {
		return raw()
	}
	target := im.resolve(v)
	if target == nil || target.kind != "object" {
		return raw()
	}
	s := im.shapeOf(target)
	if im.steps >= maxSteps || s.kind == "any" && len(s.leaves) == 0 {
		return raw()
	}
	if s.kind == null {
		return &goType{is: null}
	}
	var t *goType
	if only := im.only(target); only != nil {
		if only.get("$ref") == nil && target != v {
			hint = im.refName(v)
		}
		t = im.typeBelow(only, hint, depth+1)
	} else if target != v {
		t = im.named(target, im.refName(v), s, depth)
	} else {
		t = im.inline(v, hint, s, depth)
	}
	if s.null {
		return t.optional()
	}
	return t
}

// only is the one schema that a union is of, null aside, or nil.
func (r *reader) only(v *value) (only *value) {
	for _, o := range unionOf(v) {
		if r := r.resolve(o); r != nil && r.string("type") == null {
			continue
		}
		if only != nil {
			return nil
		}
		only = o
	}
	return only
}

// refName is the name of what a schema refers to: the last part of the last reference.
func (im *importer) refName(v *value) string {
	name := ""
	for n := 0; v.get("$ref") != nil && n < maxDepth; n++ {
		ref := v.string("$ref")
		name = unescape.Replace(ref[strings.LastIndex(ref, "/")+1:])
		if v = im.lookUp(strings.TrimPrefix(ref, "#")); v == nil {
			break
		}
	}
	return name
}

// named is the declared type of a schema that others refer to. It may hold itself.
func (im *importer) named(v *value, name string, s shape, depth int) *goType {
	if t := im.types[v.path]; t != nil {
		return t
	}
	t := &goType{name: im.typeNames[v.path], nilled: s.kind == "array" || s.kind == "any"}
	if t.name == "" {
		t.name = im.names.take(exported(name))
	}
	im.types[v.path] = t
	im.decls = append(im.decls, t)
	im.plan(t, v, name, s, depth)
	if t.doc == "" {
		t.doc = docOf(v)
	}
	return t
}

// inline is the type of a schema that stands where it is used. Structs and constants have
// it declared, once for schemas that are the same.
func (im *importer) inline(v *value, hint string, s shape, depth int) *goType {
	key := ""
	if s.kind == "object" || s.kind == "string" && len(enumOf(v)) > 1 {
		key = v.key()
		if t := im.types[key]; t != nil {
			return t
		}
	}
	if title := v.string("title"); title != "" && len(title) < 40 {
		hint = title
	}
	t := &goType{}
	im.decls = append(im.decls, t) // before those that it holds
	t.name = im.names.take(exported(hint))
	im.plan(t, v, hint, s, depth)
	if t.is != structure && len(t.consts) == 0 {
		im.decls = slices.DeleteFunc(im.decls, func(d *goType) bool { return d == t })
		delete(im.names, t.name)
		t.name = ""
		return t
	}
	if t.doc = docOf(v); key != "" {
		im.types[key] = t
	}
	return t
}

// plan finds out what a type is.
func (im *importer) plan(t *goType, v *value, hint string, s shape, depth int) {
	first := s.leaves[0]
	single := len(s.leaves) == 1
	switch s.kind {
	case "boolean":
		t.is = "bool"
	case "integer":
		t.is = "int64"
		if single {
			t.is = integerOf(first)
			im.constants(t, first)
		}
	case "number":
		t.is = "float64"
		if single && first.string("format") == "float" {
			t.is = "float32"
		}
	case "string":
		im.text(t, s)
	case "array":
		im.array(t, hint, s, depth)
	case "object":
		im.object(t, v, hint, s, depth)
	default:
		t.is, t.nilled, t.alias = rawMessage, true, true
	}
}

// integers is the types of formats. A slice of uint8 would be text.
var integers = map[string]string{
	"int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64", "uint8": "uint16", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
}

func integerOf(v *value) string {
	if t := integers[v.string("format")]; t != "" {
		return t
	}
	return "int64"
}

func (im *importer) text(t *goType, s shape) {
	all := func(word, text string) bool {
		return !slices.ContainsFunc(s.leaves, func(l *value) bool { return l.string(word) != text })
	}
	switch {
	case all("format", "date-time"):
		t.is, t.alias = "time.Time", true
	case all("contentEncoding", "base64"):
		t.is, t.nilled = "[]byte", true
	default:
		t.is = "string"
		if len(s.leaves) == 1 {
			im.constants(t, s.leaves[0])
		}
	}
}

// maxConstants is how many values of an enum are constants.
const maxConstants = 500

// constants has the values that a schema names as constants.
func (im *importer) constants(t *goType, v *value) {
	add := func(name, text, doc string, kind string) {
		if kind == "string" {
			text = strconv.Quote(text)
		} else if !fits(text, t.is) {
			return
		}
		t.consts = append(t.consts, constant{im.names.take(exported(name)), text, doc})
	}
	if list := v.list("x-enum"); len(list) > 0 {
		for _, e := range list {
			if x := e.get("value"); x != nil && e.string("name") != "" && len(t.consts) < maxConstants {
				add(e.string("name"), x.text, e.string("description"), x.kind)
			}
		}
		return
	}
	values := enumOf(v)
	if len(values) < 2 {
		return
	}
	for _, e := range values[:min(len(values), maxConstants)] {
		if (e.kind == "string") == (t.is == "string") && e.kind != null {
			add(t.name+" "+nameOf(e.text), e.text, "", e.kind)
		}
	}
}

// fits reports whether digits are an integer of a type.
func fits(digits, typ string) bool {
	bits, err := strconv.Atoi(strings.TrimLeft(typ, "uint"))
	if err != nil {
		return false
	}
	if strings.HasPrefix(typ, "u") {
		_, err = strconv.ParseUint(digits, 10, bits)
	} else {
		_, err = strconv.ParseInt(digits, 10, bits)
	}
	return err == nil
}

// nameOf is the text of a constant as a part of a name.
func nameOf(text string) string {
	switch {
	case text == "":
		return "Empty"
	case len(words(text)) == 0:
		return fmt.Sprintf("%x", text)
	}
	return text
}

// maxArray is how long an array of a fixed length may be.
const maxArray = 64

func (im *importer) array(t *goType, hint string, s shape, depth int) {
	var items []*value
	for _, leaf := range s.leaves {
		switch i := leaf.get("items"); {
		case leaf.get("prefixItems") != nil, i == nil, i.kind != "object":
			items = append(items, &value{path: leaf.path, kind: "object"})
		case !slices.ContainsFunc(items, func(o *value) bool { return o.key() == i.key() }):
			items = append(items, i)
		}
	}
	elem := im.typeBelow(union(items), hint+" Item", depth+1)
	t.is, t.nilled = "[]"+elem.expr(), true
	first := s.leaves[0]
	n, err := strconv.Atoi(text(first.get("minItems")))
	if err == nil && n <= maxArray && len(s.leaves) == 1 && !s.null && text(first.get("maxItems")) == text(first.get("minItems")) && elem.name == "" {
		t.is, t.nilled = fmt.Sprintf("[%d]%s", n, elem.expr()), false
	}
}

func text(v *value) string {
	if v == nil {
		return ""
	}
	return v.text
}

// union is a schema of any of several.
func union(all []*value) *value {
	if len(all) == 1 {
		return all[0]
	}
	list := &value{path: all[0].path, kind: "array", elems: all}
	return &value{path: all[0].path, kind: "object", names: []string{"anyOf"}, parts: map[string]*value{"anyOf": list}}
}
