package importer

import (
	"slices"
	"strings"
	"unicode"
)

// object plans a type of objects: a struct where any members are named, and else a map.
func (im *importer) object(t *goType, v *value, hint string, s shape, depth int) {
	all := im.membersOf(v, map[*value]bool{}, depth)
	if !all.named {
		im.dictionary(t, hint, s, depth)
		return
	}
	t.is, t.nilled = structure, false
	taken := scope{}
	if im.errorData[v.path] {
		taken["Error"] = true // the method
	}
	for _, name := range all.names {
		t.fields = append(t.fields, im.field(all, name, t.name, taken, depth))
	}
}

// A members is what objects of a schema are made of.
type members struct {
	named    bool // it names members, if only to say that there are none
	names    []string
	schemas  map[string][]*value
	required map[string]bool
}

// membersOf collects the members of a schema, of all that it is made of, and of those that
// it is one of. Of those one is required where all require it.
func (im *importer) membersOf(v *value, seen map[*value]bool, depth int) *members {
	out := &members{schemas: map[string][]*value{}, required: map[string]bool{}}
	v = im.resolve(v)
	if v == nil || v.kind != "object" || seen[v] || !im.step(v, depth) {
		return out
	}
	seen[v] = true
	if p := im.want(v, "properties", "object"); p != nil {
		out.named = true
		for _, name := range p.names {
			out.add(name, p.parts[name])
		}
	}
	for _, name := range v.strings("required") {
		out.required[name] = true
	}
	for _, part := range v.list("allOf") {
		more := im.membersOf(part, seen, depth+1)
		out.merge(more)
		for name := range more.required {
			out.required[name] = true
		}
	}
	for _, options := range [][]*value{v.list("oneOf"), v.list("anyOf")} {
		var common map[string]bool
		for _, o := range options {
			if r := im.resolve(o); r != nil && r.string("type") == null {
				continue
			}
			more := im.membersOf(o, seen, depth+1)
			out.merge(more)
			common = intersection(common, more.required)
		}
		for name := range common {
			out.required[name] = true
		}
	}
	return out
}

// intersection is what both have, or the second where there is no first.
func intersection(a, b map[string]bool) map[string]bool {
	if a == nil {
		return b
	}
	out := map[string]bool{}
	for name := range a {
		if b[name] {
			out[name] = true
		}
	}
	return out
}

func (m *members) add(name string, schemas ...*value) {
	if m.schemas[name] == nil {
		m.names = append(m.names, name)
	}
	for _, s := range schemas {
		if !slices.ContainsFunc(m.schemas[name], func(o *value) bool { return o == s || o.key() == s.key() }) {
			m.schemas[name] = append(m.schemas[name], s)
		}
	}
}

func (m *members) merge(o *members) {
	m.named = m.named || o.named
	for _, name := range o.names {
		m.add(name, o.schemas[name]...)
	}
}

// dictionary plans a map.
func (im *importer) dictionary(t *goType, hint string, s shape, depth int) {
	elem, key := rawMessage, "string"
	first := s.leaves[0]
	if len(s.leaves) == 1 {
		if a := first.get("additionalProperties"); a != nil && a.kind == "object" {
			elem = im.typeBelow(a, hint+" Value", depth+1).expr()
		} else if p := first.get("patternProperties"); p != nil && len(p.names) == 1 {
			elem = im.typeBelow(p.parts[p.names[0]], hint+" Value", depth+1).expr()
		}
		if names := first.get("propertyNames"); names.string("pattern") == digits {
			key = integerOf(names)
		}
	}
	t.is, t.nilled = "map["+key+"]"+elem, true
}

// digits is the pattern of integers in quotes.
const digits = "^-?[0-9]+$"

// field plans a field. One that may be left out is nil then.
func (im *importer) field(all *members, name, owner string, taken scope, depth int) *field {
	if !validTag(name) {
		return &field{wire: name, left: "no tag can have its name"}
	}
	schema := union(all.schemas[name])
	f := &field{wire: name, name: taken.take(exported(name)), doc: docOf(schema), options: ""}
	f.typ = im.typeBelow(schema, owner+" "+exported(name), depth+1)
	if q := im.resolve(schema); q != nil && integers[q.string("format")] != "" && q.string("pattern") == digits {
		f.options = ",string"
		f.typ = &goType{is: integerOf(q)}
		if im.shapeOf(q).null {
			f.typ = f.typ.optional()
		}
	}
	if !all.required[name] {
		f.typ = f.typ.optional()
		f.options += ",omitzero"
	}
	return f
}

// validTag is encoding/json's own rule for names in tags.
func validTag(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// breakCycles has structs that would hold themselves hold a pointer.
func (im *importer) breakCycles() {
	state := map[*goType]int{} // 1 while it is being looked at, 2 behind that
	var visit func(t *goType)
	visit = func(t *goType) {
		state[t] = 1
		for _, f := range t.fields {
			if f.typ == nil || f.typ.is != structure {
				continue
			}
			switch state[f.typ] {
			case 0:
				visit(f.typ)
			case 1:
				f.typ = &goType{elem: f.typ, nilled: true}
			}
		}
		state[t] = 2
	}
	for _, t := range im.decls {
		if state[t] == 0 {
			visit(t)
		}
	}
}
