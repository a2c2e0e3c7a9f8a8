package ts

import (
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// A generic is the declaration of a generic type, which stands for all its instances.
type generic struct {
	*model.Generic
	name  string
	used  []bool // which of its parameters the declaration depends on
	apart bool   // JSON treats an instance differently: each has a declaration of its own
	insts []*model.Def
}

// planGenerics finds out what generic types depend on, and which of them TypeScript's
// generics cannot express.
func (x *index) planGenerics() {
	x.generics = map[*model.Generic]*generic{}
	var all []*generic
	for _, d := range x.pkg.Types {
		if d.Generic == nil {
			continue
		}
		g := x.generics[d.Generic]
		if g == nil {
			g = &generic{Generic: d.Generic, used: make([]bool, len(d.Generic.Params))}
			x.generics[d.Generic] = g
			all = append(all, g)
		}
		g.insts = append(g.insts, d)
	}
	for _, g := range all {
		g.apart = g.Is == nil || slices.ContainsFunc(g.insts, func(d *model.Def) bool { return d.Is == nil || d.Is.Kind != g.Is.Kind }) || x.differs(g)
	}
	for changed := true; changed; {
		changed = false
		for _, g := range all {
			changed = x.spread(g) || changed
		}
	}
}

// generic is the declaration that stands for a type, nil where it has its own.
func (x *index) generic(d *model.Def) *generic {
	if d == nil || d.Generic == nil {
		return nil
	}
	if g := x.generics[d.Generic]; g != nil && !g.apart {
		return g
	}
	return nil
}

// genericOf is the declaration of the named type that t refers to, nil where it is not
// generic.
func (x *index) genericOf(t *model.Type) *generic {
	for g, known := range x.generics {
		if g.Pkg == t.Pkg && g.Name == t.Name {
			return known
		}
	}
	return nil
}

// differs reports whether an instance may have another form than its declaration says:
// because of bytes, of quotes, or of methods that elements of maps do not have.
func (x *index) differs(g *generic) bool {
	differs := false
	is := func(f func(*model.Type) bool) bool {
		return slices.ContainsFunc(g.insts, func(d *model.Def) bool { return slices.ContainsFunc(d.Type.Args, f) })
	}
	g.Is.Walk(func(t *model.Type) {
		switch {
		case t.Kind == model.Slice && t.Elem.Kind == model.Param:
			differs = differs || is(func(a *model.Type) bool { return x.IsBytes(&model.Type{Kind: model.Slice, Elem: a}) })
		case t.Kind == model.Map && t.Elem.Kind != model.Pointer:
			differs = differs || is(x.Unaddressed)
		}
		for _, f := range t.Fields {
			differs = differs || f.InString && holdsParam(f.Type)
		}
	})
	return differs
}

func holdsParam(t *model.Type) (holds bool) {
	t.Walk(func(t *model.Type) { holds = holds || t.Kind == model.Param })
	return holds
}

// spread notes what the declarations that a generic one mentions imply for it, and
// reports whether that is news.
func (x *index) spread(g *generic) (news bool) {
	if g.apart {
		return false
	}
	for i, p := range g.Params {
		if !g.used[i] && x.uses(g.Is, p) {
			g.used[i], news = true, true
		}
	}
	g.Is.Walk(func(t *model.Type) {
		if t.Kind == model.Named && holdsParam(t) && !g.apart {
			if other := x.genericOf(t); other == nil || other.apart {
				g.apart, news = true, true
			}
		}
	})
	return news
}

// uses reports whether what a generic type is depends on one of its parameters.
func (x *index) uses(t *model.Type, param string) bool {
	switch t.Kind {
	case model.Param:
		return t.Name == param
	case model.Pointer, model.Slice, model.Array:
		return x.uses(t.Elem, param)
	case model.Map:
		return x.uses(t.Elem, param) // keys are text
	case model.Struct:
		return slices.ContainsFunc(t.Fields, func(f *model.Field) bool { return (f.Wire != "" || f.Flat) && x.uses(f.Type, param) })
	case model.Named:
		g := x.genericOf(t)
		for i, a := range t.Args {
			if g != nil && (g.apart || g.used[i]) && x.uses(a, param) {
				return true
			}
		}
	}
	return false
}

// instance is what an instance of a generic type is that only another generic type
// mentions. It is the same for the same instance.
func (x *index) instance(t *model.Type) *model.Type {
	g := x.genericOf(t)
	if g == nil || g.Is == nil {
		return nil
	}
	key := model.Key(t)
	if x.instances[key] == nil {
		args := map[string]*model.Type{}
		for i, p := range g.Params {
			args[p] = t.Args[i]
		}
		x.instances[key] = substitute(g.Is, args)
	}
	return x.instances[key]
}

// substitute is t with arguments in place of parameters.
func substitute(t *model.Type, args map[string]*model.Type) *model.Type {
	if t == nil {
		return nil
	}
	if t.Kind == model.Param {
		return args[t.Name]
	}
	out := *t
	out.Elem, out.Key = substitute(t.Elem, args), substitute(t.Key, args)
	out.Args, out.Fields = nil, nil
	for _, a := range t.Args {
		out.Args = append(out.Args, substitute(a, args))
	}
	for _, f := range t.Fields {
		field := *f
		field.Type = substitute(f.Type, args)
		out.Fields = append(out.Fields, &field)
	}
	return &out
}
