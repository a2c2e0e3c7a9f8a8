package openrpc

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// A Schema is the part of JSON Schema that a description has.
type Schema struct {
	Ref             string `json:"$ref"`
	Type            types
	Format          string
	Description     string
	ContentEncoding string
	Properties      map[string]*Schema
	Required        []string
	Items           *Schema
	MinItems        *int
	MaxItems        *int
	Additional      *Schema `json:"additionalProperties"`
	PropertyNames   *Schema
	Pattern         string
	AllOf, AnyOf    []*Schema
	OneOf           []*Schema
	Constants       []Constant `json:"x-enum"`

	Text json.RawMessage `json:"-"` // as it stands in the document
}

// A Constant is a value that a type names.
type Constant struct {
	Name  string
	Value json.RawMessage
}

// types are the names of the types that a schema allows; none means all.
type types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// UnmarshalJSON implements json.Unmarshaler. A schema that is true or false, or has a form
// that is not known here, such as a list of items' schemas, says nothing.
func (s *Schema) UnmarshalJSON(b []byte) error {
	type fields Schema
	if json.Unmarshal(b, (*fields)(s)) != nil {
		*s = Schema{}
	}
	s.Text = bytes.Clone(b)
	return nil
}

// Resolve follows references and those schemas around them that add nothing but null or a
// comment. name is that of the last component, or "". null is true if null is allowed.
func (d *Document) Resolve(s *Schema) (is *Schema, name string, null bool) {
	const most = 100 // references, which a hostile document may have in a circle
	for range most {
		switch {
		case s == nil:
			return &Schema{}, name, null
		case s.Ref != "":
			name = s.RefName()
			s = d.Components.Schemas[name]
		case len(s.AllOf) == 1:
			s = s.AllOf[0]
		case len(s.AnyOf) == 2 && isNull(s.AnyOf[1]):
			s, null = s.AnyOf[0], true
		case len(s.AnyOf) == 2 && isNull(s.AnyOf[0]):
			s, null = s.AnyOf[1], true
		default:
			return s, name, null || s.Allows("null")
		}
	}
	return &Schema{}, name, null
}

func isNull(s *Schema) bool { return s != nil && len(s.Type) == 1 && s.Type[0] == "null" }

// Allows reports whether a schema names a type.
func (s *Schema) Allows(name string) bool {
	return slices.Contains(s.Type, name)
}

// Kind is the one type beside null that a schema allows, or "any".
func (s *Schema) Kind() string {
	kind := "any"
	for _, t := range s.Type {
		if t == "null" {
			continue
		}
		if kind != "any" {
			return "any"
		}
		kind = t
	}
	return kind
}

// property returns the schema of a field, or nil.
func (s *Schema) property(name string) *Schema {
	if s == nil {
		return nil
	}
	return s.Properties[name]
}

// TypeName is a schema in a word or two: the name of a component, or its type.
func (s *Schema) TypeName() string {
	switch {
	case s == nil:
		return "any"
	case s.Ref != "":
		return s.RefName()
	case len(s.AllOf) == 1:
		return s.AllOf[0].TypeName()
	case len(s.AnyOf)+len(s.OneOf) > 0:
		var names []string
		for _, alternative := range slices.Concat(s.AnyOf, s.OneOf) {
			if name := alternative.TypeName(); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return strings.Join(names, "|")
	case len(s.Type) == 0:
		return "any"
	}
	names := slices.Clone(s.Type)
	for i, name := range names {
		if name == "array" && s.Items != nil {
			names[i] = "[]" + s.Items.TypeName()
		}
	}
	return strings.Join(names, "|")
}

// RefName is the name of the component that a schema refers to.
func (s *Schema) RefName() string { return s.Ref[strings.LastIndex(s.Ref, "/")+1:] }
