package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A document is the part of OpenRPC that is compared.
type document struct {
	Methods    []*method
	Components struct {
		Schemas map[string]*schema
	}
}

type method struct {
	Name       string
	Deprecated bool
	Params     []struct {
		Name   string
		Schema *schema
	}
	Result *struct {
		Schema *schema
	}
	Extension struct {
		Service string
		Streams struct {
			Params, Results map[string]*schema // of the items, by name
		}
		Results            []string // the names of several
		Notify, Idempotent bool
		Cursor             *struct {
			Param string
			Path  []string
		}
		Errors []struct {
			Name string
			Code int
			Data *schema
		}
	} `json:"x-wirecall"`
}

// A schema is the part of JSON Schema that a description has.
type schema struct {
	Ref             string `json:"$ref"`
	Type            types
	Format          string
	ContentEncoding string
	Properties      map[string]*schema
	Required        []string
	Items           *schema
	MinItems        *int
	MaxItems        *int
	Additional      *schema `json:"additionalProperties"`
	PropertyNames   *struct{ Pattern string }
	AllOf, AnyOf    []*schema
	OneOf           []*schema
	Constants       []constant `json:"x-enum"`
}

// A constant is a value that a type names.
type constant struct {
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

// UnmarshalJSON implements json.Unmarshaler. A schema may be true or false, which say
// nothing about what a value looks like.
func (s *schema) UnmarshalJSON(b []byte) error {
	type fields schema
	var yes bool
	if json.Unmarshal(b, &yes) == nil {
		return nil
	}
	return json.Unmarshal(b, (*fields)(s))
}

func parse(text []byte) (*document, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("it is no OpenRPC document: %w", err)
	}
	for i, m := range d.Methods {
		if m == nil || m.Name == "" {
			return nil, fmt.Errorf("it is no OpenRPC document: method %d has no name", i)
		}
	}
	if d.Methods == nil {
		return nil, errors.New("it is no OpenRPC document: it has no methods")
	}
	return &d, nil
}

// resolve follows references and those schemas around them that add nothing but null or a
// comment. name is that of the last component, or "". null is true if null is allowed.
func (d *document) resolve(s *schema) (is *schema, name string, null bool) {
	const most = 100 // references, which a hostile document may have in a circle
	for range most {
		switch {
		case s == nil:
			return &schema{}, name, null
		case s.Ref != "":
			name = s.Ref[strings.LastIndex(s.Ref, "/")+1:]
			s = d.Components.Schemas[name]
		case len(s.AllOf) == 1:
			s = s.AllOf[0]
		case len(s.AnyOf) == 2 && isNull(s.AnyOf[1]):
			s, null = s.AnyOf[0], true
		case len(s.AnyOf) == 2 && isNull(s.AnyOf[0]):
			s, null = s.AnyOf[1], true
		default:
			return s, name, null || s.allows("null")
		}
	}
	return &schema{}, name, null
}

func isNull(s *schema) bool { return s != nil && len(s.Type) == 1 && s.Type[0] == "null" }

// allows reports whether a schema names a type.
func (s *schema) allows(name string) bool {
	return slices.Contains(s.Type, name)
}

// kind is the one type beside null that a schema allows, or "any".
func (s *schema) kind() string {
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
