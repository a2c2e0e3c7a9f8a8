package ts

import (
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// An index knows the types of a package, and what encoding/json makes of them.
type index struct {
	pkg *model.Package
	Options

	defs      map[string]*model.Def // by the keys of their types
	generics  map[*model.Generic]*generic
	instances map[string]*model.Type // what instances are that only generic types mention
}

func newIndex(p *model.Package, o Options) *index {
	x := &index{pkg: p, Options: o, defs: map[string]*model.Def{}, instances: map[string]*model.Type{}}
	for _, d := range p.Types {
		x.defs[model.Key(d.Type)] = d
	}
	x.planGenerics()
	return x
}

// def is the declaration of a named type, aliases followed; nil where it is not known, as
// of type arguments that nothing is held of.
func (x *index) def(t *model.Type) *model.Def {
	for t != nil && t.Kind == model.Named {
		d := x.defs[model.Key(t)]
		if d == nil || !d.Alias {
			return d
		}
		t = d.Is
	}
	return nil
}

// resolve is what a type is, names and aliases followed. It is nil where nothing is known.
func (x *index) resolve(t *model.Type) *model.Type {
	for t != nil && t.Kind == model.Named {
		d := x.defs[model.Key(t)]
		if d == nil {
			return x.instance(t)
		}
		t = d.Is
		if !d.Alias {
			return t
		}
	}
	return t
}

// members is the members of the object that a struct is.
func (x *index) members(s *model.Type) []*model.Member {
	members, _ := model.Members(s, func(t *model.Type) *model.Type {
		if t.Kind == model.Pointer {
			t = t.Elem
		}
		return x.resolve(t)
	})
	return members
}

// special is the TypeScript of types that have a form of their own in JSON, or is empty.
func (x *index) special(t *model.Type, d *model.Def) string {
	if t.Pkg.Path == "math/big" && t.Name == "Int" {
		return "bigint"
	}
	if t.Pkg.Path == "encoding/json" && t.Name == "Number" {
		return numberType
	}
	switch {
	case d == nil:
		return "unknown"
	case d.Is == nil || d.Is.Kind == model.Raw:
		return "unknown"
	case d.Is.Kind == model.Time:
		return "string"
	}
	return ""
}

// opaque reports whether a type's own methods make or read JSON that only they know.
func opaque(d *model.Def) bool {
	return d.Own && d.Is.Kind != model.Text && d.Is.Kind != model.Time && d.Is.Kind != model.Raw
}

// isBytes reports whether a slice is base64.
func (x *index) isBytes(t *model.Type) bool {
	if t.Kind != model.Slice {
		return false
	}
	is, d := x.resolve(t.Elem), x.def(t.Elem)
	return is != nil && is.Kind == model.Uint8 && (d == nil || !d.Own)
}

// unaddressed reports whether a value of type t, as the element of a map, has other JSON
// than elsewhere: encoding/json does not find the methods of a pointer there.
func (x *index) unaddressed(t *model.Type) bool {
	d := x.def(t)
	if d != nil && d.Own {
		return d.Addressed
	}
	is := x.resolve(t)
	switch {
	case is == nil:
		return false
	case is.Kind == model.Array:
		return x.unaddressed(is.Elem)
	case is.Kind == model.Struct:
		return slices.ContainsFunc(x.members(is), func(m *model.Member) bool { return x.unaddressed(m.Type) })
	}
	return false
}

// quotedKind is what a field with the tag's string option holds, if the option has an
// effect on it: numbers, bools and strings, or a pointer to one.
func (x *index) quotedKind(f *model.Field) (is *model.Type, ok bool) {
	if !f.InString {
		return nil, false
	}
	t := f.Type
	if t.Kind == model.Pointer {
		t = t.Elem
	}
	is = x.resolve(t)
	return is, is != nil && is.Kind <= model.String
}

// wide reports whether integers of a kind may be beyond 2^53.
func wide(k model.Kind) bool {
	switch k {
	case model.Int, model.Int64, model.Uint, model.Uint64, model.Uintptr:
		return true
	}
	return false
}

func integer(k model.Kind) bool { return k >= model.Int && k <= model.Uintptr }

// isEnum reports whether a type is declared with its constants.
func (x *index) isEnum(d *model.Def) bool {
	if d.Own || len(d.Consts) == 0 || d.Is == nil || d.Type.Pkg.Path == "time" && d.Type.Name == "Duration" {
		return false
	}
	return d.Is.Kind == model.String || integer(d.Is.Kind)
}
