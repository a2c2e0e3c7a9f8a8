package golang

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// shape is the hash that package jsongen computes when the program runs.
func (p *jsonPlan) shape(t *model.Type) string {
	h := fnv.New64a()
	h.Write([]byte(p.describe(t, map[string]int{})))
	return fmt.Sprintf("0x%016x", h.Sum64())
}

// describe does as its namesake in package jsongen.
func (p *jsonPlan) describe(t *model.Type, seen map[string]int) string {
	is, def := p.resolve(t)
	switch {
	case is == nil:
		return "?"
	case is.Kind == model.Time:
		return "time"
	case def != nil && def.Own:
		return "own"
	case is.Kind == model.Custom:
		return "string" // json.Number, which only encoding/json itself treats otherwise
	case def != nil && holds(is.Kind):
		key := p.resolvedKey(def.Type)
		if n, ok := seen[key]; ok {
			return "^" + strconv.Itoa(n)
		}
		seen[key] = len(seen)
	}
	switch is.Kind {
	case model.Pointer:
		return "*" + p.describe(is.Elem, seen)
	case model.Slice:
		return "[]" + p.describe(is.Elem, seen)
	case model.Array:
		return "[" + strconv.FormatInt(is.Len, 10) + "]" + p.describe(is.Elem, seen)
	case model.Map:
		return "map[" + p.describe(is.Key, seen) + "]" + p.describe(is.Elem, seen)
	case model.Struct:
		if def == nil {
			return "struct"
		}
		return p.describeFields(is, seen)
	}
	return is.Kind.String()
}

// holds reports whether types of a kind hold others.
func holds(k model.Kind) bool {
	return k == model.Pointer || k == model.Slice || k == model.Array || k == model.Map || k == model.Struct
}

func (p *jsonPlan) describeFields(s *model.Type, seen map[string]int) string {
	var b strings.Builder
	b.WriteByte('{')
	for _, f := range s.Fields {
		b.WriteString(f.Name)
		if f.Embedded {
			b.WriteByte('=')
		}
		b.WriteString(strconv.Quote(reflect.StructTag(f.Tag).Get("json")))
		b.WriteString(p.describe(f.Type, seen) + ";")
	}
	b.WriteByte('}')
	return b.String()
}
