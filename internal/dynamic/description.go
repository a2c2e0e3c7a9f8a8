package dynamic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/rpc"
)

// A Description is what a server says of itself: the part of an OpenRPC document that
// calls need.
type Description struct {
	Info struct {
		Title, Version, Description string
	}
	Methods    []*Method
	Components struct {
		Schemas map[string]json.RawMessage
	}
}

// A Method is a method as it is described. One without a description has only a name.
type Method struct {
	Name, Summary, Description string
	Deprecated                 bool
	Structure                  string `json:"paramStructure"` // by-name, by-position or either
	Params                     []*Value
	Result                     *Value // nil for a notification
	Errors                     []*Error
	Extension                  Extension `json:"x-wirecall"`

	described bool
}

// A Value is a parameter or a result.
type Value struct {
	Name, Summary, Description string
	Required, Deprecated       bool
	Schema                     json.RawMessage
}

// An Error is one that the method declares.
type Error struct {
	Code    int
	Message string
	Data    json.RawMessage
}

// An Extension is what OpenRPC has no word for.
type Extension struct {
	Service string
	Streams struct {
		Params, Results map[string]json.RawMessage // the schemas of the items, by name
	}
	Results    []string // the names of several results
	Notify     bool
	Idempotent bool
	Variadic   bool
	Cursor     *struct {
		Param string
		Path  []string
	}
}

// ErrNotDescribed is returned for a server that does not describe itself.
var ErrNotDescribed = errors.New("the server does not describe itself: it has no method rpc.discover, which a wirecall server has with ServerOptions.Describe")

// Discover asks the server what it serves.
func Discover(ctx context.Context, caller rpc.Caller) (*Description, error) {
	document, err := Document(ctx, caller)
	if err != nil {
		return nil, err
	}
	return Parse(document)
}

// Document is Discover without reading what the server says.
func Document(ctx context.Context, caller rpc.Caller) (document JSON, err error) {
	err = caller.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "rpc.discover"}, Result: &document})
	if rpc.CodeOf(err) == rpc.CodeMethodNotFound {
		return nil, ErrNotDescribed
	}
	return document, err
}

// Parse reads an OpenRPC document.
func Parse(document []byte) (*Description, error) {
	var d Description
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("the description is no OpenRPC document: %w", err)
	}
	for i, m := range d.Methods {
		if m == nil || m.Name == "" {
			return nil, fmt.Errorf("the description is no OpenRPC document: method %d has no name", i)
		}
		m.described = true
		m.Params = slices.DeleteFunc(m.Params, func(v *Value) bool { return v == nil || v.Name == "" })
	}
	return &d, nil
}

// Method returns the method with that name. The error says what the server has instead.
func (d *Description) Method(name string) (*Method, error) {
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

// Undescribed returns a method of which only the name is known.
func Undescribed(name string) *Method { return &Method{Name: name} }

// Described reports whether more than the name is known.
func (m *Method) Described() bool { return m.described }

// sends reports whether a parameter is a stream.
func (m *Method) sends(name string) bool {
	_, ok := m.Extension.Streams.Params[name]
	return ok
}

// receives reports whether a result is a stream.
func (m *Method) receives(name string) bool {
	_, ok := m.Extension.Streams.Results[name]
	return ok
}

// streamsOnly reports whether the one result is a stream.
func (m *Method) streamsOnly() bool {
	return len(m.Extension.Results) == 0 && len(m.Extension.Streams.Results) > 0
}

// param returns the described parameter with that name, or nil.
func (m *Method) param(name string) *Value {
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
		var object struct{ Properties map[string]json.RawMessage }
		json.Unmarshal(m.Result.Schema, &object)
		var results []string
		for _, name := range names {
			results = append(results, name+" "+m.typeOf(name, object.Properties[name], m.Extension.Streams.Results))
		}
		return b.String() + " (" + strings.Join(results, ", ") + ")"
	}
	for _, item := range m.Extension.Streams.Results {
		return b.String() + " stream of " + TypeName(item)
	}
	if name := TypeName(m.Result.Schema); name != "null" {
		return b.String() + " " + name
	}
	return b.String()
}

func (m *Method) typeOf(name string, schema json.RawMessage, streams map[string]json.RawMessage) string {
	if item, ok := streams[name]; ok {
		return "stream of " + TypeName(item)
	}
	return TypeName(schema)
}

// TypeName is a schema in a word or two: the name of a component, or its type.
func TypeName(schema json.RawMessage) string {
	var s struct {
		Ref   string `json:"$ref"`
		Type  any
		Items json.RawMessage
		AllOf []json.RawMessage
		AnyOf []json.RawMessage
		OneOf []json.RawMessage
	}
	if json.Unmarshal(schema, &s) != nil {
		return "any"
	}
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case len(s.AllOf) == 1:
		return TypeName(s.AllOf[0])
	case len(s.AnyOf)+len(s.OneOf) > 0:
		return alternatives(append(s.AnyOf, s.OneOf...))
	}
	switch t := s.Type.(type) {
	case string:
		if t == "array" && s.Items != nil {
			return "[]" + TypeName(s.Items)
		}
		return t
	case []any:
		var names []string
		for _, name := range t {
			if name == "array" && s.Items != nil {
				name = "[]" + TypeName(s.Items)
			}
			names = append(names, fmt.Sprint(name))
		}
		return strings.Join(names, "|")
	}
	return "any"
}

func alternatives(schemas []json.RawMessage) string {
	var names []string
	for _, s := range schemas {
		if name := TypeName(s); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Streams reports whether the one result is a stream.
func (m *Method) Streams() bool { return m.streamsOnly() }

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
	if c := m.Extension.Cursor; c != nil {
		all = append(all, fmt.Sprintf("The stream goes on after a lost connection: %s is the %s of the last item.", c.Param, strings.Join(c.Path, ".")))
	}
	return all
}

// Sign is what stands between the name of a parameter and its value in an Argument.
func (m *Method) Sign(name string) string {
	v := m.param(name)
	switch {
	case m.sends(name):
		return "@"
	case v != nil && !takesText(v.Schema):
		return ":="
	}
	return "="
}
