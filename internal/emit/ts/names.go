package ts

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"github.com/wirecall/wirecall/internal/model"
)

// A scope is identifiers that are in use.
type scope map[string]bool

// take returns name, with as many underscores behind it as it takes to be free.
func (s scope) take(name string) string {
	for s[name] {
		name += "_"
	}
	s[name] = true
	return name
}

func words(list string) scope {
	s := scope{}
	for w := range strings.FieldsSeq(list) {
		s[w] = true
	}
	return s
}

// Words that no variable or parameter of a module may be called.
const reserved = `arguments await break case catch class const continue debugger default delete do else enum eval export
	extends false finally for function if implements import in instanceof interface let new null package private
	protected public return static super switch this throw true try typeof undefined var void while with yield`

// Names that no module may export: whoever imports it would take it for a promise.
const unexportable = `then`

// Names of types that mean something else, or that the output mentions.
const predeclared = `any bigint boolean never null number object string symbol undefined unknown void
	AsyncIterable Exclude Iterable Promise Uint8Array wirecall json`

// A naming has the names of all that the package may declare.
type naming struct {
	*index
	types, vars  scope
	names        map[*model.Def]string
	serviceNames map[*model.Service]serviceNames
}

type serviceNames struct{ typ, table, function string }

// newNaming gives services and types the names that they have in Go, types of other
// packages too where those are free.
func newNaming(x *index) *naming {
	ns := &naming{index: x, names: map[*model.Def]string{}, serviceNames: map[*model.Service]serviceNames{}}
	ns.types, ns.vars = words(reserved+" "+predeclared), words(reserved+" "+unexportable+" wirecall json")
	for _, s := range ns.pkg.Services {
		ns.serviceNames[s] = serviceNames{typ: ns.types.take(s.Name)}
	}
	for _, own := range []bool{true, false} {
		for _, d := range ns.pkg.Types {
			if (d.Type.Pkg.Path == ns.pkg.Path) == own && !ns.Written(d.Type).Alias {
				ns.nameType(d)
			}
		}
	}
	for _, s := range ns.pkg.Services {
		n := ns.serviceNames[s]
		n.table, n.function = ns.vars.take(model.Upper(s.Base())+"Service"), ns.vars.take(lower(s.Base()))
		ns.serviceNames[s] = n
	}
	return ns
}

// nameType names a type, and a generic type once for all instances. Where the name is
// taken that of the package goes before it.
func (ns *naming) nameType(d *model.Def) {
	if g := ns.generic(d); g != nil {
		if g.name == "" {
			g.name = ns.typeName(d.Type, d.Type.Name, d)
		}
		ns.names[d] = g.name
		return
	}
	ns.names[d] = ns.typeName(d.Type, model.InstanceName(d.Type), d)
}

func (ns *naming) typeName(t *model.Type, name string, d *model.Def) string {
	if ns.types[name] {
		name = model.Upper(t.Pkg.Name) + model.Upper(name)
	}
	for ns.types[name] || d.IsEnum() && ns.vars[name] {
		name += "_"
	}
	ns.types[name] = true
	if d.IsEnum() {
		ns.vars[name] = true
	}
	return name
}

// methodName is the name of a method, its first word lowered. A client with a method
// called then would be taken for a promise.
func methodName(name string) string {
	name = lower(name)
	if name == "then" || name == "constructor" {
		return name + "_"
	}
	return name
}

// lower is name with its first word in lower case: Room is room, HTTPRoom httpRoom.
func lower(name string) string {
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) || !unicode.IsUpper(r) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}

var identifier = regexp.MustCompile(`^[\pL_$][\pL\p{Nd}_$]*$`)

// property is a name as that of a member of a type.
func property(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return quote(name)
}

// key is a name as that of a member of an object. Written as it is __proto__ would not
// make a member.
func key(name string) string {
	if name == "__proto__" {
		return `["__proto__"]`
	}
	return property(name)
}

// quote is a string literal.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a string always has JSON
	return strings.TrimSuffix(b.String(), "\n")
}
