package mcprpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/openrpc"
)

// The prefixes of references to components, in the document and in a tool.
const (
	documentRefs = "#/components/schemas/"
	toolRefs     = "#/$defs/"
)

// maxSchema and maxSchemas are how many bytes the schemas of a tool, and those of all,
// may have. A description is another's text: each of its methods may refer to all of it.
const (
	maxSchema  = 1 << 20
	maxSchemas = 64 << 20
)

// A schema is one as a tool has it: JSON Schema 2020-12, with references to $defs.
type schema struct {
	text json.RawMessage
	refs []string // the components that it refers to
}

// schemas makes the schemas of tools from those of a document.
type schemas struct {
	document   *openrpc.Document
	components map[string]schema // those that were asked for
	size       int               // of all that were made
}

// input is the schema of a tool's arguments: the parameters by name.
func (s *schemas) input(m *openrpc.Method) (json.RawMessage, error) {
	properties, required := object{}, []string{}
	var all []schema
	for _, v := range m.Params {
		one := s.schemaOf(v.Schema)
		if m.Sends(v.Name) {
			one = listOf(s.schemaOf(m.Extension.Streams.Params[v.Name]), "A stream: its items are sent one by one.")
		}
		if v.Required {
			required = append(required, v.Name)
		}
		all = append(all, one)
		properties = append(properties, member{v.Name, described(one.text, v)})
	}
	out := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		out = append(out, member{"required", required})
	}
	return s.finish(m, append(out, member{"additionalProperties", false}), all)
}

// errorSchema is the schema of the structured content of an error.
var errorSchema = object{
	{"description", "An error."},
	{"type", "object"},
	{"properties", object{{"code", object{{"type", "integer"}}}, {"message", object{{"type", "string"}}}, {"type", object{{"type", "string"}}}, {"data", object{}}}},
	{"required", []string{"code", "message"}},
}

// output is the schema of a tool's structured content, or nil if there is none. It is an
// object's in any case, as clients of older versions of the protocol demand, and allows an
// error, as some compare that with it too.
func (s *schemas) output(m *openrpc.Method) (json.RawMessage, error) {
	var result any
	var all []schema
	switch shapeOf(s.document, m) {
	case shapeNothing:
		return nil, nil
	case shapeStream:
		var item *openrpc.Schema
		for _, item = range m.Extension.Streams.Results {
		}
		result, all = s.stream(item, m)
	case shapeSeveral:
		result, all = s.several(m)
	case shapeObject:
		one := s.schemaOf(m.Result.Schema)
		result, all = one.text, []schema{one}
	case shapeValue:
		one := s.schemaOf(m.Result.Schema)
		result, all = object{{"type", "object"}, {"properties", object{{"result", one.text}}}, {"required", []string{"result"}}}, []schema{one}
	}
	return s.finish(m, object{{"type", "object"}, {"anyOf", []any{result, errorSchema}}}, all)
}

// several is the schema of several results.
func (s *schemas) several(m *openrpc.Method) (object, []schema) {
	var values map[string]*openrpc.Schema
	if result := m.Result.Schema; result != nil {
		values = result.Properties
	}
	properties := object{}
	var all []schema
	for _, name := range m.Extension.Results {
		if m.Receives(name) {
			stream, more := s.stream(m.Extension.Streams.Results[name], m)
			properties, all = append(properties, member{name, stream}), append(all, more...)
			continue
		}
		one := s.schemaOf(values[name])
		properties, all = append(properties, member{name, one.text}), append(all, one)
	}
	return object{{"type", "object"}, {"properties", properties}, {"required", m.Extension.Results}}, all
}

// stream is the schema of what has been read of a stream.
func (s *schemas) stream(item *openrpc.Schema, m *openrpc.Method) (object, []schema) {
	items := listOf(s.schemaOf(item), "")
	all := []schema{items}
	properties := object{{"items", items.text}, {"more", object{{"type", "boolean"}, {"description", "Whether the stream had not ended."}}}}
	if c := m.Extension.Cursor; c != nil {
		after := schema{text: json.RawMessage("{}")}
		if v := m.Param(c.Param); v != nil {
			after = s.schemaOf(v.Schema)
		}
		all = append(all, after)
		properties = append(properties, member{"after", after.text})
	}
	return object{{"type", "object"}, {"properties", properties}, {"required", []string{"items", "more"}}}, all
}

// finish adds what the parts of a schema refer to.
func (s *schemas) finish(m *openrpc.Method, out object, parts []schema) (json.RawMessage, error) {
	defs, err := s.defs(parts)
	if err != nil {
		return nil, fmt.Errorf("mcprpc: %s: %w", m.Name, err)
	}
	if len(defs) > 0 {
		out = append(out, member{"$defs", defs})
	}
	text, err := out.json()
	if err != nil {
		return nil, fmt.Errorf("mcprpc: %s: %w", m.Name, err)
	}
	if s.size += len(text); len(text) > maxSchema || s.size > maxSchemas {
		return nil, fmt.Errorf("mcprpc: the schemas are too large at %s: a tool may have %d bytes of them, and all together %d", m.Name, maxSchema, maxSchemas)
	}
	return text, nil
}

// defs is the components that schemas refer to, and those that these refer to.
func (s *schemas) defs(from []schema) (object, error) {
	needed := map[string]schema{}
	size := 0
	for len(from) > 0 {
		next := from[len(from)-1]
		from = from[:len(from)-1]
		for _, ref := range next.refs {
			name, ok := component(ref)
			if !ok {
				return nil, fmt.Errorf("a schema refers to %.200q, which is not a component", ref)
			}
			if _, ok := needed[name]; ok {
				continue
			}
			is := s.document.Components.Schemas[name]
			if is == nil {
				return nil, fmt.Errorf("a schema refers to %.200q, which leads to nothing", ref)
			}
			needed[name] = s.component(name, is)
			if size += len(needed[name].text); size > maxSchema {
				return nil, fmt.Errorf("its schemas have more than %d bytes", maxSchema)
			}
			from = append(from, needed[name])
		}
	}
	var defs object
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		defs = append(defs, member{name, needed[name].text})
	}
	return defs, nil
}

// component returns the schema of a component, which many tools may need.
func (s *schemas) component(name string, is *openrpc.Schema) schema {
	known, ok := s.components[name]
	if !ok {
		known = s.schemaOf(is)
		s.components[name] = known
	}
	return known
}

// component returns the name of the component that a reference of a tool leads to, or
// into.
func component(ref string) (name string, ok bool) {
	token, ok := strings.CutPrefix(ref, toolRefs)
	token, _, _ = strings.Cut(token, "/")
	token, err := url.PathUnescape(token) // it is the fragment of a URL
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(token), ok && err == nil
}

// schemaOf returns a schema of the document as one of a tool. One that is not there allows
// anything.
func (s *schemas) schemaOf(is *openrpc.Schema) schema {
	var b bytes.Buffer
	if is == nil || len(is.Text) == 0 || json.Compact(&b, is.Text) != nil {
		return schema{text: json.RawMessage("{}")}
	}
	text := bytes.ReplaceAll(b.Bytes(), []byte(`"$ref":"`+documentRefs), []byte(`"$ref":"`+toolRefs))
	return schema{text, references(text)}
}

// references returns what a schema refers to.
func references(text []byte) (refs []string) {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return nil
	}
	var find func(any)
	find = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, elem := range v {
				find(elem)
			}
		case map[string]any:
			for name, elem := range v {
				if ref, ok := elem.(string); ok && name == "$ref" {
					refs = append(refs, ref)
				}
				find(elem)
			}
		}
	}
	find(v)
	slices.Sort(refs) // that an error is the same each time
	return slices.Compact(refs)
}

// listOf is the schema of a list of items.
func listOf(item schema, description string) schema {
	o := object{{"type", "array"}, {"items", item.text}}
	if description != "" {
		o = append(o, member{"description", description})
	}
	text, _ := o.json() // of JSON and text, which always can be written
	return schema{text, item.refs}
}

// described is a schema with the description of a parameter, if the schema has none.
func described(text json.RawMessage, v *openrpc.Value) json.RawMessage {
	description := v.Description
	if description == "" {
		description = v.Summary
	}
	o := opened(text)
	if description == "" || o == nil || slices.ContainsFunc(o, func(m member) bool { return m.name == "description" }) {
		return text
	}
	text, _ = append(object{{"description", description}}, o...).json()
	return text
}

// opened is a JSON object with its members in their order, or nil if the text is another
// value.
func opened(text json.RawMessage) (o object) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	o = object{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil
		}
		o = append(o, member{name.(string), value})
	}
	return o
}

// A shape is how the results of a method are written as structured content.
type shape int

const (
	shapeNothing shape = iota // none
	shapeObject               // the one result, an object
	shapeValue                // the one result, in the member "result"
	shapeStream               // what has been read of the one stream
	shapeSeveral              // the results by name
)

func shapeOf(d *openrpc.Document, m *openrpc.Method) shape {
	switch {
	case m.Extension.Notify || m.Result == nil:
		return shapeNothing
	case len(m.Extension.Results) > 0:
		return shapeSeveral
	case m.Streams():
		return shapeStream
	}
	is, _, null := d.Resolve(m.Result.Schema)
	switch {
	case is.Kind() == "object" && !null && !is.Allows("null"):
		return shapeObject
	case len(is.Type) == 1 && is.Allows("null"):
		return shapeNothing
	}
	return shapeValue
}
