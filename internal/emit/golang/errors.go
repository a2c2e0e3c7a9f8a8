package golang

import (
	"github.com/dave/jennifer/jen"

	"github.com/wirecall/wirecall/internal/model"
)

// errors chooses the variables that describe the errors of a service's methods, and
// emits each once:
//
//	var roomTooLong = gen1.Error[*TooLong]("chat.TooLong", 1001)
//
//	var roomErrClosed = gen1.ErrorValue("chat.ErrClosed", rpc.CodeApplication, ErrClosed)
func (e *emitter) errors(n *names, plans []*plan) {
	made := map[model.Error]string{}
	for _, p := range plans {
		for _, err := range p.Errors {
			key := *err
			key.Type = nil // the identifier says as much
			name, ok := made[key]
			if !ok {
				name = e.own(n.prefix + upper(err.Ident))
				made[key] = name
				e.Line()
				e.Var().Id(name).Op("=").Add(described(err))
			}
			p.errors = append(p.errors, name)
		}
	}
}

// described emits what describes an error.
func described(err *model.Error) *jen.Statement {
	code := jen.Lit(err.Code)
	if err.Code == 1 {
		code = jen.Qual(rpcPath, "CodeApplication")
	}
	if err.Type == nil {
		return jen.Qual(genPath, "ErrorValue").Call(jen.Lit(err.Name), code, jen.Qual(err.Pkg.Path, err.Ident))
	}
	return jen.Qual(genPath, "Error").Types(typ(err.Type)).Call(jen.Lit(err.Name), code)
}
