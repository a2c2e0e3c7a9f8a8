package model

import "slices"

// An Index finds the named types of a package, and says what encoding/json makes of them.
type Index struct {
	defs map[string]*Def // by the keys of their types

	// Instance is what a named type is of which the package has no Def; nil where it is
	// not known. It must be the same for the same type.
	Instance func(*Type) *Type
}

// NewIndex returns an index of the types of a package. A Custom type whose JSON is that of
// another type is an alias there.
func NewIndex(p *Package) *Index {
	x := &Index{defs: map[string]*Def{}, Instance: func(*Type) *Type { return nil }}
	for _, d := range p.Types {
		if d.Is != nil && d.Is.Kind == Custom && d.Is.Elem != nil {
			d = &Def{Type: d.Type, Alias: true, Is: d.Is.Elem}
		}
		x.defs[Key(d.Type)] = d
	}
	return x
}

// Written is the declaration of a named type or alias as it was written; nil where it is
// not known.
func (x *Index) Written(t *Type) *Def { return x.defs[Key(t)] }

// Def is the declaration of a named type, aliases followed; nil where it is not known, as
// of type arguments that nothing is held of.
func (x *Index) Def(t *Type) *Def {
	for t != nil && t.Kind == Named {
		d := x.Written(t)
		if d == nil || !d.Alias {
			return d
		}
		t = d.Is
	}
	return nil
}

// Resolve is what a type is, names and aliases followed. It is nil where nothing is known.
func (x *Index) Resolve(t *Type) *Type {
	for t != nil && t.Kind == Named {
		d := x.Written(t)
		if d == nil {
			return x.Instance(t)
		}
		t = d.Is
		if !d.Alias {
			return t
		}
	}
	return t
}

// Members is the members of the object that a struct is.
func (x *Index) Members(s *Type) []*Member {
	members, _ := Members(s, func(t *Type) *Type {
		if t.Kind == Pointer {
			t = t.Elem
		}
		return x.Resolve(t)
	})
	return members
}

// Nilable reports whether a value of type t may be null.
func (x *Index) Nilable(t *Type) bool {
	if d := x.Def(t); d != nil && d.Own {
		return false // the methods of a nil slice make its JSON
	}
	is := x.Resolve(t)
	return is != nil && (is.Kind == Pointer || is.Kind == Slice || is.Kind == Map)
}

// IsBytes reports whether a type is a slice that is base64.
func (x *Index) IsBytes(t *Type) bool {
	if t.Kind != Slice {
		return false
	}
	is, d := x.Resolve(t.Elem), x.Def(t.Elem)
	return is != nil && is.Kind == Uint8 && (d == nil || !d.Own)
}

// Unaddressed reports whether a value of type t, as the element of a map, has other JSON
// than elsewhere: encoding/json does not find the methods of a pointer there.
func (x *Index) Unaddressed(t *Type) bool {
	d := x.Def(t)
	if d != nil && d.Own {
		return d.Addressed
	}
	is := x.Resolve(t)
	switch {
	case is == nil:
		return false
	case is.Kind == Array:
		return x.Unaddressed(is.Elem)
	case is.Kind == Struct:
		return slices.ContainsFunc(x.Members(is), func(m *Member) bool { return x.Unaddressed(m.Type) })
	}
	return false
}

// Quoted is what a field with the tag's string option holds, if the option has an effect
// on it: numbers, bools and strings, or a pointer to one.
func (x *Index) Quoted(f *Field) (is *Type, ok bool) {
	if !f.InString {
		return nil, false
	}
	t := f.Type
	if t.Kind == Pointer {
		t = t.Elem
	}
	is = x.Resolve(t)
	return is, is != nil && is.Kind <= String
}

// IsEnum reports whether the constants of a type are those that its values are made of.
func (d *Def) IsEnum() bool {
	if d.Own || len(d.Consts) == 0 || d.Is == nil || d.Type.Is("time", "Duration") {
		return false
	}
	return d.Is.Kind == String || d.Is.Kind.IsInteger()
}

// Opaque reports whether a type's own methods make or read JSON that only they know.
func (d *Def) Opaque() bool {
	return d.Own && d.Is.Kind != Text && d.Is.Kind != Time && d.Is.Kind != Raw
}

// Endless reports whether a type is a pointer to itself and nothing else.
func (x *Index) Endless(t *Type) bool {
	for seen := map[*Type]bool{}; t != nil && t.Kind == Pointer; t = x.Resolve(t.Elem) {
		if seen[t] {
			return true
		}
		seen[t] = true
	}
	return false
}

// IsInteger reports whether a kind is one of integers.
func (k Kind) IsInteger() bool { return k >= Int && k <= Uintptr }
