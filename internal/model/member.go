package model

import (
	"cmp"
	"slices"
)

// A Member is a member of the object that a struct is in JSON.
type Member struct {
	*Field
	Path []*Field // the embedded fields that it is reached through, and itself

	at []int // the index of each of them in its struct
}

// Optional reports whether the member may be missing: its zero value is left out, or an
// embedded pointer on the way to it may be nil.
func (m *Member) Optional() bool {
	return m.Omit || slices.ContainsFunc(m.Path[:len(m.Path)-1], func(f *Field) bool { return f.Type.Kind == Pointer })
}

// Members is the members of the object that encoding/json makes of a struct, in their
// order. Of several of one name it takes that which is least deep, or there the only one
// with a tag, or none. resolve is the struct that an embedded field's type stands for, the
// same for the same type; Members fails where that is nil.
func Members(s *Type, resolve func(*Type) *Type) (members []*Member, ok bool) {
	f := &flattening{resolve: resolve, seen: map[*Type]bool{}}
	for level := []*embedding{{is: s, times: 1}}; len(level) > 0; {
		if level, ok = f.below(level); !ok {
			return nil, false
		}
	}
	byName := map[string][]*Member{}
	for _, m := range f.members {
		byName[m.Wire] = append(byName[m.Wire], m)
	}
	for _, same := range byName {
		if m := dominant(same); m != nil {
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b *Member) int { return slices.Compare(a.at, b.at) })
	return members, true
}

// An embedding is a struct that is embedded on one level.
type embedding struct {
	is    *Type
	path  []*Field
	at    []int
	times int // how often it is embedded on the level: twice, and its fields hide each other
}

// A flattening collects fields of a struct and of those embedded in it, level by level.
// A struct that is reached on several levels counts on the least deep.
type flattening struct {
	resolve func(*Type) *Type
	seen    map[*Type]bool
	members []*Member
}

// below adds the fields of the structs of one level, and returns those of the next.
func (f *flattening) below(level []*embedding) (next []*embedding, ok bool) {
	for _, e := range level {
		if f.seen[e.is] {
			continue
		}
		f.seen[e.is] = true
		for i, field := range e.is.Fields {
			path, at := append(slices.Clip(e.path), field), append(slices.Clip(e.at), i)
			if field.Wire != "" {
				f.members = append(f.members, slices.Repeat([]*Member{{field, path, at}}, min(e.times, 2))...)
			}
			if !field.Flat {
				continue
			}
			is := f.resolve(field.Type)
			if is == nil {
				return nil, false
			}
			if known := slices.IndexFunc(next, func(n *embedding) bool { return n.is == is }); known >= 0 {
				next[known].times++
			} else {
				next = append(next, &embedding{is, path, at, 1})
			}
		}
	}
	return next, true
}

// dominant is the one of the members of one name that encoding/json takes, or nil.
func dominant(same []*Member) *Member {
	slices.SortStableFunc(same, func(a, b *Member) int {
		return cmp.Or(cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(untagged(a), untagged(b)))
	})
	if len(same) > 1 && len(same[0].Path) == len(same[1].Path) && same[0].Tagged == same[1].Tagged {
		return nil
	}
	return same[0]
}

func untagged(m *Member) int {
	if m.Tagged {
		return 0
	}
	return 1
}
