package jsontypes

import (
	"encoding"
	"encoding/json"
	"hash/fnv"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Shape returns a hash of everything in a type that its JSON depends on. The generator
// computes the same from source.
func Shape(t reflect.Type) uint64 {
	hash, _ := shapeOf(t)
	return hash
}

// shapeOf is Shape, and also reports whether methods of the type, or of one inside it,
// encode or decode its JSON.
func shapeOf(t reflect.Type) (hash uint64, methods bool) {
	d := description{seen: map[reflect.Type]int{}}
	h := fnv.New64a()
	h.Write(d.describe(nil, t))
	return h.Sum64(), d.methods
}

// A description collects whether there are methods, and numbers the named types that
// hold others, which are described once and referred to by their number afterwards.
type description struct {
	methods bool
	seen    map[reflect.Type]int
}

// describe appends the description of a type.
func (d *description) describe(dst []byte, t reflect.Type) []byte {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return append(dst, "time"...)
	case own(t):
		d.methods = d.methods || t != reflect.TypeFor[json.RawMessage]()
		return append(dst, "own"...)
	}
	if n, ok := d.seen[t]; ok {
		return strconv.AppendInt(append(dst, '^'), int64(n), 10)
	}
	if t.Name() != "" && holds(t.Kind()) {
		d.seen[t] = len(d.seen)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.describe(append(dst, '*'), t.Elem())
	case reflect.Slice:
		return d.describe(append(dst, "[]"...), t.Elem())
	case reflect.Array:
		dst = strconv.AppendInt(append(dst, '['), int64(t.Len()), 10)
		return d.describe(append(dst, ']'), t.Elem())
	case reflect.Map:
		dst = d.describe(append(dst, "map["...), t.Key())
		return d.describe(append(dst, ']'), t.Elem())
	case reflect.Struct:
		if t.Name() != "" {
			return d.describeFields(dst, t)
		}
		d.methods = true // perhaps: what it holds is left to encoding/json
	case reflect.Interface:
		return append(dst, "any"...)
	}
	return append(dst, t.Kind().String()...)
}

// holds reports whether types of a kind hold others.
func holds(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Slice || k == reflect.Array || k == reflect.Map || k == reflect.Struct
}

// describeFields appends the fields of a struct that encoding/json looks at.
func (d *description) describeFields(dst []byte, t reflect.Type) []byte {
	dst = append(dst, '{')
	for f := range t.Fields() {
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if !f.IsExported() && !(f.Anonymous && ft.Kind() == reflect.Struct) || f.Tag.Get("json") == "-" {
			continue
		}
		dst = append(dst, f.Name...)
		if f.Anonymous {
			dst = append(dst, '=')
		}
		dst = strconv.AppendQuote(dst, f.Tag.Get("json"))
		dst = append(d.describe(dst, f.Type), ';')
	}
	return append(dst, '}')
}

var methods = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}

// own reports whether a type's own methods encode or decode its JSON.
func own(t reflect.Type) bool {
	return t.Name() != "" && slices.ContainsFunc(methods, reflect.PointerTo(t).Implements)
}
