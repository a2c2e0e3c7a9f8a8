package ts

import (
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// A converter is one of a named type.
type converter struct {
	Name string
	Is   string // its expression
	made bool   // it stands before what is being written
}

// convert is the expression of what converts a type, or empty where none is needed. late
// says that it is evaluated when all converters are there.
func (e *emitter) convert(t *model.Type, late bool) string {
	if !e.needs(t, map[*model.Type]bool{}) {
		return ""
	}
	e.values = true
	return e.conversion(t, late)
}

func (e *emitter) conversion(t *model.Type, late bool) string {
	if leaf := e.leaf(t); leaf != "" {
		return "json." + leaf
	}
	switch t.Kind {
	case model.Pointer:
		return e.conversion(t.Elem, late)
	case model.Slice, model.Array:
		return "json.list(" + e.conversion(t.Elem, late) + ")"
	case model.Map:
		if e.unaddressed(t.Elem) {
			return "json.dict(json.any)"
		}
		return "json.dict(" + e.conversion(t.Elem, late) + ")"
	case model.Struct:
		return e.object(t)
	}
	if d := e.defs[model.Key(t)]; d != nil && d.Alias {
		return e.conversion(d.Is, late)
	}
	c := e.converter(e.def(t))
	if c.made || late {
		return c.Name
	}
	return "(value, send) => " + c.Name + "(value, send)"
}

// maxLine is about how much stands on one line.
const maxLine = 100

// object is the converter of a struct, of the members that need one.
func (e *emitter) object(s *model.Type) string {
	var members []string
	for _, m := range e.members(s) {
		if c := e.fieldConverter(m); c != "" {
			members = append(members, key(m.Wire)+": "+c)
		}
	}
	if long := strings.Join(members, ",\n  "); len(long) > maxLine {
		return "json.object(() => ({\n  " + long + ",\n}))"
	}
	return "json.object(() => ({ " + strings.Join(members, ", ") + " }))"
}

func (e *emitter) fieldConverter(m *model.Member) string {
	is, quoted := e.quotedKind(m.Field)
	switch {
	case !quoted && !e.needs(m.Type, map[*model.Type]bool{}):
		return ""
	case !quoted:
		return e.conversion(m.Type, true)
	case wide(is.Kind):
		return "json.text"
	}
	if leaf := e.leafOf(is.Kind); leaf != "" {
		return "json.quoted(json." + leaf + ")"
	}
	return "json.quoted()"
}

// converter is that of a named type.
func (e *emitter) converter(d *model.Def) *converter {
	if c := e.byDef[d]; c != nil {
		return c
	}
	c := &converter{Name: e.vars.take("convert" + upper(e.names[d]))}
	if e.generic(d) != nil {
		delete(e.vars, c.Name)
		c.Name = e.vars.take("convert" + upper(instanceName(d.Type)))
	}
	e.byDef[d] = c
	c.Is = e.conversion(d.Is, false)
	c.made = true
	e.converters = append(e.converters, c)
	return c
}

// leaf is the converter of a type that is not made of others, or empty.
func (e *emitter) leaf(t *model.Type) string {
	if t.Kind == model.Named {
		switch d := e.def(t); {
		case d == nil:
			return ""
		case e.special(d.Type, d) == "bigint":
			return "big"
		case e.special(d.Type, d) == numberType:
			return "num"
		case opaque(d):
			return "any"
		case d.BigInt && !d.Own:
			return "big"
		case d.Own && d.Is.Kind != model.Raw:
			return ""
		}
	}
	is := e.resolve(t)
	if is == nil {
		return ""
	}
	if e.isBytes(is) {
		return "bytes"
	}
	return e.leafOf(is.Kind)
}

func (e *emitter) leafOf(k model.Kind) string {
	switch {
	case wide(k) && e.BigInt:
		return "big"
	case wide(k):
		return "int"
	case k == model.Float32, k == model.Float64:
		return "float"
	case k == model.Any, k == model.Raw:
		return "any"
	}
	return ""
}

// needs reports whether values of a type are converted, or hold some that are.
func (e *emitter) needs(t *model.Type, seen map[*model.Type]bool) bool {
	return e.holds(t, seen, func(leaf string) bool { return leaf != "" })
}

// exact reports whether a method's JSON is parsed so that no integer is rounded.
func (e *emitter) exact(m *model.Method) bool {
	is := func(t *model.Type) bool {
		return t != nil && e.holds(t, map[*model.Type]bool{}, func(leaf string) bool { return leaf == "big" || leaf == "num" || leaf == "any" })
	}
	return slices.ContainsFunc(values(m), func(v *model.Value) bool { return is(v.Type) }) ||
		slices.ContainsFunc(m.Errors, func(err *model.Error) bool { return is(err.Type) })
}

// holds reports whether a type holds a value whose converter is one that f is true of.
func (e *emitter) holds(t *model.Type, seen map[*model.Type]bool, f func(leaf string) bool) bool {
	if leaf := e.leaf(t); leaf != "" {
		return f(leaf)
	}
	is := e.resolve(t)
	if is == nil || seen[is] {
		return false
	}
	seen[is] = true
	switch is.Kind {
	case model.Pointer, model.Slice, model.Array:
		return e.holds(is.Elem, seen, f)
	case model.Map:
		if e.unaddressed(is.Elem) {
			return f("any")
		}
		return e.holds(is.Elem, seen, f)
	case model.Struct:
		return slices.ContainsFunc(e.members(is), func(m *model.Member) bool {
			if is, quoted := e.quotedKind(m.Field); quoted {
				return f("quoted") || !wide(is.Kind) && e.leafOf(is.Kind) != "" && f(e.leafOf(is.Kind))
			}
			return e.holds(m.Type, seen, f)
		})
	}
	return false
}
