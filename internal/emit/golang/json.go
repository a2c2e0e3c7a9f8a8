package golang

import (
	"encoding/json"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/wirecall/wirecall/internal/model"
)

// emitJSON emits the functions of all structs, and then
//
//	func init() {
//		jsongen.Register((*Message)(nil), 0x0123456789abcdef,
//			func(dst []byte, v any) []byte { return appendMessageJSON(dst, v.(*Message)) },
//			func(s []byte, i int, v any) int { return decodeMessageJSON(s, i, v.(*Message)) })
//	}
func (e *emitter) emitJSON() {
	if len(e.json.roots) == 0 {
		return
	}
	for _, c := range e.json.structs {
		e.appendFunc(c)
		e.decodeFunc(c)
	}
	e.Line()
	e.Func().Id("init").Params().BlockFunc(func(g *jen.Group) {
		for _, c := range e.json.roots {
			pointer := jen.Op("*").Add(typ(c.typ))
			v := jen.Id(e.json.v).Assert(pointer)
			g.Qual(jsongenPath, "Register").Call(jen.Parens(pointer).Call(jen.Nil()), jen.Op(e.json.shape(c.typ)),
				jen.Line().Func().Params(jen.Id(e.json.dst).Index().Byte(), jen.Id(e.json.v).Any()).Index().Byte().Add(
					onLine(jen.Return(c.appendCall(v, v)))),
				jen.Line().Func().Params(jen.Id(e.json.s).Index().Byte(), jen.Id(e.json.i).Int(), jen.Id(e.json.v).Any()).Int().Add(
					onLine(jen.Return(c.decodeCall(v, v)))))
		}
	})
}

// function is a function of package jsongen, or a generated one.
func (c *coding) function(name string) *jen.Statement {
	if c.fields != nil {
		return jen.Id(name)
	}
	return jen.Qual(jsongenPath, name)
}

// appender emits the function that appends a value: jsongen.AppendString,
// appendMessageJSON, or
//
//	func(dst []byte, v *[]Message) []byte {
//		return jsongen.AppendSlice(dst, v, appendMessageJSON)
//	}
func (c *coding) appender() *jen.Statement {
	if c.elem == nil {
		return c.function(c.append)
	}
	return jen.Func().Params(jen.Id(c.plan.dst).Index().Byte(), jen.Id(c.plan.v).Op("*").Add(typ(c.typ))).Index().Byte().Block(
		jen.Return(c.appendCall(jen.Id(c.plan.v), jen.Id(c.plan.v))))
}

// appendCall emits the call that appends the value that address points to.
func (c *coding) appendCall(address, value jen.Code) *jen.Statement {
	switch {
	case c.elem == nil:
		return c.function(c.append).Call(jen.Id(c.plan.dst), address)
	case c.append == "AppendArray":
		address = jen.Add(value).Index(jen.Op(":"))
	}
	return c.function(c.append).Call(jen.Id(c.plan.dst), address, c.elem.appender())
}

// decoder emits the function that decodes a value, as appender does.
func (c *coding) decoder() *jen.Statement {
	if c.elem == nil {
		return c.function(c.decode)
	}
	return jen.Func().Params(jen.Id(c.plan.s).Index().Byte(), jen.Id(c.plan.i).Int(), jen.Id(c.plan.v).Op("*").Add(typ(c.typ))).Int().Block(
		jen.Return(c.decodeCall(jen.Id(c.plan.v), jen.Id(c.plan.v))))
}

func (c *coding) decodeCall(address, value jen.Code) *jen.Statement {
	switch {
	case c.elem == nil:
		return c.function(c.decode).Call(jen.Id(c.plan.s), jen.Id(c.plan.i), address)
	case c.decode == "Array":
		address = jen.Add(value).Index(jen.Op(":"))
	}
	return c.function(c.decode).Call(jen.Id(c.plan.s), jen.Id(c.plan.i), address, c.elem.decoder())
}

// value emits v.Common.ID.
func (f *jsonField) value() *jen.Statement {
	s := jen.Id(f.plan.v)
	for _, step := range f.path {
		s.Dot(step.Name)
	}
	return s
}

func (f *jsonField) address() *jen.Statement { return jen.Op("&").Add(f.value()) }

// appendFunc emits
//
//	func appendMessageJSON(dst []byte, v *Message) []byte {
//		dst = append(dst, `{"id":`...)
//		dst = jsongen.AppendInt(dst, &v.ID)
//		if v.Text != "" {
//			dst = append(dst, `,"text":`...)
//			dst = jsongen.AppendString(dst, &v.Text)
//		}
//		return append(dst, '}')
//	}
func (e *emitter) appendFunc(c *coding) {
	e.Line()
	e.Func().Id(c.append).Params(jen.Id(e.json.dst).Index().Byte(), jen.Id(e.json.v).Op("*").Add(typ(c.typ))).Index().Byte().BlockFunc(func(g *jen.Group) {
		begun := false // there is a member before, whatever is left out
		fields := slices.DeleteFunc(slices.Clone(c.fields), e.json.alwaysEmpty)
		if len(fields) == 0 {
			g.Id(e.json.dst).Op("=").Append(jen.Id(e.json.dst), jen.LitRune('{'))
		}
		for i, f := range fields {
			when := e.json.present(f)
			lead := ","
			if i == 0 && when == nil {
				lead = "{"
			} else if i == 0 {
				g.Id(e.json.dst).Op("=").Append(jen.Id(e.json.dst), jen.LitRune('{'))
			}
			if !begun && lead == "," {
				lead = ""
			}
			if when == nil {
				e.appendMember(g, f, lead)
				begun = true
			} else {
				g.If(when).BlockFunc(func(g *jen.Group) { e.appendMember(g, f, lead) })
			}
		}
		g.Return(jen.Append(jen.Id(e.json.dst), jen.LitRune('}')))
	})
}

// appendMember emits what appends one member, behind lead, or behind a comma if
// it is not the first where lead is empty.
func (e *emitter) appendMember(g *jen.Group, f *jsonField, lead string) {
	name, _ := json.Marshal(f.Wire) // <, > and & are escaped
	text := lead + string(name) + ":"
	if f.quoted {
		text += `"`
	}
	dst := jen.Id(e.json.dst)
	if lead == "" {
		dst = jen.Qual(jsongenPath, "Comma").Call(jen.Id(e.json.dst))
	}
	g.Id(e.json.dst).Op("=").Append(dst, jen.Op("`"+text+"`").Op("..."))
	call, mayFail := jen.Qual(jsongenPath, "AppendOther").Call(jen.Id(e.json.dst), f.address()), true
	if f.coding != nil {
		call, mayFail = f.coding.appendCall(f.address(), f.value()), f.coding.mayFail
	}
	set := jen.Id(e.json.dst).Op("=").Add(call)
	if mayFail {
		g.If(set, jen.Id(e.json.dst).Op("==").Nil()).Block(jen.Return(jen.Nil()))
	} else {
		g.Add(set)
	}
	if f.quoted {
		g.Id(e.json.dst).Op("=").Append(jen.Id(e.json.dst), jen.LitRune('"'))
	}
}

// present emits the condition under which a field is not left out, or nil where
// it never is.
func (p *jsonPlan) present(f *jsonField) *jen.Statement {
	var empty, zero *jen.Statement
	if f.Empty {
		empty = p.notEmpty(f)
	}
	if f.Zero {
		zero = p.notZero(f)
	}
	switch {
	case empty == nil:
		return zero
	case zero == nil, empty.GoString() == zero.GoString(): // vet refuses a && a
		return empty
	}
	return empty.Op("&&").Add(zero)
}

// alwaysEmpty reports whether a field is left out of all values.
func (p *jsonPlan) alwaysEmpty(f *jsonField) bool {
	is, _ := p.resolve(f.Type)
	return f.Empty && is != nil && is.Kind == model.Array && is.Len == 0
}

func (p *jsonPlan) notEmpty(f *jsonField) *jen.Statement {
	is, def := p.resolve(f.Type)
	switch {
	case is == nil, is.Kind == model.Custom, def != nil && def.Own && is.Kind != model.Time && is.Kind != model.Raw:
		return jen.Op("!").Qual(jsongenPath, "IsEmpty").Call(f.address())
	case is.Kind == model.Slice, is.Kind == model.Map, is.Kind == model.Raw:
		return jen.Len(f.value()).Op(">").Lit(0)
	}
	return notZero(f, is.Kind)
}

func (p *jsonPlan) notZero(f *jsonField) *jen.Statement {
	is, def := p.resolve(f.Type)
	if is != nil && is.Kind == model.Time {
		return jen.Op("!").Add(f.value()).Dot("IsZero").Call()
	}
	if is != nil && def == nil && is.Kind != model.Pointer {
		if when := notZero(f, is.Kind); when != nil {
			return when
		}
	}
	return jen.Op("!").Qual(jsongenPath, "IsZero").Call(f.address())
}

// notZero emits the condition that a field is not the zero value, or nil for
// types that this is not so simple for.
func notZero(f *jsonField, kind model.Kind) *jen.Statement {
	switch kind {
	case model.Bool:
		return f.value()
	case model.String:
		return f.value().Op("!=").Lit("")
	case model.Pointer, model.Any, model.Slice, model.Map:
		return f.value().Op("!=").Nil()
	case model.Array, model.Struct, model.Time:
		return nil
	}
	return f.value().Op("!=").Lit(0)
}

// decodeFunc emits
//
//	var messageJSON = jsongen.Fields{"id", "text"}
//
//	func decodeMessageJSON(s []byte, i int, v *Message) int {
//		f, i := messageJSON.First(s, i)
//		for f >= 0 {
//			switch f {
//			case 0:
//				i = jsongen.Int(s, i, &v.ID)
//			case 1:
//				i = jsongen.String(s, i, &v.Text)
//			}
//			f, i = messageJSON.Next(s, i, f)
//		}
//		return i
//	}
func (e *emitter) decodeFunc(c *coding) {
	e.Line()
	e.Var().Id(c.names).Op("=").Qual(jsongenPath, "Fields").ValuesFunc(func(g *jen.Group) {
		for _, f := range c.fields {
			g.Lit(f.Wire)
		}
	})
	e.Line()
	e.Func().Id(c.decode).Params(jen.Id(e.json.s).Index().Byte(), jen.Id(e.json.i).Int(), jen.Id(e.json.v).Op("*").Add(typ(c.typ))).Int().Block(
		jen.List(jen.Id(e.json.f), jen.Id(e.json.i)).Op(":=").Id(c.names).Dot("First").Call(jen.Id(e.json.s), jen.Id(e.json.i)),
		jen.For(jen.Id(e.json.f).Op(">=").Lit(0)).Block(
			jen.Switch(jen.Id(e.json.f)).BlockFunc(func(g *jen.Group) {
				for i, f := range c.fields {
					g.Case(jen.Lit(i)).Block(jen.Id(e.json.i).Op("=").Add(f.decodeCall()))
				}
			}),
			jen.List(jen.Id(e.json.f), jen.Id(e.json.i)).Op("=").Id(c.names).Dot("Next").Call(jen.Id(e.json.s), jen.Id(e.json.i), jen.Id(e.json.f)),
		),
		jen.Return(jen.Id(e.json.i)),
	)
}

func (f *jsonField) decodeCall() *jen.Statement {
	switch {
	case f.coding == nil:
		return jen.Qual(jsongenPath, "Other").Call(jen.Id(f.plan.s), jen.Id(f.plan.i), f.address())
	case f.quoted:
		return jen.Qual(jsongenPath, "Quoted").Call(jen.Id(f.plan.s), jen.Id(f.plan.i), f.address(), f.coding.decoder())
	}
	return f.coding.decodeCall(f.address(), f.value())
}
