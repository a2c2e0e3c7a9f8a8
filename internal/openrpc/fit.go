package openrpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MisfitOf says where an object of parameters is not what the method asks for, such as
// "messages[1].author: want string, have a number", or returns "" if the schemas have
// nothing against it. A stream is an array of its items. It looks at types and at required
// members only: the server decides what is valid.
func (d *Document) MisfitOf(m *Method, params json.RawMessage) string {
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.UseNumber()
	var members map[string]any
	if dec.Decode(&members) != nil {
		return ""
	}
	f := &fitting{d, maxFitting}
	for _, v := range m.Params {
		value, ok := members[v.Name]
		if !ok {
			continue
		}
		schema := v.Schema
		if m.Sends(v.Name) {
			schema = &Schema{Type: types{"array"}, Items: m.Extension.Streams.Params[v.Name]}
		}
		if misfit := f.misfit(schema, value, v.Name); misfit != "" {
			return misfit
		}
	}
	return ""
}

// A fitting compares values with schemas.
type fitting struct {
	document *Document
	left     int // comparisons; a hostile schema may be its own alternative
}

const maxFitting = 10_000

// misfit is MisfitOf for the value at a path.
func (f *fitting) misfit(s *Schema, value any, path string) string {
	if f.left--; f.left < 0 {
		return ""
	}
	is, name, null := f.document.Resolve(s)
	if value == nil && null {
		return ""
	}
	if alternatives := slices.Concat(is.AnyOf, is.OneOf); len(alternatives) > 0 {
		for _, alternative := range alternatives {
			if f.misfit(alternative, value, path) == "" {
				return ""
			}
		}
		return fmt.Sprintf("%s: want %s, have %s", path, s.TypeName(), kindOf(value))
	}
	if len(is.Type) > 0 && !slices.ContainsFunc(is.Type, func(t string) bool { return isOf(value, t) }) {
		want := strings.Join(is.Type, " or ")
		if name != "" {
			want += " (" + name + ")"
		}
		return fmt.Sprintf("%s: want %s, have %s", path, want, kindOf(value))
	}
	switch value := value.(type) {
	case []any:
		for i, elem := range value {
			if misfit := f.misfit(is.Items, elem, fmt.Sprintf("%s[%d]", path, i)); misfit != "" {
				return misfit
			}
		}
	case map[string]any:
		return f.misfitOfObject(is, value, path)
	}
	return ""
}

func (f *fitting) misfitOfObject(s *Schema, value map[string]any, path string) string {
	for _, name := range s.Required {
		if _, ok := value[name]; !ok {
			return fmt.Sprintf("%s.%s: is missing", path, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		of, ok := s.Properties[name]
		if !ok {
			of = s.Additional
		}
		if misfit := f.misfit(of, value[name], path+"."+name); misfit != "" {
			return misfit
		}
	}
	return ""
}

// isOf reports whether a value is of a type of JSON Schema.
func isOf(value any, name string) bool {
	switch value := value.(type) {
	case json.Number:
		return name == "number" || name == "integer" && isInteger(string(value))
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case []any:
		return name == "array"
	}
	return name == "object"
}

// isInteger reports whether a number of JSON is written as an integer, as encoding/json
// wants it.
func isInteger(number string) bool {
	return !strings.ContainsAny(number, ".eE")
}

// kindOf is a value in a word or two.
func kindOf(value any) string {
	switch value := value.(type) {
	case json.Number:
		if isInteger(string(value)) {
			return "an integer"
		}
		return "a number"
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}
