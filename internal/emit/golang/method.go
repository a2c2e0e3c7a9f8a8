package golang

import (
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/wirecall/wirecall/internal/model"
)

// method emits
//
//	var roomPost = rpc.Method{
//		Name: RoomPostMethod, Service: "Room", Params: []string{"author", "text"},
//		New: gen1.New[roomPostParams, Message],
//		Serve: func(ctx context.Context, impl any, c *rpc.Call) (err error) {
//			…
//		},
//	}
func (e *emitter) method(n *names, p *plan) {
	e.Var().Id(p.method).Op("=").Qual(rpcPath, "Method").ValuesFunc(func(g *jen.Group) {
		set := func(name string, value jen.Code) { g.Line().Id(name).Op(":").Add(value) }
		g.Line().Id("Name").Op(":").Id(n.constant(p.Method))
		g.Id("Service").Op(":").Lit(n.s.Wire)
		p.described(g)
		if len(p.Options) > 0 {
			set("Options", options(p.Options))
		}
		if len(p.errors) > 0 {
			set("Errors", jen.Index().Op("*").Qual(rpcPath, "ErrorType").ValuesFunc(func(g *jen.Group) {
				for _, name := range p.errors {
					g.Id(name)
				}
			}))
		}
		if !p.Plain.IsZero() {
			set("Plain", plain(p.Plain))
		}
		set("New", p.newValues())
		set("Serve", jen.Func().Params(jen.Id(p.ctx).Qual("context", "Context"), jen.Id(p.impl).Any(), jen.Id(p.c).Op("*").Qual(rpcPath, "Call")).
			Add(p.serveResult()).BlockFunc(func(g *jen.Group) { p.serve(n, g) }))
		g.Line()
	})
}

// options emits []rpc.Option{{Key: "role", Value: "writer"}}.
func options(all []model.Option) jen.Code {
	return jen.Index().Qual(rpcPath, "Option").ValuesFunc(func(g *jen.Group) {
		for _, o := range all {
			g.Values(jen.Id("Key").Op(":").Lit(o.Key), jen.Id("Value").Op(":").Lit(o.Value))
		}
	})
}

// plain emits &rpc.Plain{ByPosition: true, …}.
func plain(m model.Plain) jen.Code {
	return jen.Op("&").Qual(rpcPath, "Plain").ValuesFunc(func(g *jen.Group) {
		if m.ByPosition {
			g.Id("ByPosition").Op(":").True()
		}
		if len(m.OmitEmpty) > 0 {
			g.Id("OmitEmpty").Op(":").Index().String().ValuesFunc(func(g *jen.Group) {
				for _, name := range m.OmitEmpty {
					g.Lit(name)
				}
			})
		}
		if m.Subscription != nil {
			g.Id("Subscription").Op(":").Add(subscription(m.Subscription))
		}
	})
}

// subscription emits &rpc.Subscription{Subscribe: "eth_subscribe", …}.
func subscription(s *model.Subscription) jen.Code {
	return jen.Op("&").Qual(rpcPath, "Subscription").ValuesFunc(func(g *jen.Group) {
		for _, key := range model.SubscriptionKeys {
			if value := *s.Key(key); value != "" {
				g.Id(subscriptionField(key)).Op(":").Lit(value)
			}
		}
	})
}

// subscriptionField returns the field of rpc.Subscription for a key.
func subscriptionField(key string) string {
	if key == "id" {
		return "ID"
	}
	return upper(key)
}

// described emits what is declared of a method, behind its names.
func (p *plan) described(g *jen.Group) {
	if p.params != nil {
		g.Id("Params").Op(":").Add(p.params.names())
	}
	if p.result != nil {
		g.Id("Results").Op(":").Add(p.result.names())
	}
	p.aliases(g, "ParamAliases", p.Params)
	if p.result != nil {
		p.aliases(g, "ResultAliases", p.Results)
	}
	for _, flag := range []struct {
		name string
		on   bool
	}{{"Notify", p.Notify}, {"Idempotent", p.Idempotent}, {"Unordered", p.Unordered}} {
		if flag.on {
			g.Id(flag.name).Op(":").True()
		}
	}
	if p.Cursor != nil {
		g.Id("Cursor").Op(":").Lit(p.Cursor.Param)
	}
}

// aliases emits ParamAliases: map[string]string{"author": "writer"}, if there are any.
func (p *plan) aliases(g *jen.Group, field string, values []*model.Value) {
	names := jen.Dict{}
	for _, v := range values {
		for _, alias := range v.Aliases {
			names[jen.Lit(alias)] = jen.Lit(v.Wire)
		}
	}
	if len(names) > 0 {
		g.Id(field).Op(":").Map(jen.String()).String().Values(names)
	}
}

// newValues emits gen1.New[roomPostParams, Message], or, where there are no parameters or
// no result:
//
//	func() (any, any) { return nil, new(Message) }
func (p *plan) newValues() jen.Code {
	params, result := jen.Nil(), jen.Nil()
	if p.params != nil {
		params = jen.New(jen.Id(p.params.name))
	}
	if len(p.Results) > 0 {
		result = jen.New(p.resultType())
	}
	if p.params != nil && len(p.Results) > 0 {
		return jen.Qual(genPath, "New").Types(jen.Id(p.params.name), p.resultType())
	}
	return jen.Func().Params().Params(jen.Any(), jen.Any()).Add(onLine(jen.Return(params, result)))
}

// serveResult emits error, or (err error) where it is assigned with results
// that are declared elsewhere.
func (p *plan) serveResult() jen.Code {
	if p.Error && len(p.Results) > 0 && streams(p.Results) == 0 {
		return jen.Params(jen.Id(p.err).Error())
	}
	return jen.Error()
}

// serve emits one of these, after p := c.Params.(*roomPostParams) where there
// are parameters:
//
//	return impl.(Room).Typing(ctx, p.Author)
//
//	r := c.Result.(*Message)
//	*r, err = impl.(Room).Post(ctx, p.Author, p.Text)
//	return err
//
//	r := c.Result.(*roomWatchResult)
//	now, changes, err := impl.(Room).Watch(ctx)
//	r.Now, r.Changes = now, gen1.Send(changes)
//	return err
func (p *plan) serve(n *names, g *jen.Group) {
	var names, values []jen.Code
	if p.params != nil {
		names, values = append(names, jen.Id(p.p)), append(values, asserted(p.c, "Params", jen.Id(p.params.name)))
	}
	if len(p.Results) > 0 {
		names, values = append(names, jen.Id(p.r)), append(values, asserted(p.c, "Result", p.resultType()))
	}
	if len(names) > 0 {
		g.List(names...).Op(":=").List(values...)
	}
	call := jen.Id(p.impl).Assert(jen.Id(n.s.Name)).Dot(p.Name).CallFunc(p.arguments)
	switch {
	case len(p.Results) == 0:
		g.Return(call)
		return
	case streams(p.Results) == 0:
		g.List(append(p.targets(), jen.Id(p.err))...).Op("=").Add(call)
	default:
		g.List(p.locals()...).Op(":=").Add(call)
		g.List(p.targets()...).Op("=").ListFunc(p.untyped)
	}
	if p.Error {
		g.Return(jen.Id(p.err))
	} else {
		g.Return(jen.Nil())
	}
}

// asserted emits c.Params.(*T).
func asserted(c, field string, t jen.Code) jen.Code {
	return jen.Id(c).Dot(field).Assert(jen.Op("*").Add(t))
}

func (p *plan) resultType() jen.Code {
	if p.result != nil {
		return jen.Id(p.result.name)
	}
	return carried(p.Results[0])
}

// arguments emits what the implementation is called with: ctx, p.Author,
// gen1.Receive[Message](p.Messages).
func (p *plan) arguments(g *jen.Group) {
	if p.Context {
		g.Id(p.ctx)
	}
	for i, v := range p.Params {
		arg := typed(v, jen.Id(p.p).Dot(p.params.fields[i].name))
		if p.Variadic && i == len(p.Params)-1 {
			arg.Op("...")
		}
		g.Add(arg)
	}
}

// targets emits where results go: *r, or r.Now, r.Changes.
func (p *plan) targets() (out []jen.Code) {
	if p.result == nil {
		return []jen.Code{jen.Op("*").Id(p.r)}
	}
	for _, f := range p.result.fields {
		out = append(out, jen.Id(p.r).Dot(f.name))
	}
	return out
}

// locals emits now, changes, err.
func (p *plan) locals() (out []jen.Code) {
	for _, name := range p.outs {
		out = append(out, jen.Id(name))
	}
	if p.Error {
		out = append(out, jen.Id(p.err))
	}
	return out
}

// untyped emits the results as they are carried: now, gen1.Send(changes).
func (p *plan) untyped(g *jen.Group) {
	for i, v := range p.Results {
		g.Add(untyped(v, p.outs[i]))
	}
}

// typed emits gen1.Receive[Message](x), or x where it is no stream.
func typed(v *model.Value, x *jen.Statement) *jen.Statement {
	if v.Stream {
		return jen.Qual(genPath, "Receive").Types(typ(v.Type)).Call(x)
	}
	return x
}

// untyped emits gen1.Send(name), or name where it is no stream.
func untyped(v *model.Value, name string) *jen.Statement {
	if v.Stream {
		return jen.Qual(genPath, "Send").Call(jen.Id(name))
	}
	return jen.Id(name)
}

func streams(values []*model.Value) (n int) {
	for _, v := range values {
		if v.Stream {
			n++
		}
	}
	return n
}

// clientMethod emits
//
//	func (c *RoomClient) Post(ctx context.Context, author string, text string) (Message, error) {
//		var r Message
//		err := c.caller.Call(ctx, &rpc.Call{Method: &roomPost, Params: &roomPostParams{author, text}, Result: &r})
//		return r, err
//	}
func (e *emitter) clientMethod(n *names, p *plan) {
	doc := p.Doc
	if doc == "" {
		doc = p.Name + " calls " + p.Wire + "."
	}
	e.doc(doc)
	body := p.body
	if p.Cursor != nil {
		body = p.continued
	}
	e.Func().Params(jen.Id(p.c).Op("*").Id(n.client)).Id(p.Name).
		ParamsFunc(p.signature).Add(p.signatureResults()).BlockFunc(body)
}

func (p *plan) signature(g *jen.Group) {
	if p.Context {
		g.Id(p.ctx).Qual("context", "Context")
	}
	for i, v := range p.Params {
		if p.Variadic && i == len(p.Params)-1 {
			g.Id(p.args[i]).Op("...").Add(typ(v.Type.Elem))
		} else {
			g.Id(p.args[i]).Add(signed(v))
		}
	}
}

// named reports whether the interface names the results, for readers.
func (p *plan) named() bool {
	return slices.ContainsFunc(p.Results, func(v *model.Value) bool { return v.Named })
}

// signatureResults emits error, or (Message, error), or with names
// (now State, changes iter.Seq2[Delta, error], err error).
func (p *plan) signatureResults() *jen.Statement {
	var out []jen.Code
	result := func(name string, t jen.Code) {
		if p.named() {
			t = jen.Id(name).Add(t)
		}
		out = append(out, t)
	}
	for i, v := range p.Results {
		if v.Named {
			result(p.outs[i], signed(v))
		} else {
			result("_", signed(v))
		}
	}
	if p.Error {
		result(p.err, jen.Error())
	}
	if len(out) == 1 && !p.named() {
		return jen.Add(out...)
	}
	return jen.Params(out...)
}

// body emits the body of a client's method.
func (p *plan) body(g *jen.Group) {
	if len(p.Results) > 0 {
		g.Var().Id(p.r).Add(p.resultType())
	}
	var params jen.Code
	if p.params != nil {
		params = jen.Op("&").Add(p.paramsLiteral())
	}
	call := p.made(jen.Op("&").Add(p.callLiteral(params)))
	if len(p.Results) == 0 {
		g.Return(call)
		return
	}
	p.assigned(g, call)
	g.ReturnFunc(p.returned)
}

func (p *plan) context() jen.Code {
	if p.Context {
		return jen.Id(p.ctx)
	}
	return jen.Qual("context", "Background").Call()
}

// made emits c.caller.Call(ctx, call).
func (p *plan) made(call jen.Code) *jen.Statement {
	return jen.Id(p.c).Dot("caller").Dot("Call").Call(p.context(), call)
}

// assigned emits err := call.
func (p *plan) assigned(g *jen.Group, call jen.Code) {
	switch {
	case p.Error && p.named():
		g.Id(p.err).Op("=").Add(call)
	case p.Error:
		g.Id(p.err).Op(":=").Add(call)
	default:
		g.Id("_").Op("=").Add(call).Comment("the streams yield it")
	}
}

// paramsLiteral emits roomPostParams{author, text}.
func (p *plan) paramsLiteral() *jen.Statement {
	return jen.Id(p.params.name).ValuesFunc(func(g *jen.Group) {
		for i, v := range p.Params {
			g.Add(untyped(v, p.args[i]))
		}
	})
}

// callLiteral emits rpc.Call{…}.
func (p *plan) callLiteral(params jen.Code) *jen.Statement {
	return jen.Qual(rpcPath, "Call").ValuesFunc(func(g *jen.Group) { p.literal(g, params) })
}

func (p *plan) literal(g *jen.Group, params jen.Code) {
	g.Id("Method").Op(":").Op("&").Id(p.method)
	if params != nil {
		g.Id("Params").Op(":").Add(params)
	}
	if len(p.Results) > 0 {
		g.Id("Result").Op(":").Op("&").Id(p.r)
	}
}

// returned emits r.Now, gen1.Receive[Delta](r.Changes), err.
func (p *plan) returned(g *jen.Group) {
	for i, v := range p.Results {
		x := jen.Id(p.r)
		if p.result != nil {
			x.Dot(p.result.fields[i].name)
		}
		g.Add(typed(v, x))
	}
	if p.Error {
		g.Id(p.err)
	}
}
