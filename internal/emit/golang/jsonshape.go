package golang

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// shape is the hash that package jsongen computes when the program runs.
func (e *emitter) shape(t *model.Type) string {
	h := fnv.New64a()
	h.Write([]byte(e.describe(t, nil)))
	return fmt.Sprintf("0x%016x", h.Sum64())
}

// describe does as its namesake in package jsongen.
func (e *emitter) describe(t *model.Type, above []*model.Def) string {
	is, def := e.resolve(t)
	switch {
	case is == nil:
		return "?"
	case def != nil && slices.Contains(above, def):
		return "^"
	case is.Kind == model.Time:
		return "time"
	case def != nil && def.Own:
		return "own"
	case is.Kind == model.Custom:
		return "string" // json.Number, which only encoding/json itself treats otherwise
	case def != nil:
		above = append(slices.Clip(above), def)
	}
	switch is.Kind {
	case model.Pointer:
		return "*" + e.describe(is.Elem, above)
	case model.Slice:
		return "[]" + e.describe(is.Elem, above)
	case model.Array:
		return "[" + strconv.FormatInt(is.Len, 10) + "]" + e.describe(is.Elem, above)
	case model.Map:
		return "map[" + e.describe(is.Key, above) + "]" + e.describe(is.Elem, above)
	case model.Struct:
		if def == nil {
			return "struct"
		}
		return e.describeFields(is, above)
	}
	return is.Kind.String()
}

func (e *emitter) describeFields(s *model.Type, above []*model.Def) string {
	var b strings.Builder
	b.WriteByte('{')
	for _, f := range s.Fields {
		b.WriteString(f.Name)
		if f.Embedded {
			b.WriteByte('=')
		}
		b.WriteString(strconv.Quote(reflect.StructTag(f.Tag).Get("json")))
		b.WriteString(e.describe(f.Type, above) + ";")
	}
	b.WriteByte('}')
	return b.String()
}
