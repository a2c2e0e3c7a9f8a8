package load

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// A length is the expression between the brackets of an array type, and the
// package in which it stands.
type length struct {
	expr ast.Expr
	unit *unit
}

// noteLengths notes the array types that are written in a package.
func (l *loader) noteLengths(u *unit) {
	for expr, tv := range u.info.Types {
		array, ok := expr.(*ast.ArrayType)
		if a, isArray := tv.Type.(*types.Array); ok && isArray {
			l.lengths[a] = length{array.Len, u}
		}
	}
}

// array is the model of an array type. Its length is kept as it was written, for
// it may be another on other platforms.
func (t *typeLoader) array(a *types.Array) *model.Type {
	out := t.of(model.Array, a.Elem())
	out.Len = a.Len()
	n, written := t.lengths[a]
	switch {
	case !written:
		out.Unwritable = !t.literal(t.source)
	case !isLiteral(n.expr):
		words, ok := n.words(n.expr, t.out.Path)
		out.Length, out.Unwritable = words, !ok
		out.Varies = t.varies(n, n.expr)
	}
	return out
}

func isLiteral(e ast.Expr) bool {
	_, ok := e.(*ast.BasicLit)
	return ok
}

// literal reports whether all lengths of arrays in the declaration of a field or a
// type are literals. The package is one that was not read, or the type an instance
// of a generic one.
func (l *loader) literal(pos token.Pos) bool {
	at := l.source(pos)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, at.Filename, nil, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	found, literal := false, true
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			found = found || slices.ContainsFunc(n.Names, func(id *ast.Ident) bool { return fset.Position(id.Pos()).Line == at.Line })
		case *ast.TypeSpec:
			found = found || fset.Position(n.Name.Pos()).Line == at.Line
		case *ast.ArrayType:
			line := fset.Position(n.Pos()).Line
			literal = literal && (line != at.Line || n.Len == nil || isLiteral(n.Len))
		}
		return true
	})
	return found && literal
}

// words is an expression for the output of package path: its text, with the
// packages that it mentions apart.
func (n length) words(e ast.Expr, path string) (words []model.Word, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return []model.Word{{Text: e.Value}}, true
	case *ast.Ident:
		return n.object(e, path)
	case *ast.SelectorExpr:
		if id, ok := e.X.(*ast.Ident); ok {
			if _, ok := n.unit.info.Uses[id].(*types.PkgName); ok {
				return n.object(e.Sel, path)
			}
		}
	case *ast.ParenExpr:
		return n.join(path, "(", e.X, ")")
	case *ast.UnaryExpr:
		return n.join(path, e.Op.String(), e.X)
	case *ast.BinaryExpr:
		return n.join(path, e.X, e.Op.String(), e.Y)
	case *ast.CallExpr:
		if len(e.Args) == 1 {
			return n.join(path, e.Fun, "(", e.Args[0], ")")
		}
	}
	return nil, false
}

// join is the words of texts and expressions one after the other.
func (n length) join(path string, parts ...any) (words []model.Word, ok bool) {
	for _, part := range parts {
		if e, isExpr := part.(ast.Expr); isExpr {
			more, ok := n.words(e, path)
			if !ok {
				return nil, false
			}
			words = append(words, more...)
		} else {
			words = append(words, model.Word{Text: part.(string)})
		}
	}
	return words, true
}

// object is the word for a constant, a type or a function of a package.
func (n length) object(id *ast.Ident, path string) ([]model.Word, bool) {
	obj := n.unit.info.Uses[id]
	switch {
	case obj == nil:
		return nil, false
	case obj.Pkg() == nil: // Go's own
		return []model.Word{{Text: obj.Name()}}, true
	case obj.Parent() != obj.Pkg().Scope() && obj.Pkg() != types.Unsafe:
		return nil, false
	case obj.Pkg().Path() != path && (!obj.Exported() || !importable(path, obj.Pkg().Path())):
		return nil, false
	}
	return []model.Word{{Text: obj.Name(), Pkg: model.Import{Path: obj.Pkg().Path(), Name: obj.Pkg().Name()}}}, true
}

// varies reports whether an expression may have another value on other platforms.
func (w *pkgLoader) varies(n length, e ast.Expr) (found bool) {
	ast.Inspect(e, func(node ast.Node) bool {
		id, ok := node.(*ast.Ident)
		if !ok {
			return true
		}
		obj := n.unit.info.Uses[id]
		if obj == nil || obj.Pkg() == nil {
			return true
		}
		name := obj.Pkg().Path() + "." + obj.Name()
		found = found || obj.Pkg() == types.Unsafe || name == "strconv.IntSize" || name == "math/bits.UintSize" ||
			!w.build.implies(w.constraintAt(obj.Pos()))
		if value := n.unit.value(obj); value != nil && !found {
			found = w.varies(n, value)
		}
		return true
	})
	return found
}

// value is the expression that a constant of the package is declared as, or nil.
func (u *unit) value(obj types.Object) (value ast.Expr) {
	for _, f := range u.files {
		if obj.Pos() < f.FileStart || f.FileEnd <= obj.Pos() {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(s.Names) == len(s.Values) {
				if i := slices.IndexFunc(s.Names, func(id *ast.Ident) bool { return id.Pos() == obj.Pos() }); i >= 0 {
					value = s.Values[i]
				}
			}
			return true
		})
	}
	return value
}
