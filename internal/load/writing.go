package load

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// What messages say to write is written as the user's file would have it.

// typeString is a type in the words of the file that t's method is in.
func (t *typeLoader) typeString(typ types.Type) string { return t.pkgLoader.typeStringAt(typ, t.at) }

func (m *methodLoader) typeString(typ types.Type) string { return m.typeStringAt(typ, m.at) }

func (w *pkgLoader) typeStringAt(typ types.Type, pos token.Pos) string {
	var imports []*ast.ImportSpec
	if f := w.fileAt(pos); f != nil {
		imports = f.Imports
	}
	return types.TypeString(typ, func(p *types.Package) string {
		if p.Path() == w.out.Path {
			return ""
		}
		for _, i := range imports {
			if path, err := strconv.Unquote(i.Path.Value); err == nil && path == p.Path() && i.Name != nil && i.Name.Name != "_" {
				return strings.TrimPrefix(i.Name.Name, ".")
			}
		}
		return p.Name()
	})
}

// unaliased is the declaration of a marked interface in place of an alias.
func unaliased(spec *ast.TypeSpec) string {
	if _, ok := spec.Type.(*ast.InterfaceType); ok {
		return spec.Name.Name + " interface{ … }, without the ="
	}
	return spec.Name.Name + " interface{ " + types.ExprString(spec.Type) + " }"
}

// another is a name for an instance of a generic interface.
func another(name string) string {
	if token.IsExported(name) {
		return "My" + name
	}
	return "my" + strings.ToUpper(name[:1]) + name[1:]
}

// arguments are what type parameters may be: string, unless the constraint says
// what else.
func arguments(params *ast.FieldList) string {
	var args []string
	for _, p := range params.List {
		for range p.Names {
			args = append(args, argument(p.Type))
		}
	}
	return strings.Join(args, ", ")
}

func argument(constraint ast.Expr) string {
	for {
		switch e := constraint.(type) {
		case *ast.BinaryExpr: // a union
			constraint = e.X
			continue
		case *ast.UnaryExpr: // ~
			constraint = e.X
			continue
		case *ast.Ident:
			if obj, ok := types.Universe.Lookup(e.Name).(*types.TypeName); ok && !types.IsInterface(obj.Type()) {
				return e.Name
			}
		}
		return "string"
	}
}
