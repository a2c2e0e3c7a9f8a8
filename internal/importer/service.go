package importer

import (
	"slices"
	"strings"
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
