package importer

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

// A method is one of an interface, or the reason why it is left out.
type method struct {
	*value
	wire       string
	name       string
	doc        string
	directives []string
	byPos      bool
	params     []string          // as they are declared
	names      map[string]string // of the parameters in Go, by those on the wire
	results    []string
	left       string // why it is left out
}

// extension is what a description of ours says.
func (m *method) extension() *value { return m.get("x-wirecall") }

// method plans a method.
func (im *importer) method(s *service, m *method) {
	m.doc = docOf(m.value)
	x := m.extension()
	if im.wireName(s, m) != m.wire {
		m.directives = append(m.directives, "name "+m.wire)
	}
	if !validName(m.wire) {
		m.left = "its name is none that a method can have"
		return
	}
	im.params(s, m)
	im.results(m)
	if m.left != "" {
		return
	}
	for _, flag := range []string{"idempotent", "unordered"} {
		if x.is(flag) && x.get("cursor") == nil {
			m.directives = append(m.directives, flag)
		}
	}
	if c := x.get("cursor"); c != nil {
		im.cursor(m, c)
	}
	if options := x.get("options"); options != nil {
		for _, key := range options.names {
			m.directives = append(m.directives, "option "+quoted(key+"="+options.string(key)))
		}
	}
	im.subscription(m)
	if x == nil && strings.HasSuffix(strings.ToLower(m.wire), "_subscribe") {
		m.doc += "\n\nItems come as notifications. To have them as a stream, declare a method that returns one, with a subscription directive."
	}
	im.errors(m)
	m.directives = slices.DeleteFunc(m.directives, func(d string) bool {
		return strings.ContainsFunc(d, func(r rune) bool { return !unicode.IsPrint(r) }) // they would not end with the line
	})
}

// wireName is the name that a method has if no directive gives it another.
func (im *importer) wireName(s *service, m *method) string {
	if s.pattern != "" {
		return im.MethodName(s.pattern, m.name)
	}
	return s.wireName() + "." + m.name
}

// params plans the parameters of a method. Sent by name they have the names of the document,
// which must be identifiers.
func (im *importer) params(s *service, m *method) {
	x := m.extension()
	taken := scope{}
	names := map[string]string{} // in Go, by those of the document
	var omit []string
	list := m.list("params")
	im.want(m.value, "params", "array")
	for i, p := range list {
		p = im.resolve(p)
		if p == nil {
			continue
		}
		wire := p.string("name")
		named := x != nil || !m.byPos // and not by position alone
		name := wire
		switch {
		case wire == "":
			name = fmt.Sprint("arg", i)
		case m.byPos && !named, !token.IsIdentifier(wire), wire == "_":
			name = local(wire)
		}
		if named && name != wire && !validName(wire) {
			m.left = fmt.Sprintf("its parameter %q is sent by name, and its name is none that a parameter can have", wire)
			return
		}
		if taken[strings.ToLower(name)] {
			if !m.byPos {
				m.left = fmt.Sprintf("its parameter %q is there twice, but for capitals", wire)
				return
			}
			name = fmt.Sprint(name, i)
		}
		taken[strings.ToLower(name)] = true
		names[wire] = name
		m.renamed("param", wire, name, x.get("aliases", "params"))
		t := im.param(m, p, i == len(list)-1)
		if x == nil && !p.is("required") && !m.byPos {
			omit = append(omit, name)
		}
		m.params = append(m.params, name+" "+t)
	}
	for _, wire := range x.strings("omitempty") {
		omit = append(omit, names[wire])
	}
	im.sent(s, m, omit)
	m.names = names
}

// renamed adds the directive that gives a parameter or a result its name on the wire and its
// aliases, if it needs one.
func (m *method) renamed(verb, wire, name string, aliases *value) {
	words := []string{verb, name}
	if m.extension() == nil && m.byPos {
		return
	}
	if name != wire {
		words = append(words, "name="+wire)
	}
	others := slices.DeleteFunc(aliases.strings(wire), func(name string) bool { return !validName(name) })
	if len(others) > 0 {
		words = append(words, "alias="+strings.Join(others, ","))
	}
	if len(words) > 2 {
		m.directives = append(m.directives, strings.Join(words, " "))
	}
}

// param is the type of a parameter. One that may be left out may be nil.
func (im *importer) param(m *method, p *value, last bool) string {
	x := m.extension()
	if item := x.get("streams", "params", p.string("name")); item != nil {
		return "iter.Seq2[" + im.typeOf(item, m.name+" Item").expr() + ", error]"
	}
	if p.get("schema") == nil {
		return rawMessage
	}
	t := im.typeOf(p.get("schema"), m.name+" "+p.string("name"))
	switch {
	case last && x.is("variadic") && strings.HasPrefix(t.is, "[]") && t.name == "":
		return "..." + strings.TrimPrefix(t.is, "[]")
	case x == nil && !p.is("required"):
		return t.optional().expr()
	}
	return t.expr()
}

// sent adds the directive of how the parameters are sent, if that is not the service's.
func (im *importer) sent(s *service, m *method, omit []string) {
	omit = slices.Compact(slices.Sorted(slices.Values(omit)))
	var words []string
	if m.byPos != s.byPos || len(omit) > 0 {
		words = append(words, map[bool]string{true: "position", false: "name"}[m.byPos])
	}
	if len(omit) > 0 {
		words = append(words, "omitempty="+strings.Join(omit, ","))
	}
	if len(words) > 0 && len(m.params) > 0 {
		m.directives = append(m.directives, "params "+strings.Join(words, " "))
	}
}

// results plans the results of a method, without the error that all have.
func (im *importer) results(m *method) {
	x := m.extension()
	r := im.resolve(m.get("result"))
	items := x.get("streams", "results")
	if m.get("result") == nil {
		m.directives = append(m.directives, "notify")
		return
	}
	if names := x.strings("results"); len(names) > 0 {
		taken := scope{}
		for _, wire := range names {
			name := wire
			if !token.IsIdentifier(wire) {
				name = local(wire)
			}
			if !validName(wire) || taken[name] {
				im.bad(x.get("results"), "%q is no name of a result, or the name of two", wire)
				return
			}
			taken[name] = true
			m.renamed("result", wire, name, x.get("aliases", "results"))
			m.results = append(m.results, name+" "+im.result(m, items.get(wire), r.get("schema", "properties", wire), wire))
		}
		return
	}
	if items != nil && len(items.names) == 1 {
		m.results = []string{im.result(m, items.get(items.names[0]), nil, "Item")}
		return
	}
	schema := r.get("schema")
	if schema == nil {
		schema = &value{path: m.path, kind: "object"}
	}
	if t := im.typeOf(schema, m.name+" Result"); t.is != null {
		m.results = []string{t.expr()}
	}
}

// result is the type of a result, a stream if it has items.
func (im *importer) result(m *method, item, schema *value, hint string) string {
	switch {
	case item != nil:
		return "iter.Seq2[" + im.typeOf(item, m.name+" "+hint).expr() + ", error]"
	case schema == nil:
		return rawMessage
	}
	return im.typeOf(schema, m.name+" "+hint).expr()
}

// cursor adds the directive of a cursor, if the field that it names is one, and of the
// parameter's type. Without one the method is idempotent, which a cursor implies.
func (im *importer) cursor(m *method, c *value) {
	path := c.strings("path")
	item := firstOf(m.extension().get("streams", "results"))
	t := im.typeOf(item, m.name+" Item")
	if t.elem != nil {
		t = t.elem
	}
	if len(path) == 1 {
		for _, f := range t.fields {
			if f.wire == path[0] && f.left == "" && slices.Contains(m.params, m.names[c.string("param")]+" "+f.typ.expr()) {
				m.directives = append(m.directives, "cursor "+m.names[c.string("param")]+"="+f.name)
				return
			}
		}
	}
	m.directives = append(m.directives, "idempotent")
}

func firstOf(v *value) *value {
	if v == nil || len(v.names) == 0 {
		return &value{path: "#", kind: "object"}
	}
	return v.parts[v.names[0]]
}

func (im *importer) subscription(m *method) {
	sub := m.extension().get("subscription")
	if sub == nil {
		return
	}
	words := []string{"subscription"}
	for _, key := range sub.names {
		words = append(words, key+"="+sub.string(key))
	}
	m.directives = append(m.directives, strings.Join(words, " "))
}
