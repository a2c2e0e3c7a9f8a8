package load

import (
	"go/ast"
	"go/types"
	"slices"
)

// bigInt reports whether a type is marked to be a bigint in TypeScript, which only an
// integer type can be.
func (t *typeLoader) bigInt(typ types.Type, obj *types.TypeName) bool {
	if t.std[obj.Pkg().Path()] {
		return false
	}
	doc := t.doc(obj)
	if doc == nil || !slices.ContainsFunc(doc.List, isBigInt) {
		return false
	}
	b, ok := typ.Underlying().(*types.Basic)
	_, alias := typ.(*types.Alias)
	if !ok || alias || b.Info()&types.IsInteger == 0 {
		t.refusef(obj.Pos(), "//wirecall:bigint belongs above an integer type; %s is not one", obj.Name())
		return false
	}
	return true
}

func isBigInt(c *ast.Comment) bool {
	d, err := parseDirective(c.Text)
	return err == nil && d != nil && d.verb == "bigint"
}
