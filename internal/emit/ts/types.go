package ts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// typ is a type as TypeScript has it, null included where encoding/json writes that.
func (e *emitter) typ(t *model.Type) string {
	bare := e.bare(t)
	if e.Nilable(t) && bare != "unknown" && !strings.HasSuffix(bare, " | null") {
		return bare + " | null"
	}
	return bare
}

// bare is typ without the null of the type itself, as where nil is left out.
func (e *emitter) bare(t *model.Type) string {
	switch t.Kind {
	case model.Bool:
		return "boolean"
	case model.String:
		return "string"
	case model.Pointer:
		return e.typ(t.Elem)
	case model.Slice:
		if e.IsBytes(t) {
			return "Uint8Array"
		}
		return list(e.typ(t.Elem))
	case model.Array:
		return e.array(t)
	case model.Map:
		return e.dictionary(t)
	case model.Struct:
		return "{ " + strings.Join(e.memberTypes(t), "; ") + " }"
	case model.Named:
		return e.named(t)
	case model.Param:
		return e.param(t.Name)
	}
	if e.BigInt && wide(t.Kind) {
		return "bigint"
	}
	if t.Kind < model.Any {
		return "number"
	}
	return "unknown"
}

// numberType is json.Number's.
const numberType = "number | bigint"

func list(elem string) string {
	if strings.HasSuffix(elem, " | null") || elem == numberType {
		elem = "(" + elem + ")"
	}
	return elem + "[]"
}

// maxTuple is the longest array that is written as a tuple.
const maxTuple = 8

func (e *emitter) array(t *model.Type) string {
	elem := e.typ(t.Elem)
	if t.Len > maxTuple {
		return list(elem)
	}
	return "[" + strings.Join(slices.Repeat([]string{elem}, int(t.Len)), ", ") + "]"
}

// dictionary is the type of a map. An index signature may refer to the type that it is
// part of, which Record may not.
func (e *emitter) dictionary(t *model.Type) string {
	elem := "unknown"
	if !e.Unaddressed(t.Elem) {
		elem = e.typ(t.Elem)
	}
	if d := e.Def(t.Key); d != nil && d.IsEnum() && d.Is.Kind == model.String {
		return fmt.Sprintf("{ [key in %s]?: %s }", e.named(t.Key), elem)
	}
	return "{ [key: string]: " + elem + " }"
}

// named is a reference to a named type, which is declared in the output.
func (e *emitter) named(t *model.Type) string {
	if d := e.Written(t); d != nil && d.Alias {
		if d.Is == nil {
			return "unknown"
		}
		return e.bare(d.Is)
	}
	d := e.Written(t)
	if d == nil && holdsParam(t) {
		g := e.genericOf(t)
		e.want(g.insts[0]) // one of those for which g stands
		return g.name + e.args(g, t)
	}
	if s := e.special(t, d); s != "" {
		return s
	}
	e.want(d)
	name := e.names[d]
	if g := e.generic(d); g != nil {
		name += e.args(g, t)
	}
	return name
}

// args is the arguments of an instance, those that its declaration depends on.
func (e *emitter) args(g *generic, t *model.Type) string {
	var args []string
	for i, a := range t.Args {
		if g.used[i] {
			args = append(args, e.typ(a))
		}
	}
	if len(args) == 0 {
		return ""
	}
	return "<" + strings.Join(args, ", ") + ">"
}

// memberTypes is the members of the type of a struct.
func (e *emitter) memberTypes(s *model.Type) (out []string) {
	for _, m := range e.Members(s) {
		out = append(out, e.memberType(m))
	}
	return out
}

func (e *emitter) memberType(m *model.Member) string {
	name := property(m.Wire)
	if m.Optional() {
		name += "?"
	}
	return name + ": " + e.fieldType(m)
}

// fieldType is the type of a member. Where nil is left out it is never null.
func (e *emitter) fieldType(m *model.Member) string {
	if is, ok := e.Quoted(m.Field); ok {
		return e.quotedType(m, is)
	}
	switch {
	case !m.Omit:
		return e.typ(m.Type)
	case m.Type.Kind == model.Param:
		return "Exclude<" + e.bare(m.Type) + ", null>"
	}
	return e.bare(m.Type)
}

// quotedType is the type of a member in quotes. Integers that may be beyond 2^53 are
// quoted for that reason.
func (e *emitter) quotedType(m *model.Member, is *model.Type) string {
	t := m.Type
	nilable := t.Kind == model.Pointer && !m.Omit
	if t.Kind == model.Pointer {
		t = t.Elem
	}
	out := e.typ(t)
	if wide(is.Kind) {
		out = "bigint"
	}
	if nilable {
		out += " | null"
	}
	return out
}
