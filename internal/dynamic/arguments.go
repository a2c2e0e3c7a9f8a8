package dynamic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// An Argument is a parameter of a call as it is written in a command line.
type Argument struct {
	Name string
	Text string // what follows the sign, without the @ of a file

	// JSON is true for name:=JSON. Otherwise the text is a string, or JSON if the
	// description says that the parameter is something else.
	JSON bool

	// File is true for name=@FILE and name:=@FILE, whose content stands for the text. -
	// is the standard input.
	File bool

	// Stream is true for name@FILE: a stream, which has an item of JSON for each line.
	Stream bool
}

// ParseArgument reads name=text, name:=JSON, name=@FILE, name:=@FILE or name@FILE.
func ParseArgument(s string) (a Argument, err error) {
	at := strings.IndexAny(s, "=@")
	if at <= 0 || s[:at] == ":" {
		return a, fmt.Errorf("%q is not a parameter: want name=text, name:=JSON, name=@FILE, name:=@FILE or, for a stream, name@FILE", s)
	}
	a.Name, a.Text = s[:at], s[at+1:]
	if s[at] == '@' {
		a.Stream = true
		return a, nil
	}
	a.Name, a.JSON = strings.CutSuffix(a.Name, ":")
	a.Text, a.File = strings.CutPrefix(a.Text, "@")
	return a, nil
}

// Params are the parameters of a call, in the order of their names.
type Params struct {
	names  []string
	values []any // *JSON or *gen1.Stream
}

// Field implements gen1.Record.
func (p *Params) Field(i int) any { return p.values[i] }

// Open opens a file, or the standard input for "-".
type Open func(name string) (io.ReadCloser, error)

// NewParams returns the parameters that the arguments say. What the description knows better
// is an error: a name that is not a parameter, one that is missing, or a value of another
// type. Streams are read from their files while they are sent; progress, which may be
// nil, is called with how many bytes have been read of one.
func NewParams(m *openrpc.Method, args []Argument, open Open, progress func(name string, read int64)) (*Params, error) {
	p := new(Params)
	for _, a := range args {
		if slices.Contains(p.names, a.Name) {
			return nil, fmt.Errorf("the parameter %s is given twice", a.Name)
		}
		v, err := argument(m, a, open, progress)
		if err != nil {
			return nil, err
		}
		p.names, p.values = append(p.names, a.Name), append(p.values, v)
	}
	return p, p.complete(m)
}

// ObjectParams returns the parameters that are the members of a JSON object; nothing, and
// null, are an object without any. An array in the place of a stream has its items. The
// errors are those of NewParams.
func ObjectParams(m *openrpc.Method, object JSON) (*Params, error) {
	var members map[string]JSON
	if len(object) > 0 {
		if err := json.Unmarshal(object, &members); err != nil {
			return nil, fmt.Errorf("the parameters must be an object: %s", m.Signature())
		}
	}
	p := new(Params)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if m.Described && m.Param(name) == nil {
			return nil, unknown(m, name)
		}
		v, err := member(m, name, members[name])
		if err != nil {
			return nil, err
		}
		p.names, p.values = append(p.names, name), append(p.values, v)
	}
	return p, p.complete(m)
}

// member returns the value of a parameter: a *JSON or a *gen1.Stream.
func member(m *openrpc.Method, name string, value JSON) (any, error) {
	if !m.Sends(name) {
		return &value, nil
	}
	var items []JSON
	if err := json.Unmarshal(value, &items); err != nil {
		return nil, fmt.Errorf("the parameter %s is a stream: want an array of its items: %s", name, m.Signature())
	}
	s := gen1.Send(rpc.Of(items...))
	return &s, nil
}

// complete returns an error if a required parameter is missing.
func (p *Params) complete(m *openrpc.Method) error {
	for _, v := range m.Params {
		if v.Required && !slices.Contains(p.names, v.Name) {
			return fmt.Errorf("the parameter %s is missing: %s", v.Name, m.Signature())
		}
	}
	return nil
}

func unknown(m *openrpc.Method, name string) error {
	return fmt.Errorf("there is no parameter %s: %s", name, m.Signature())
}

// argument returns the value of one argument: a *JSON or a *gen1.Stream.
func argument(m *openrpc.Method, a Argument, open Open, progress func(string, int64)) (any, error) {
	known := m.Param(a.Name)
	switch {
	case m.Described && known == nil:
		return nil, unknown(m, a.Name)
	case m.Described && m.Sends(a.Name) != a.Stream:
		if a.Stream {
			return nil, fmt.Errorf("the parameter %s is no stream: %s", a.Name, m.Signature())
		}
		return nil, fmt.Errorf("the parameter %s is a stream: give a file with an item of JSON a line, %s@FILE, or %s@- for the standard input", a.Name, a.Name, a.Name)
	case a.Stream:
		return newUpload(a, open, progress)
	}
	text := []byte(a.Text)
	if a.File {
		f, err := open(a.Text)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if text, err = io.ReadAll(f); err != nil {
			return nil, fmt.Errorf("%s: %w", a.Text, err)
		}
	}
	if !a.JSON && (known == nil || takesText(known.Schema) || !json.Valid(text)) {
		if known != nil && !takesText(known.Schema) {
			err := fmt.Errorf("the parameter %s: want %s, have the text %q", a.Name, known.Schema.TypeName(), brief(text))
			if known.Schema.Description != "" {
				err = fmt.Errorf("%w: %s", err, known.Schema.Description)
			}
			return nil, err
		}
		quoted, err := json.Marshal(string(text))
		j := JSON(quoted)
		return &j, err
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("the parameter %s is not JSON: %q; %s=text is a string", a.Name, brief(text), a.Name)
	}
	j := JSON(bytes.TrimSpace(text))
	return &j, nil
}

// takesText reports whether a schema may accept a string. One that refers to another, or
// says nothing of types, may.
func takesText(s *openrpc.Schema) bool {
	return s == nil || len(s.Type) == 0 || s.Allows("string")
}

// Sign is what stands between the name of a parameter and its value in an Argument.
func Sign(m *openrpc.Method, name string) string {
	v := m.Param(name)
	switch {
	case m.Sends(name):
		return "@"
	case v != nil && !takesText(v.Schema):
		return ":="
	}
	return "="
}

// brief is text that an error can quote.
func brief(text []byte) string {
	const most = 60
	if len(text) <= most {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:most]), "") + "…"
}
