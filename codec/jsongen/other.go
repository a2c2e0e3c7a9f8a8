package jsongen

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// AppendOther appends the value to which v points by encoding/json.
func AppendOther(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return append(dst, b...)
}

// Other decodes a value into what v points to by encoding/json.
func Other(s []byte, i int, v any) int {
	end := jsonscan.Value(s, i, maxDepth)
	if end < 0 || !reflect.ValueOf(v).Elem().IsZero() || json.Unmarshal(s[i:end:end], v) != nil {
		return failed
	}
	return end
}

// Raw stores a copy of JSON.
func Raw(s []byte, i int, v *json.RawMessage) int {
	end := jsonscan.Value(s, i, maxDepth)
	if end < 0 || *v != nil {
		return failed
	}
	*v = append(*v, s[i:end]...)
	return end
}

// AppendRaw appends JSON.
func AppendRaw(dst []byte, v *json.RawMessage) []byte { return AppendOther(dst, v) }

// AppendAny appends a value of any type.
func AppendAny(dst []byte, v *any) []byte { return appendAny(dst, *v, 0) }

func appendAny(dst []byte, v any, depth int) []byte {
	if depth > maxDepth {
		return nil // a cycle perhaps
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return AppendBool(dst, &v)
	case string:
		return jsonscan.AppendString(dst, v)
	case float64:
		return appendFloat64(dst, v)
	case int:
		return AppendInt(dst, &v)
	case []any:
		return appendAnys(dst, v, depth)
	case map[string]any:
		return appendAnyMap(dst, v, depth)
	}
	return AppendOther(dst, v)
}

func appendAnys(dst []byte, v []any, depth int) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i, elem := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = appendAny(dst, elem, depth+1); dst == nil {
			return nil
		}
	}
	return append(dst, ']')
}

func appendAnyMap(dst []byte, v map[string]any, depth int) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, k := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendString(dst, k), ':')
		if dst = appendAny(dst, v[k], depth+1); dst == nil {
			return nil
		}
	}
	return append(dst, '}')
}

// Any decodes JSON into a value of the type that encoding/json uses for it.
func Any(s []byte, i int, v *any) int {
	if *v != nil {
		return failed // it may hold a pointer
	}
	return decodeAny(s, i, v, 0)
}

func decodeAny(s []byte, i int, v *any, depth int) int {
	if uint(i) >= uint(len(s)) || depth > maxDepth {
		return failed
	}
	switch s[i] {
	case 'n':
		*v = nil
		return jsonscan.Word(s, i, "null")
	case 't', 'f':
		return boxed(s, i, v, Bool[bool])
	case '"':
		return boxed(s, i, v, String[string])
	case '[':
		return boxed(s, i, v, func(s []byte, i int, list *[]any) int {
			return Slice(s, i, list, func(s []byte, i int, v *any) int { return decodeAny(s, i, v, depth+1) })
		})
	case '{':
		return boxed(s, i, v, func(s []byte, i int, m *map[string]any) int {
			return Map(s, i, m, func(s []byte, i int, v *any) int { return decodeAny(s, i, v, depth+1) })
		})
	}
	return boxed(s, i, v, Float[float64])
}

func boxed[T any](s []byte, i int, v *any, decode Decoder[T]) int {
	var t T
	i = decode(s, i, &t)
	*v = t
	return i
}

// IsEmpty reports whether the option omitempty omits the value to which v points, whose
// JSON is encoded by its own methods.
func IsEmpty(v any) bool {
	rv := reflect.ValueOf(v).Elem()
	switch rv.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return rv.Len() == 0
	case reflect.Struct, reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128:
		return false
	}
	return rv.IsZero()
}

// IsZero reports whether the option omitzero omits the value to which v points.
func IsZero(v any) bool {
	rv := reflect.ValueOf(v).Elem()
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return true
		}
		v = rv.Interface()
	} else if rv.Kind() == reflect.Interface {
		return rv.IsNil()
	}
	if z, ok := v.(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return rv.IsZero()
}
