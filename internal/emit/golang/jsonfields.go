package golang

import (
	"cmp"
	"go/token"
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// A jsonField is a member of the object that a struct is in JSON.
type jsonField struct {
	*model.Field
	plan   *jsonPlan
	path   []*model.Field // those that it is reached through, and itself
	coding *coding        // nil where its type is left to encoding/json
	quoted bool
}

// jsonFields is the members of the object that a struct's fields make, in their
// order. Like encoding/json it drops those that another hides: of several of one
// name that which is least deep remains, or there the only one with a tag, or
// none. It fails where a field is reached through a pointer.
func (e *emitter) jsonFields(s *model.Type) (fields []*jsonField, ok bool) {
	all, ok := e.flatten(s, nil)
	if !ok {
		return nil, false
	}
	byName := map[string][]*jsonField{}
	for _, f := range all {
		byName[f.Wire] = append(byName[f.Wire], f)
	}
	for _, f := range all {
		if dominant(byName[f.Wire]) == f {
			fields = append(fields, f)
		}
	}
	return fields, true
}

// maxEmbedded is how deeply structs may be embedded in each other. A field may be
// reached in exponentially many ways.
const maxEmbedded = 8

// flatten lists the fields of a struct and of those that are flattened into it.
func (e *emitter) flatten(s *model.Type, path []*model.Field) (all []*jsonField, ok bool) {
	if len(path) > maxEmbedded {
		return nil, false
	}
	for _, f := range s.Fields {
		p := append(slices.Clip(path), f)
		switch {
		case f.Flat:
			inner, def := e.resolve(f.Type)
			if inner == nil || inner.Kind != model.Struct || def == nil {
				return nil, false
			}
			fields, ok := e.flatten(inner, p)
			if !ok {
				return nil, false
			}
			all = append(all, fields...)
		case f.Wire != "":
			if !token.IsExported(f.Name) { // embedded, with a name of its own
				return nil, false
			}
			all = append(all, &jsonField{Field: f, plan: e.json, path: p})
		}
	}
	return all, true
}

// dominant is the one of the fields of one name that encoding/json takes, or
// nil.
func dominant(fields []*jsonField) *jsonField {
	fields = slices.Clone(fields)
	slices.SortStableFunc(fields, func(a, b *jsonField) int {
		return cmp.Or(cmp.Compare(len(a.path), len(b.path)), cmp.Compare(untagged(a), untagged(b)))
	})
	if len(fields) > 1 && len(fields[0].path) == len(fields[1].path) && fields[0].Tagged == fields[1].Tagged {
		return nil
	}
	return fields[0]
}

func untagged(f *jsonField) int {
	if f.Tagged {
		return 0
	}
	return 1
}
