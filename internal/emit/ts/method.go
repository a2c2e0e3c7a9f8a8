package ts

import (
	"fmt"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

func (e *emitter) method(name string, m *model.Method) *method {
	out := &method{Doc: m.Doc, Name: name, Signature: e.signature(m)}
	add := func(format string, args ...any) { out.Table = append(out.Table, fmt.Sprintf(format, args...)) }
	add("name: %s", quote(m.Wire))
	if len(m.Params) > 0 {
		add("params: [%s]", e.described(m.Params, "wirecall.upload"))
	}
	if len(m.Results) > 0 {
		add("results: [%s]", e.described(m.Results, "true"))
	}
	if m.Notify {
		add("notify: wirecall.notify")
	}
	if m.Idempotent {
		add("idempotent: true")
	}
	if e.exact(m) {
		add("exact: json.parseExact")
	}
	if m.Cursor != nil {
		add("cursor: { param: %s, path: [%s], follow: wirecall.follow }", quote(m.Cursor.Param), quoteAll(e.CursorPath(m)))
	}
	if len(m.Errors) > 0 {
		var vars []string
		for _, err := range m.Errors {
			vars = append(vars, e.error(err).Variable)
		}
		add("errors: [%s]", strings.Join(vars, ", "))
	}
	return out
}

// signature is that of the method of the interface, from its parameters on.
func (e *emitter) signature(m *model.Method) string {
	taken, out := words(reserved+" options"), ""
	for i, v := range m.Params {
		t := e.typ(v.Type)
		switch {
		case v.Stream:
			t = fmt.Sprintf("AsyncIterable<%s> | Iterable<%[1]s>", t)
		case m.Variadic && i == len(m.Params)-1 && !e.IsBytes(v.Type):
			t = "readonly " + e.typ(v.Type) // null where a Go client gives none
		}
		out += taken.take(v.Name) + ": " + t + ", "
	}
	return "(" + out + "options?: wirecall.CallOptions): " + e.result(m)
}

// result is what the method returns: a stream at once, and all else later.
func (e *emitter) result(m *model.Method) string {
	switch len(m.Results) {
	case 0:
		return "Promise<void>"
	case 1:
		if v := m.Results[0]; !v.Stream {
			return "Promise<" + e.typ(v.Type) + ">"
		}
		return e.resultType(m.Results[0])
	}
	var members []string
	for _, v := range m.Results {
		members = append(members, property(v.Wire)+": "+e.resultType(v))
	}
	return "Promise<{ " + strings.Join(members, "; ") + " }>"
}

func (e *emitter) resultType(v *model.Value) string {
	if v.Stream {
		return "wirecall.Stream<" + e.typ(v.Type) + ">"
	}
	return e.typ(v.Type)
}

// described is the descriptions of values: a name, or an object where there is more to say.
// stream is what it says of a stream.
func (e *emitter) described(values []*model.Value, stream string) string {
	var out []string
	for _, v := range values {
		s := ""
		if v.Stream {
			s += ", stream: " + stream
		}
		if c := e.convert(v.Type, false); c != "" {
			s += ", convert: " + c
		}
		if len(v.Aliases) > 0 {
			s += ", alias: [" + quoteAll(v.Aliases) + "]"
		}
		if s == "" {
			out = append(out, quote(v.Wire))
		} else {
			out = append(out, "{ name: "+quote(v.Wire)+s+" }")
		}
	}
	return strings.Join(out, ", ")
}

// error is the guard of a declared error, one for all methods.
func (e *emitter) error(err *model.Error) *declaredError {
	for _, d := range e.errors {
		if d.key.Is(err) && d.key.Name == err.Name && d.key.Code == err.Code {
			return d
		}
	}
	name := model.Upper(err.Ident)
	out := &declaredError{Name: quote(err.Name), Code: err.Code, Is: "wirecall.RpcError", key: err}
	out.Function, out.Variable = e.vars.take("is"+name), e.vars.take("error"+name)
	out.Doc = fmt.Sprintf("%s reports whether an error is %s.", out.Function, err.Name)
	if t := err.Type; t != nil {
		if t.Kind == model.Pointer {
			t = t.Elem // whoever has the error has no nil
		}
		out.Is += "<" + e.typ(t) + ">"
		out.Convert = e.convert(t, false)
	}
	e.errors = append(e.errors, out)
	return out
}

// quoteAll is names as the elements of an array.
func quoteAll(names []string) string {
	var out []string
	for _, name := range names {
		out = append(out, quote(name))
	}
	return strings.Join(out, ", ")
}
