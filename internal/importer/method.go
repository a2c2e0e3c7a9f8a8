package importer

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

// A service is one interface.
type service struct {
	name    string // in Go
	wire    string // of the service, where the document says it
	pattern string // of the names of its methods, or empty
	doc     string
	byPos   bool // most of its methods send their parameters by position
	methods []*method
}

// A method is one of an interface, or the reason why it is left out.
type method struct {
	*value
	wire       string
	name       string
	doc        string
	directives []string
	byPos      bool
	params     []string // as they are declared
	results    []string
	left       string // why it is left out
}

// extension is what a description of ours says.
func (m *method) extension() *value { return m.get("x-wirecall") }

// group makes the services of all methods: those that the document names, or else one for
// each prefix of their names, if there are few.
func (im *importer) group() {
	var all []*method
	seen := map[string]bool{}
	for _, v := range im.doc.list("methods") {
		v = im.resolve(v)
		if v == nil {
			continue
		}
		name := im.want(v, "name", "string")
		switch {
		case name == nil:
			im.bad(v, "the method has no name")
		case seen[name.text]:
			im.bad(name, "the method %q is there twice", name.text)
		default:
			seen[name.text] = true
			all = append(all, &method{value: v, wire: name.text})
		}
	}
	few := prefixes(all)*2 <= len(all)
	byKey := map[string]*service{}
	for _, m := range all {
		wire := m.extension().string("service")
		key := wire
		if key == "" && few {
			key, _, _ = cut(m.wire)
		}
		if wire != "" && !validName(wire) {
			im.bad(m.extension().get("service"), "%q is no name of a service", wire)
			continue
		}
		s := byKey[key]
		if s == nil {
			s = &service{wire: wire, name: key}
			byKey[key] = s
			im.services = append(im.services, s)
		}
		s.methods = append(s.methods, m)
	}
	for _, s := range im.services {
		s.nameMethods()
	}
}

// nameMethods names methods by what follows the prefix that all have, or else by what is
// behind the last . or /.
func (s *service) nameMethods() {
	same := prefixes(s.methods) == 1
	for _, m := range s.methods {
		_, _, rest := cut(m.wire)
		if !same {
			rest = m.wire[strings.LastIndexAny(m.wire, "./")+1:]
		}
		m.name = exported(rest)
	}
}

// prefixes is how many methods have different ones.
func prefixes(all []*method) int {
	seen := map[string]bool{}
	for _, m := range all {
		prefix, _, _ := cut(m.wire)
		seen[prefix] = true
	}
	return len(seen)
}

// cut cuts the name of a method at the last . or /, or else at the first _.
func cut(name string) (prefix, separator, rest string) {
	i := strings.LastIndexAny(name, "./")
	if i < 0 {
		i = strings.Index(name, "_")
	}
	if i <= 0 || i == len(name)-1 {
		return "", "", name
	}
	return name[:i], name[i : i+1], name[i+1:]
}

// reserve names a service and its methods, and reserves what the generator makes for it.
func (im *importer) reserve(s *service) {
	name := "API"
	if s.name != "" {
		name = exported(s.name)
	}
	bases := func(name string) []string {
		base := strings.TrimSuffix(name, "Service")
		if base == "" {
			base = name
		}
		return []string{name, base, base + "Service", base + "Client", "New" + base + "Client", "New" + base + "Service"}
	}
	for slices.ContainsFunc(bases(name), func(n string) bool { return im.names[n] }) {
		name += "X"
	}
	for _, n := range bases(name) {
		im.names[n] = true
	}
	s.name = name
	taken := scope{}
	for _, m := range s.methods {
		m.name = taken.take(m.name)
		im.names[bases(name)[1]+m.name+"Method"] = true
	}
	s.doc = im.tag(s)
	im.position(s)
	im.naming(s)
}

// tag is the description of the tag that the methods of a service have, if it is named
// after it.
func (im *importer) tag(s *service) string {
	for _, t := range s.methods[0].list("tags") {
		if t = im.resolve(t); t != nil && s.wire != "" && t.string("name") == s.wire {
			return t.string("description")
		}
	}
	return ""
}

// position decides how parameters are sent: of those that a description of ours does not
// say anything about by position, unless they must be by name.
func (im *importer) position(s *service) {
	n := 0
	for _, m := range s.methods {
		structure := m.string("paramStructure")
		m.byPos = structure == "by-position" || structure != "by-name" && m.extension() == nil
		if m.byPos {
			n++
		}
	}
	s.byPos = n*2 > len(s.methods)
}

// naming finds the pattern that most names of a service's methods follow.
func (im *importer) naming(s *service) {
	best := 0
	for _, m := range s.methods {
		if m.wire == s.wireName()+"."+m.name {
			best++
		}
	}
	prefix, separator, _ := cut(s.methods[0].wire)
	for _, style := range []string{"methodName", "MethodName", "method_name", "method-name", "methodname"} {
		for _, pattern := range []string{prefix + separator + style, style} {
			n := 0
			for _, m := range s.methods {
				if im.MethodName(pattern, m.name) == m.wire {
					n++
				}
			}
			if n > best {
				best, s.pattern = n, pattern
			}
		}
	}
}

// wireName is the name of the service on the wire.
func (s *service) wireName() string {
	if s.wire != "" {
		return s.wire
	}
	return s.base()
}

func (s *service) base() string {
	if base, ok := strings.CutSuffix(s.name, "Service"); ok && base != "" {
		return base
	}
	return s.name
}

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
	var omit []string
	list := m.list("params")
	im.want(m.value, "params", "array")
	for i, p := range list {
		p = im.resolve(p)
		if p == nil {
			continue
		}
		wire := p.string("name")
		name := wire
		if m.byPos || wire == "" {
			name = local(wire)
			if wire == "" {
				name = fmt.Sprint("arg", i)
			}
		}
		if !token.IsIdentifier(name) || name == "_" {
			m.left = fmt.Sprintf("its parameter %q is sent by name and is no identifier", wire)
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
		t := im.param(m, p, i == len(list)-1)
		if x == nil && !p.is("required") && !m.byPos {
			omit = append(omit, name)
		}
		m.params = append(m.params, name+" "+t)
	}
	im.sent(s, m, append(omit, x.strings("omitempty")...))
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
		for _, name := range names {
			if !token.IsIdentifier(name) || taken[name] {
				im.bad(x.get("results"), "%q is no name of a result, or the name of two", name)
				return
			}
			taken[name] = true
			m.results = append(m.results, name+" "+im.result(m, items.get(name), r.get("schema", "properties", name), name))
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

// cursor adds the directive of a cursor, if the field that it names is one.
func (im *importer) cursor(m *method, c *value) {
	path := c.strings("path")
	item := im.resolve(firstOf(m.extension().get("streams", "results")))
	t := im.typeOf(item, m.name+" Item")
	if len(path) == 1 {
		for _, f := range t.fields {
			if f.wire == path[0] {
				m.directives = append(m.directives, "cursor "+c.string("param")+"="+f.name)
				return
			}
		}
	}
	if m.extension().is("idempotent") {
		m.directives = append(m.directives, "idempotent")
	}
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
