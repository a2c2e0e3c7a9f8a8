package golang

import (
	"go/token"

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

// maxEmbedded is how deeply structs may be embedded in each other.
const maxEmbedded = 8

// jsonFields is the members of the object that a struct's fields make, in their
// order. It fails where a field is reached through a pointer, or cannot be named.
func (e *emitter) jsonFields(s *model.Type) (fields []*jsonField, ok bool) {
	members, ok := model.Members(s, func(t *model.Type) *model.Type {
		is, def := e.json.resolve(t)
		if is == nil || is.Kind != model.Struct || def == nil {
			return nil
		}
		return is
	})
	if !ok {
		return nil, false
	}
	for _, m := range members {
		if !token.IsExported(m.Name) || len(m.Path) > maxEmbedded { // embedded, with a name of its own
			return nil, false
		}
		fields = append(fields, &jsonField{Field: m.Field, plan: e.json, path: m.Path})
	}
	return fields, true
}
