package ts

import (
	"github.com/wirecall/wirecall/internal/model"
)

// notes is what is lost in TypeScript, and where: each fact once for a package.
func (e *emitter) notes() (out model.Problems) {
	for _, s := range e.pkg.Services {
		for _, m := range s.Methods {
			for _, v := range values(m) {
				w := &noter{e: e, at: m.Pos, where: s.Name + "." + m.Name + ": " + v.Name + ": ", seen: map[*model.Type]bool{}}
				w.walk(v.Type)
				out = append(out, w.notes...)
			}
		}
	}
	return out.Sorted()
}

// A noter looks for what is lost of one value.
type noter struct {
	e     *emitter
	at    model.Pos
	where string
	seen  map[*model.Type]bool
	notes model.Problems
}

func (w *noter) note(fact string) {
	w.notes = append(w.notes, model.Problem{Pos: w.at, Text: w.where + fact, Fact: fact, Once: true})
}

func (w *noter) walk(t *model.Type) {
	d := w.e.Def(t)
	if d != nil {
		if w.named(d) {
			return
		}
		t = d.Is
	}
	if t == nil || w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t.Kind {
	case model.Pointer, model.Slice, model.Array:
		w.walk(t.Elem)
	case model.Map:
		if w.e.Unaddressed(t.Elem) {
			w.note("encoding/json does not call the methods of a pointer for " + t.Elem.String() + " in a map: it is unknown in TypeScript")
			return
		}
		w.walk(t.Elem)
	case model.Struct:
		for _, m := range w.e.Members(t) {
			w.walk(m.Type)
		}
	}
}

// named notes what a named type loses, and reports whether that is all there is to it.
func (w *noter) named(d *model.Def) bool {
	if d.Varies {
		w.note(d.Type.String() + " may be another type in other builds of the package")
	}
	switch special := w.e.special(d.Type, d); {
	case special == numberType:
		w.note("json.Number is a number in TypeScript, with the digits of a float64 unless it is an integer")
		return true
	case special == "bigint", special == "string":
		return true
	case special == "unknown" && !d.Opaque():
		return false
	}
	if d.Opaque() {
		w.note(d.Type.String() + " makes its JSON by methods of its own: it is unknown in TypeScript")
		return true
	}
	if d.IsEnum() {
		for _, c := range d.Consts {
			if _, ok := w.e.constant(d, c.Value); !ok {
				w.note("the constant " + c.Name + " is beyond 2^53 and is left out")
			}
		}
	}
	return d.Own || w.e.Endless(d.Is)
}
