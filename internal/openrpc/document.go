// Package openrpc reads OpenRPC documents, as far as calls and comparisons need them. What
// OpenRPC has no word for, such as streams, is in members named x-wirecall, which
// internal/emit/openrpc writes.
package openrpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Document describes services.
type Document struct {
	Info struct {
		Title, Version, Description string
	}
	Methods    []*Method
	Components struct {
		Schemas map[string]*Schema
	}
}

// A Method is a method as it is described. One of which only the name is known is not
// Described.
type Method struct {
	Name, Summary, Description string
	Deprecated                 bool
	Structure                  string `json:"paramStructure"` // by-name, by-position or either
	Params                     []*Value
	Result                     *Value // nil for a notification
	Errors                     []*Error
	Extension                  Extension `json:"x-wirecall"`

	Described bool `json:"-"`
}

// A Value is a parameter or a result.
type Value struct {
	Name, Summary, Description string
	Required, Deprecated       bool
	Schema                     *Schema
}

// An Error is one that the method declares.
type Error struct {
	Code    int
	Message string
}

// An Extension is what OpenRPC has no word for.
type Extension struct {
	Service string
	Streams struct {
		Params, Results map[string]*Schema // of the items, by name
	}
	Results []string // the names of several results
	Aliases struct {
		Params, Results map[string][]string // other names that are accepted, by name
	}
	Notify     bool
	Idempotent bool
	Cursor     *Cursor

	Subscription map[string]string // what the stream is in plain mode, by the keys of the directive
	Options      map[string]string // for interceptors and tools
	Errors       []struct {
		Name string
		Code int
		Data *Schema
	}
}

// A Cursor says how a stream continues: the parameter has the value at the path in the
// last item.
type Cursor struct {
	Param string
	Path  []string
}

// Parse reads a document.
func Parse(text []byte) (*Document, error) {
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("it is no OpenRPC document: %w", err)
	}
	if d.Methods == nil {
		return nil, errors.New("it is no OpenRPC document: it has no methods")
	}
	for i, m := range d.Methods {
		if m == nil || m.Name == "" {
			return nil, fmt.Errorf("it is no OpenRPC document: method %d has no name", i)
		}
		m.Described = true
		m.Params = slices.DeleteFunc(m.Params, func(v *Value) bool { return v == nil || v.Name == "" })
	}
	return &d, nil
}

// Method returns the method with that name. The error says what the server has instead.
func (d *Document) Method(name string) (*Method, error) {
	for _, m := range d.Methods {
		if m.Name == name {
			return m, nil
		}
	}
	var like []string
	for _, m := range d.Methods {
		if strings.EqualFold(m.Name, name) || strings.Contains(strings.ToLower(m.Name), strings.ToLower(name)) {
			like = append(like, m.Name)
		}
	}
	if len(like) > 0 {
		return nil, fmt.Errorf("the server has no method %s; it has %s", name, strings.Join(like, ", "))
	}
	return nil, fmt.Errorf("the server has no method %s", name)
}

// Sends reports whether a parameter is a stream.
func (m *Method) Sends(name string) bool {
	_, ok := m.Extension.Streams.Params[name]
	return ok
}

// Receives reports whether a result is a stream.
func (m *Method) Receives(name string) bool {
	_, ok := m.Extension.Streams.Results[name]
	return ok
}

// Streams reports whether the one result is a stream.
func (m *Method) Streams() bool {
	return len(m.Extension.Results) == 0 && len(m.Extension.Streams.Results) > 0
}

// ParamName returns the name of the parameter that has an alias. What is no alias is
// returned as it is.
func (m *Method) ParamName(alias string) string {
	for name, aliases := range m.Extension.Aliases.Params {
		if slices.Contains(aliases, alias) {
			return name
		}
	}
	return alias
}

// Param returns the parameter with that name, or nil.
func (m *Method) Param(name string) *Value {
	for _, v := range m.Params {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Signature is the method in a line, as a Go programmer would write it:
// "Room.Post(author string, text string) Message".
func (m *Method) Signature() string {
	var b strings.Builder
	b.WriteString(m.Name + "(")
	for i, v := range m.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v.Name)
		if !v.Required {
			b.WriteString("?")
		}
		b.WriteString(" " + m.typeOf(v.Name, v.Schema, m.Extension.Streams.Params))
	}
	b.WriteString(")")
	if m.Result == nil {
		return b.String()
	}
	if names := m.Extension.Results; len(names) > 0 {
		var results []string
		for _, name := range names {
			results = append(results, name+" "+m.typeOf(name, m.Result.Schema.property(name), m.Extension.Streams.Results))
		}
		return b.String() + " (" + strings.Join(results, ", ") + ")"
	}
	for _, item := range m.Extension.Streams.Results {
		return b.String() + " stream of " + item.TypeName()
	}
	if name := m.Result.Schema.TypeName(); name != "null" {
		return b.String() + " " + name
	}
	return b.String()
}

func (m *Method) typeOf(name string, schema *Schema, streams map[string]*Schema) string {
	if item, ok := streams[name]; ok {
		return "stream of " + item.TypeName()
	}
	return schema.TypeName()
}

// Notes are what there is to know of the method beside its signature, a sentence each.
func (m *Method) Notes() (all []string) {
	for _, note := range []struct {
		is   bool
		text string
	}{
		{m.Deprecated, "Deprecated."},
		{m.Extension.Notify, "A notification: it has no answer."},
		{m.Extension.Idempotent, "Idempotent: it may be called again if an answer is lost."},
		{m.Structure == "by-position", "The parameters are sent by position."},
	} {
		if note.is {
			all = append(all, note.text)
		}
	}
	for _, v := range m.Params {
		if aliases := m.Extension.Aliases.Params[v.Name]; len(aliases) > 0 {
			all = append(all, fmt.Sprintf("The parameter %s may also be called %s.", v.Name, strings.Join(aliases, " or ")))
		}
	}
	if c := m.Extension.Cursor; c != nil {
		all = append(all, fmt.Sprintf("The stream goes on after a lost connection: %s is the %s of the last item.", c.Param, strings.Join(c.Path, ".")))
	}
	return all
}
