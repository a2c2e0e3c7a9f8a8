package ts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// A declaration is a type in the output: an interface where it has members, the constants
// of an open union where it has constants, and else a name for Is.
type declaration struct {
	Doc     string
	Name    string
	Params  string
	Struct  bool
	Members []*member
	Consts  []*constant
	Is      string
}

type member struct{ Doc, Type string }

type constant struct{ Doc, Name, Value string }

// want has a type declared in the output.
func (e *emitter) want(d *model.Def) {
	if !e.wanted[d] {
		e.wanted[d] = true
		e.queue = append(e.queue, d)
	}
}

// declarations is the types that the output mentions, in the order in which they were met.
func (e *emitter) declarations() (out []*declaration) {
	made := map[*model.Def]*declaration{}
	for len(e.queue) > 0 {
		d := e.queue[0]
		e.queue = e.queue[1:]
		if name := e.names[d]; !e.done[name] {
			e.done[name] = true
			made[d] = e.declaration(d)
		}
	}
	for _, d := range e.pkg.Types {
		if made[d] != nil {
			out = append(out, made[d])
		}
	}
	return out
}

func (e *emitter) declaration(d *model.Def) *declaration {
	out := &declaration{Doc: d.Doc, Name: e.names[d]}
	is := d.Is
	if g := e.generic(d); g != nil {
		is, out.Params = g.Is, e.params(g)
	}
	switch {
	case d.Opaque():
		out.Is = "unknown"
	case is.Kind == model.Text:
		out.Is = "string"
	case is.Kind == model.Struct:
		out.Struct = true
		for _, m := range e.Members(is) {
			out.Members = append(out.Members, &member{m.Doc, e.memberType(m)})
		}
	case d.IsEnum():
		e.enum(out, d)
	case d.BigInt:
		out.Is = "bigint"
	case e.Endless(is):
		out.Is = "unknown"
	default:
		out.Is = e.bare(is)
	}
	return out
}

// params is the parameters of a declaration, those that it depends on.
func (ns *naming) params(g *generic) string {
	var used []string
	for i, p := range g.Params {
		if g.used[i] {
			used = append(used, ns.param(p))
		}
	}
	if len(used) == 0 {
		return ""
	}
	return "<" + strings.Join(used, ", ") + ">"
}

// param is the name of a type parameter, which must not hide a type.
func (ns *naming) param(name string) string {
	for ns.types[name] {
		name += "_"
	}
	return name
}

// enum makes a declaration of constants. A newer peer may send others.
func (e *emitter) enum(out *declaration, d *model.Def) {
	trim := trimmed(d)
	base := e.bare(d.Is)
	if d.BigInt {
		base = "bigint"
	}
	for _, c := range d.Consts {
		value, ok := e.constant(d, c.Value)
		if ok {
			out.Consts = append(out.Consts, &constant{c.Doc, key(trim(c.Name)), value})
		}
	}
	out.Is = fmt.Sprintf("(typeof %s)[keyof typeof %[1]s] | (%s & {})", out.Name, base)
}

// constant is a constant's value. A number beyond 2^53 has none.
func (x *index) constant(d *model.Def, value string) (literal string, ok bool) {
	if d.Is.Kind == model.String {
		return quote(value), true
	}
	if d.BigInt || x.BigInt && wide(d.Is.Kind) {
		return value + "n", true
	}
	return value, safe(value)
}

// safe reports whether the digits of an integer are exact in a float.
func safe(digits string) bool {
	n, err := strconv.ParseInt(digits, 10, 64)
	return err == nil && -1<<53 < n && n < 1<<53
}

// trimmed returns what constants are called in TypeScript, where the type's name stands
// before them already: KindDraft is Kind.Draft.
func trimmed(d *model.Def) func(string) string {
	trim := func(name string) string { return strings.TrimPrefix(name, d.Type.Name) }
	if slices.ContainsFunc(d.Consts, func(c *model.Const) bool {
		rest := trim(c.Name)
		return rest == c.Name || !identifier.MatchString(rest) || rest != model.Upper(rest)
	}) {
		return func(name string) string { return name }
	}
	return trim
}
