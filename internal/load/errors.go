package load

import (
	"cmp"
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// applicationCode is the code of an error that has none of its own.
const applicationCode = 1

// ReservedCode reports whether a code has a meaning already: in JSON-RPC 2.0, in this
// protocol, or, for 0, none. Codes from -32099 to -32000 that this protocol does not use
// are those of other servers.
func ReservedCode(code int) bool {
	switch {
	case code == 0, code == -32800, code == -32000, code == -32005:
		return true
	case code >= -32099 && code <= -32020, code >= -32006 && code <= -32001:
		return false
	}
	return code >= -32768 && code <= -32000
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

// declaredErrors are the errors that directives of a service or a method declare. Their
// names are those of the package from; who is said to be where they stand.
func (w *pkgLoader) declaredErrors(directives []placedDirective, from *types.Package, who string) (errs []*model.Error) {
	for _, d := range directives {
		if d.verb != "error" {
			continue
		}
		if e := w.declaredError(d, from, who); e != nil {
			errs = append(errs, e)
		}
	}
	return errs
}

// declaredError is the error of one directive, or nil if it is refused.
func (w *pkgLoader) declaredError(d placedDirective, from *types.Package, who string) *model.Error {
	obj := named(from, d.key)
	if obj == nil {
		w.refusef(d.pos, "%s: there is no %s: name a type, or a variable of type error, of this package or of one that it imports", who, d.key)
		return nil
	}
	pkg := model.Import{Path: obj.Pkg().Path(), Name: obj.Pkg().Name()}
	e := &model.Error{Name: cmp.Or(d.value, pkg.Name+"."+obj.Name()), Code: cmp.Or(d.code, applicationCode), Pkg: pkg, Ident: obj.Name()}
	if err := checkName(e.Name); err != nil {
		w.refusef(d.pos, "%s: error %s: %v; give it another with //wirecall:error %[2]s name=NAME", who, d.key, err)
	}
	switch obj := obj.(type) {
	case *types.Var:
		if !w.canName(obj) {
			w.refusef(d.pos, "%s: error %s: generated code cannot name %s.%s: export it, from where it may be used", who, d.key, pkg.Name, obj.Name())
			return nil
		}
		if !types.Implements(obj.Type(), errorType) {
			w.refusef(d.pos, "%s: %s is no error: a variable that is declared as one is of type error", who, d.key)
			return nil
		}
		return e
	case *types.TypeName:
		e.Type = w.errorType(obj, d, who)
	}
	if e.Type == nil {
		return nil
	}
	return e
}

// errorType is the type of the values of a declared error, which is a pointer where
// only the pointer is an error. It is nil if the type cannot be one.
func (w *pkgLoader) errorType(obj *types.TypeName, d placedDirective, who string) *model.Type {
	t := obj.Type()
	n, ok := types.Unalias(t).(*types.Named)
	switch {
	case !ok || types.IsInterface(t) || n.TypeParams().Len() > 0:
		w.refusef(d.pos, "%s: %s cannot be declared as an error: it must be a type with values of its own, and not generic", who, d.key)
		return nil
	case types.Implements(t, errorType):
	case types.Implements(types.NewPointer(t), errorType):
		t = types.NewPointer(t)
	default:
		w.refusef(d.pos, "%s: %s is no error: neither it nor its pointer has a method Error() string", who, d.key)
		return nil
	}
	l := &typeLoader{pkgLoader: w, at: d.pos, where: who + ": error " + d.key + ": ", verb: "return"}
	return l.typ(t)
}

// named is what a package declares, or one that it imports, under a name such as
// TooLong or auction.TooLong. It is nil where there is no such type or variable.
func named(from *types.Package, name string) types.Object {
	pkg, below, qualified := strings.Cut(name, ".")
	scope := from.Scope()
	if qualified {
		i := slices.IndexFunc(from.Imports(), func(p *types.Package) bool { return p.Name() == pkg })
		if i < 0 || !token.IsExported(below) {
			return nil
		}
		scope, name = from.Imports()[i].Scope(), below
	}
	switch obj := scope.Lookup(name).(type) {
	case *types.TypeName, *types.Var:
		return obj
	}
	return nil
}

// errors adds the errors that the method declares to those of its service, of which
// they replace those of the same type or variable.
func (m *methodLoader) errors(own []*model.Error, at token.Pos) {
	if m.out.Notify {
		if len(own) > 0 {
			m.refusef(at, "%s: nobody is told the error of a notification: leave out //wirecall:error", m.who)
		}
		m.out.Errors = nil
		return
	}
	for _, e := range own {
		m.out.Errors = slices.DeleteFunc(m.out.Errors, func(o *model.Error) bool { return o.Is(e) })
	}
	m.out.Errors = append(m.out.Errors, own...)
	for i, e := range m.out.Errors {
		for _, o := range m.out.Errors[:i] {
			switch {
			case o.Name == e.Name:
				m.bad(fmt.Sprintf("two of its errors have the name %s on the wire", e.Name), "give one of them another with name=NAME")
			case o.Code == e.Code && e.Code != applicationCode:
				m.bad(fmt.Sprintf("its errors %s and %s have the same code %d", o.Name, e.Name, e.Code), "give one of them another")
			}
		}
	}
}
