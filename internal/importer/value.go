package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxDepth is how deep values of a document may nest.
const maxDepth = 200

// A value is a JSON value and where it stands in the document. Objects keep the order of
// their members. All methods of a nil value, one that is not there, may be called.
type value struct {
	path  string // from the document, as a JSON pointer behind #
	kind  string // object, array, string, number, boolean or null
	text  string // of a string, number or boolean
	names []string
	parts map[string]*value // members by name
	elems []*value
}

// parse reads a document.
func parse(text []byte) (*value, error) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	dec.UseNumber()
	v, err := read(dec, "#", 0)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
		return nil, fmt.Errorf("line %d: it is no JSON: %v", line, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it is no JSON: it ends too early")
	}
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("it is no JSON document: something follows the value")
	}
	return v, nil
}

func read(dec *json.Decoder, path string, depth int) (*value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%.200s…: it is nested more than %d deep", path, maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	v := &value{path: path}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return v, v.members(dec, depth)
		}
		return v, v.elements(dec, depth)
	case string:
		v.kind, v.text = "string", t
	case json.Number:
		v.kind, v.text = "number", t.String()
	case bool:
		v.kind, v.text = "boolean", strconv.FormatBool(t)
	case nil:
		v.kind = "null"
	}
	return v, nil
}

func (v *value) members(dec *json.Decoder, depth int) error {
	v.kind, v.parts = "object", map[string]*value{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name := token.(string) // the decoder sees to it
		if v.parts[name] == nil {
			v.names = append(v.names, name)
		}
		if v.parts[name], err = read(dec, v.path+"/"+escape.Replace(name), depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func (v *value) elements(dec *json.Decoder, depth int) error {
	v.kind = "array"
	for dec.More() {
		elem, err := read(dec, v.path+"/"+strconv.Itoa(len(v.elems)), depth+1)
		if err != nil {
			return err
		}
		v.elems = append(v.elems, elem)
	}
	_, err := dec.Token()
	return err
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// get is a member, or nil.
func (v *value) get(path ...string) *value {
	for _, name := range path {
		if v == nil {
			return nil
		}
		v = v.parts[name]
	}
	return v
}

// string is the text of a member that is a string, or empty.
func (v *value) string(name string) string {
	if m := v.get(name); m != nil && m.kind == "string" {
		return m.text
	}
	return ""
}

// is reports whether a member is true.
func (v *value) is(name string) bool { return v.get(name) != nil && v.get(name).text == "true" }

// list is the elements of a member.
func (v *value) list(name string) []*value {
	if m := v.get(name); m != nil {
		return m.elems
	}
	return nil
}

// strings is the elements of a member that are strings.
func (v *value) strings(name string) (out []string) {
	for _, e := range v.list(name) {
		if e.kind == "string" {
			out = append(out, e.text)
		}
	}
	return out
}

// key tells values apart by what they hold.
func (v *value) key() string {
	var b strings.Builder
	v.write(&b)
	return b.String()
}

func (v *value) write(b *strings.Builder) {
	switch v.kind {
	case "object":
		for _, name := range v.names {
			b.WriteString(strconv.Quote(name) + ":")
			v.parts[name].write(b)
		}
		b.WriteString("}")
	case "array":
		for _, e := range v.elems {
			e.write(b)
			b.WriteString(",")
		}
		b.WriteString("]")
	default:
		b.WriteString(v.kind + strconv.Quote(v.text))
	}
}
