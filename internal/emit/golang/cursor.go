package golang

import (
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/wirecall/wirecall/internal/model"
)

// continued emits the body of a client's method whose stream has a cursor:
//
//	p := roomMessagesParams{after}
//	var r gen1.Stream
//	call := rpc.Call{Method: &roomMessages, Params: &p, Result: &r}
//	err := c.caller.Call(ctx, new(call))
//	return gen1.Cursor(ctx, c.caller, &call, func(m Message) { p.After = m.ID }), err
//
// The call is made of a copy, for interceptors may change it.
func (p *plan) continued(g *jen.Group) {
	g.Id(p.p).Op(":=").Add(p.paramsLiteral())
	g.Var().Id(p.r).Add(p.resultType())
	g.Id(p.call).Op(":=").Add(p.callLiteral(jen.Op("&").Id(p.p)))
	p.assigned(g, p.made(jen.New(jen.Id(p.call))))
	g.ReturnFunc(func(g *jen.Group) {
		g.Qual(genPath, "Cursor").Call(p.context(), jen.Id(p.c).Dot("caller"), jen.Op("&").Id(p.call),
			jen.Func().Params(jen.Id(p.item).Add(typ(p.Results[0].Type))).Add(p.moved()))
		if p.Error {
			g.Id(p.err)
		}
	})
}

// moved emits { p.After = m.ID }, where there is such a field.
func (p *plan) moved() jen.Code {
	i := slices.IndexFunc(p.Params, func(v *model.Value) bool { return v.Wire == p.Cursor.Param })
	set := jen.Id(p.p).Dot(p.params.fields[i].name).Op("=").Id(p.item).Dot(p.Cursor.Field)
	if len(p.Cursor.Nilable) == 0 {
		return onLine(set)
	}
	var there *jen.Statement
	for _, name := range p.Cursor.Nilable {
		x := jen.Id(p.item)
		if name != "" {
			x.Dot(name)
		}
		if x.Op("!=").Nil(); there == nil {
			there = x
		} else {
			there.Op("&&").Add(x)
		}
	}
	return jen.Block(jen.If(there).Block(set))
}
