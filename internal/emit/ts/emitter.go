package ts

import (
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// An emitter plans one file.
type emitter struct {
	pkg *model.Package
	Options

	defs         map[string]*model.Def
	generics     map[*model.Generic]*generic
	instances    map[string]*model.Type // what instances are that only generic types mention
	names        map[*model.Def]string
	serviceNames map[*model.Service]serviceNames
	types, vars  scope

	wanted     map[*model.Def]bool // types to declare
	queue      []*model.Def        // those of them that have not been looked at
	done       map[string]bool     // names that are declared
	errors     []*declaredError
	converters []*converter
	byDef      map[*model.Def]*converter
	values     bool // a converter is mentioned
}

func newEmitter(p *model.Package, o Options) *emitter {
	e := &emitter{pkg: p, Options: o, defs: map[string]*model.Def{}, instances: map[string]*model.Type{}, names: map[*model.Def]string{},
		wanted: map[*model.Def]bool{}, done: map[string]bool{}, byDef: map[*model.Def]*converter{}}
	for _, d := range p.Types {
		e.defs[model.Key(d.Type)] = d
	}
	e.planGenerics()
	e.chooseNames()
	return e
}

// def is the declaration of a named type, aliases followed; nil where it is not known, as
// of type arguments that nothing is held of.
func (e *emitter) def(t *model.Type) *model.Def {
	for t != nil && t.Kind == model.Named {
		d := e.defs[model.Key(t)]
		if d == nil || !d.Alias {
			return d
		}
		t = d.Is
	}
	return nil
}

// resolve is what a type is, names and aliases followed. It is nil where nothing is known.
func (e *emitter) resolve(t *model.Type) *model.Type {
	for t != nil && t.Kind == model.Named {
		d := e.defs[model.Key(t)]
		if d == nil {
			return e.instance(t)
		}
		t = d.Is
		if !d.Alias {
			return t
		}
	}
	return t
}

// members is the members of the object that a struct is.
func (e *emitter) members(s *model.Type) []*model.Member {
	members, _ := model.Members(s, func(t *model.Type) *model.Type {
		if t.Kind == model.Pointer {
			t = t.Elem
		}
		return e.resolve(t)
	})
	return members
}

// special is the TypeScript of types that have a form of their own in JSON, or is empty.
func (e *emitter) special(t *model.Type, d *model.Def) string {
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
func (e *emitter) isBytes(t *model.Type) bool {
	if t.Kind != model.Slice {
		return false
	}
	is, d := e.resolve(t.Elem), e.def(t.Elem)
	return is != nil && is.Kind == model.Uint8 && (d == nil || !d.Own)
}

// unaddressed reports whether a value of type t, as the element of a map, has other JSON
// than elsewhere: encoding/json does not find the methods of a pointer there.
func (e *emitter) unaddressed(t *model.Type) bool {
	d := e.def(t)
	if d != nil && d.Own {
		return d.Addressed
	}
	is := e.resolve(t)
	switch {
	case is == nil:
		return false
	case is.Kind == model.Array:
		return e.unaddressed(is.Elem)
	case is.Kind == model.Struct:
		return slices.ContainsFunc(e.members(is), func(m *model.Member) bool { return e.unaddressed(m.Type) })
	}
	return false
}

// quotedKind is what a field with the tag's string option holds, if the option has an
// effect on it: numbers, bools and strings, or a pointer to one.
func (e *emitter) quotedKind(f *model.Field) (is *model.Type, ok bool) {
	if !f.InString {
		return nil, false
	}
	t := f.Type
	if t.Kind == model.Pointer {
		t = t.Elem
	}
	is = e.resolve(t)
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
func (e *emitter) isEnum(d *model.Def) bool {
	if d.Own || len(d.Consts) == 0 || d.Is == nil || d.Type.Pkg.Path == "time" && d.Type.Name == "Duration" {
		return false
	}
	return d.Is.Kind == model.String || integer(d.Is.Kind)
}
