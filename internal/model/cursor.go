package model

import "slices"

// CursorPath is the members that lead from an item of a method's stream to the value of
// its cursor.
func (x *Index) CursorPath(m *Method) []string {
	item := m.Results[0].Type
	if item.Kind == Pointer {
		item = item.Elem
	}
	return x.path(x.Resolve(item), m.Cursor.Field)
}

// path is the members that lead to a field, which may be one of an embedded struct. Go
// takes the least deep of its name.
func (x *Index) path(s *Type, name string) []string {
	type place struct {
		is   *Type
		path []string
	}
	seen := map[*Type]bool{}
	for level := []place{{is: s}}; len(level) > 0; {
		var next []place
		for _, p := range level {
			if p.is == nil || p.is.Kind != Struct || seen[p.is] {
				continue
			}
			seen[p.is] = true
			for _, f := range p.is.Fields {
				path := p.path
				if f.Wire != "" {
					path = append(slices.Clip(path), f.Wire)
				}
				if f.Name == name {
					return path
				}
				if f.Embedded {
					next = append(next, place{x.embedded(f), path})
				}
			}
		}
		level = next
	}
	return nil
}

// embedded is the struct that an embedded field is or points to.
func (x *Index) embedded(f *Field) *Type {
	if f.Type.Kind == Pointer {
		return x.Resolve(f.Type.Elem)
	}
	return x.Resolve(f.Type)
}
