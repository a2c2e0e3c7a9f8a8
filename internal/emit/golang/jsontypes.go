package golang

import (
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// resolvedKey is model.Key without aliases, but in structs without a name: resolved
// they could be exponentially large.
func (p *jsonPlan) resolvedKey(t *model.Type) string {
	switch t.Kind {
	case model.Struct:
		return model.Key(t)
	case model.Named:
		if d := p.defs[model.Key(t)]; d != nil && d.Alias {
			return p.resolvedKey(d.Is)
		}
		return model.NamedKey(t, p.resolvedKey)
	}
	return model.UnnamedKey(t, p.resolvedKey)
}

// resolve is what a type is in all builds of the package, and the declaration of
// the name that it has, nil where it has none. The type is nil where nothing is
// known.
func (p *jsonPlan) resolve(t *model.Type) (*model.Type, *model.Def) {
	for t != nil && t.Kind == model.Named {
		d := p.defs[model.Key(t)]
		if d == nil || d.Varies {
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
func (p *jsonPlan) nameable(t *model.Type) bool {
	ok := true
	t.Walk(func(t *model.Type) {
		switch t.Kind {
		case model.Named:
			d := p.defs[model.Key(t)]
			ok = ok && (d != nil && !d.Hidden || d == nil && t.Pkg.Path == p.path)
		case model.Struct:
			ok = false
		case model.Array:
			ok = ok && !t.Unwritable
		}
	})
	return ok
}

// holdsOwn reports whether a value of type t holds one whose own methods make
// its JSON, not behind a pointer. As an element of a map it has no address, and
// then encoding/json does not see a pointer's methods.
func (p *jsonPlan) holdsOwn(t *model.Type, seen map[string]bool) bool {
	if t.Kind == model.Named {
		key := model.Key(t)
		if seen[key] {
			return false // or else it would have been found
		}
		seen[key] = true
	}
	is, def := p.resolve(t)
	switch {
	case is == nil:
		return true
	case is.Kind == model.Time, is.Kind == model.Raw:
		return false
	case def != nil && def.Own:
		return true
	case is.Kind == model.Array:
		return p.holdsOwn(is.Elem, seen)
	case is.Kind == model.Struct:
		return slices.ContainsFunc(is.Fields, func(f *model.Field) bool {
			return (f.Wire != "" || f.Flat) && p.holdsOwn(f.Type, seen)
		})
	}
	return false
}
