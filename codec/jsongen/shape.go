package jsongen

import (
	"encoding"
	"encoding/json"
	"hash/fnv"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// shapeOf is a hash of all about a type that its JSON depends on. The generator
// computes it in the same way from source. It also reports whether methods of the
// type, or of a type that it holds, make its JSON or read it.
func shapeOf(t reflect.Type) (hash uint64, methods bool) {
	var d description
	h := fnv.New64a()
	h.Write(d.describe(nil, t, nil))
	return h.Sum64(), d.methods
}

// A description is what has been found on the way.
type description struct{ methods bool }

// describe appends the description of a type below others.
func (d *description) describe(dst []byte, t reflect.Type, above []reflect.Type) []byte {
	switch {
	case slices.Contains(above, t):
		return append(dst, '^')
	case t == reflect.TypeFor[time.Time]():
		return append(dst, "time"...)
	case own(t):
		d.methods = d.methods || t != reflect.TypeFor[json.RawMessage]()
		return append(dst, "own"...)
	}
	if t.Name() != "" {
		above = append(above, t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.describe(append(dst, '*'), t.Elem(), above)
	case reflect.Slice:
		return d.describe(append(dst, "[]"...), t.Elem(), above)
	case reflect.Array:
		dst = strconv.AppendInt(append(dst, '['), int64(t.Len()), 10)
		return d.describe(append(dst, ']'), t.Elem(), above)
	case reflect.Map:
		dst = d.describe(append(dst, "map["...), t.Key(), above)
		return d.describe(append(dst, ']'), t.Elem(), above)
	case reflect.Struct:
		if t.Name() != "" {
			return d.describeFields(dst, t, above)
		}
		d.methods = true // perhaps: what it holds is left to encoding/json
	case reflect.Interface:
		return append(dst, "any"...)
	}
	return append(dst, t.Kind().String()...)
}

// describeFields appends the fields of a struct that encoding/json looks at.
func (d *description) describeFields(dst []byte, t reflect.Type, above []reflect.Type) []byte {
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
		dst = append(d.describe(dst, f.Type, above), ';')
	}
	return append(dst, '}')
}

var methods = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
	reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}

// own reports whether a type's own methods make its JSON, or read it.
func own(t reflect.Type) bool {
	return t.Name() != "" && slices.ContainsFunc(methods, reflect.PointerTo(t).Implements)
}
