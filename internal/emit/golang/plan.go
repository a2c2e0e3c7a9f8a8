package golang

import (
	"github.com/dave/jennifer/jen"

	"github.com/wirecall/wirecall/internal/model"
)

// A plan is a method with all its identifiers chosen.
type plan struct {
	*model.Method
	method string   // the variable that describes it
	errors []string // those that describe its errors
	params *record  // nil where there are none
	result *record  // nil unless there are several

	// Identifiers in the functions that are generated. They differ from what
	// is written here only where the package uses that name for something that
	// the method needs.
	c, ctx, p, r, err, impl string
	call, item              string   // where it has a cursor
	args, outs              []string // locals for parameters and results
}

// A record is a struct that carries parameters or results.
type record struct {
	name   string
	fields []field
}

type field struct {
	name string
	*model.Value
}

// plan chooses the identifiers of a method.
func (e *emitter) plan(n *names, m *model.Method) *plan {
	p := &plan{Method: m, method: e.own(n.prefix + m.Name)}
	if len(m.Params) > 0 {
		p.params = e.record(n.prefix+m.Name+"Params", m.Params)
	}
	if len(m.Results) > 1 {
		p.result = e.record(n.prefix+m.Name+"Result", m.Results)
	}
	l := e.locals(n, p)
	p.impl, p.c, p.ctx, p.p, p.r, p.err = l.take("impl"), l.take("c"), l.take("ctx"), l.take("p"), l.take("r"), l.take("err")
	if m.Cursor != nil {
		p.call, p.item = l.take("call"), l.take("m")
	}
	for _, v := range m.Params {
		p.args = append(p.args, l.take(v.Name))
	}
	for _, v := range m.Results {
		p.outs = append(p.outs, l.take(v.Name))
	}
	return p
}

func (e *emitter) record(name string, values []*model.Value) *record {
	r := &record{name: e.own(name)}
	taken := map[string]bool{"Field": true} // the method
	for _, v := range values {
		name := free(upper(v.Name), func(s string) bool { return taken[s] })
		taken[name] = true
		r.fields = append(r.fields, field{name, v})
	}
	return r
}

// A scope is the local identifiers of a function, none of which may hide what
// the function mentions.
type scope map[string]bool

// scope returns a scope that holds the names of all imports.
func (e *emitter) scope() scope {
	l := scope{}
	for _, name := range e.imports {
		l[name] = true
	}
	return l
}

// mention adds what writing t mentions of the package itself.
func (e *emitter) mention(l scope, t *model.Type) {
	t.Names(func(pkg model.Import, name string) {
		if pkg.Path == e.pkg.Path {
			l[name] = true
		}
	})
}

// locals is the scope of a method's functions.
func (e *emitter) locals(n *names, p *plan) scope {
	l := e.scope()
	l[n.s.Name], l[n.client], l[p.method] = true, true, true
	for _, r := range []*record{p.params, p.result} {
		if r != nil {
			l[r.name] = true
		}
	}
	for _, values := range [][]*model.Value{p.Params, p.Results} {
		for _, v := range values {
			e.mention(l, v.Type)
		}
	}
	return l
}

func (l scope) take(name string) string {
	name = free(name, func(s string) bool { return l[s] })
	l[name] = true
	return name
}

// fieldStruct emits
//
//	type roomPostParams struct {
//		Author string
//		Text   string
//	}
//
//	func (p *roomPostParams) Field(i int) any {
//		switch i {
//		case 0:
//			return &p.Author
//		default:
//			return &p.Text
//		}
//	}
func (e *emitter) fieldStruct(r *record) {
	if r == nil {
		return
	}
	e.Line()
	e.Type().Id(r.name).StructFunc(func(g *jen.Group) {
		for _, f := range r.fields {
			g.Id(f.name).Add(carried(f.Value))
		}
	})
	e.Line()
	e.Func().Params(jen.Id("p").Op("*").Id(r.name)).Id("Field").Params(r.index()).Any().BlockFunc(r.choose)
}

// index emits the parameter of Field, which nobody reads where there is but one field.
func (r *record) index() jen.Code {
	if len(r.fields) == 1 {
		return jen.Int()
	}
	return jen.Id("i").Int()
}

// choose emits the body of Field.
func (r *record) choose(g *jen.Group) {
	address := func(f field) jen.Code { return jen.Return(jen.Op("&").Id("p").Dot(f.name)) }
	last := len(r.fields) - 1
	if last == 0 {
		g.Add(address(r.fields[0]))
		return
	}
	g.Switch(jen.Id("i")).BlockFunc(func(g *jen.Group) {
		for i, f := range r.fields[:last] {
			g.Case(jen.Lit(i)).Block(address(f))
		}
		g.Default().Block(address(r.fields[last]))
	})
}

// names emits []string{"author", "text"}.
func (r *record) names() jen.Code {
	return jen.Index().String().ValuesFunc(func(g *jen.Group) {
		for _, f := range r.fields {
			g.Lit(f.Value.Wire)
		}
	})
}

// carried is the type in which a value is carried: a stream without the type
// of its items.
func carried(v *model.Value) *jen.Statement {
	if v.Stream {
		return jen.Qual(genPath, "Stream")
	}
	return typ(v.Type)
}
