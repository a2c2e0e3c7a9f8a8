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

// A conversions has the converters of a file.
type conversions struct {
	*naming
	converters []*converter
	byDef      map[*model.Def]*converter
	values     bool // one is mentioned
}

// convert is the expression of what converts a type, or empty where none is needed. late
// says that it is evaluated when all converters are there.
func (cs *conversions) convert(t *model.Type, late bool) string {
	if !cs.needs(t, map[*model.Type]bool{}) {
		return ""
	}
	cs.values = true
	return cs.conversion(t, late)
}

func (cs *conversions) conversion(t *model.Type, late bool) string {
	if leaf := cs.leaf(t); leaf != "" {
		return "json." + leaf
	}
	switch t.Kind {
	case model.Pointer:
		return cs.conversion(t.Elem, late)
	case model.Slice, model.Array:
		return call(late, "list", cs.conversion(t.Elem, late))
	case model.Map:
		if cs.Unaddressed(t.Elem) {
			return call(late, "dict", "json.any")
		}
		return call(late, "dict", cs.conversion(t.Elem, late))
	case model.Struct:
		return call(late, "object", cs.object(t))
	}
	if d := cs.Written(t); d != nil && d.Alias {
		return cs.conversion(d.Is, late)
	}
	c := cs.converter(cs.Def(t))
	if c.made || late {
		return c.Name
	}
	return "(value, send) => " + c.Name + "(value, send)"
}

// call is a call of a function that makes a converter. One that the module itself makes is
// marked as pure, so that a bundler leaves it out where nothing uses what it is for.
func call(late bool, function, argument string) string {
	out := "json." + function + "(" + argument + ")"
	if !late {
		out = "/*#__PURE__*/ " + out
	}
	return out
}

// maxLine is about how much stands on one line.
const maxLine = 100

// object is what makes the converter of a struct: the converters of the members that need one.
func (cs *conversions) object(s *model.Type) string {
	var members []string
	for _, m := range cs.Members(s) {
		if c := cs.fieldConverter(m); c != "" {
			members = append(members, key(m.Wire)+": "+c)
		}
	}
	if long := strings.Join(members, ",\n  "); len(long) > maxLine {
		return "() => ({\n  " + long + ",\n})"
	}
	return "() => ({ " + strings.Join(members, ", ") + " })"
}

func (cs *conversions) fieldConverter(m *model.Member) string {
	is, quoted := cs.Quoted(m.Field)
	switch {
	case !quoted && !cs.needs(m.Type, map[*model.Type]bool{}):
		return ""
	case !quoted:
		return cs.conversion(m.Type, true)
	case wide(is.Kind):
		return "json.text"
	}
	if leaf := cs.leafOf(is.Kind); leaf != "" {
		return "json.quoted(json." + leaf + ")"
	}
	return "json.quoted()"
}

// converter is that of a named type.
func (cs *conversions) converter(d *model.Def) *converter {
	if c := cs.byDef[d]; c != nil {
		return c
	}
	c := &converter{Name: cs.vars.take("convert" + model.Upper(cs.names[d]))}
	if cs.generic(d) != nil {
		delete(cs.vars, c.Name)
		c.Name = cs.vars.take("convert" + model.Upper(model.InstanceName(d.Type)))
	}
	cs.byDef[d] = c
	c.Is = cs.conversion(d.Is, false)
	c.made = true
	cs.converters = append(cs.converters, c)
	return c
}

// leaf is the converter of a type that is not made of others, or empty.
func (cs *conversions) leaf(t *model.Type) string {
	if t.Kind == model.Named {
		switch d := cs.Def(t); {
		case d == nil:
			return ""
		case cs.special(d.Type, d) == "bigint":
			return "big"
		case cs.special(d.Type, d) == numberType:
			return "num"
		case d.Opaque():
			return "any"
		case d.BigInt && !d.Own:
			return "big"
		case d.Own && d.Is.Kind != model.Raw:
			return ""
		}
	}
	is := cs.Resolve(t)
	if is == nil {
		return ""
	}
	if cs.IsBytes(is) {
		return "bytes"
	}
	return cs.leafOf(is.Kind)
}

func (cs *conversions) leafOf(k model.Kind) string {
	switch {
	case wide(k) && cs.BigInt:
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
func (cs *conversions) needs(t *model.Type, seen map[*model.Type]bool) bool {
	return cs.holds(t, seen, func(leaf string) bool { return leaf != "" })
}

// exact reports whether a method's JSON is parsed so that no integer is rounded.
func (cs *conversions) exact(m *model.Method) bool {
	is := func(t *model.Type) bool {
		return t != nil && cs.holds(t, map[*model.Type]bool{}, func(leaf string) bool { return leaf == "big" || leaf == "num" || leaf == "any" })
	}
	return slices.ContainsFunc(values(m), func(v *model.Value) bool { return is(v.Type) }) ||
		slices.ContainsFunc(m.Errors, func(err *model.Error) bool { return is(err.Type) })
}

// holds reports whether a type holds a value whose converter is one that f is true of.
func (cs *conversions) holds(t *model.Type, seen map[*model.Type]bool, f func(leaf string) bool) bool {
	if leaf := cs.leaf(t); leaf != "" {
		return f(leaf)
	}
	is := cs.Resolve(t)
	if is == nil || seen[is] {
		return false
	}
	seen[is] = true
	switch is.Kind {
	case model.Pointer, model.Slice, model.Array:
		return cs.holds(is.Elem, seen, f)
	case model.Map:
		if cs.Unaddressed(is.Elem) {
			return f("any")
		}
		return cs.holds(is.Elem, seen, f)
	case model.Struct:
		return slices.ContainsFunc(cs.Members(is), func(m *model.Member) bool {
			if is, quoted := cs.Quoted(m.Field); quoted {
				return f("quoted") || !wide(is.Kind) && cs.leafOf(is.Kind) != "" && f(cs.leafOf(is.Kind))
			}
			return cs.holds(m.Type, seen, f)
		})
	}
	return false
}
