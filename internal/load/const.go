package load

import (
	"cmp"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// consts is the exported constants of a string or integer type that its package
// declares, in the order declared.
func (t *typeLoader) consts(typ types.Type, obj *types.TypeName) (out []*model.Const) {
	b, ok := typ.Underlying().(*types.Basic)
	if _, alias := typ.(*types.Alias); alias || !ok || b.Info()&(types.IsInteger|types.IsString) == 0 {
		return nil
	}
	var found []*types.Const
	scope := obj.Pkg().Scope()
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*types.Const); ok && c.Exported() && types.Identical(c.Type(), typ) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b *types.Const) int { return compare(t.pkgLoader.source(a.Pos()), t.pkgLoader.source(b.Pos())) })
	for _, c := range found {
		out = append(out, &model.Const{Name: c.Name(), Value: valueOf(c), Doc: t.ownDoc(c)})
	}
	return out
}

// compare orders places. The compiler does not keep columns: what is on one line
// stays in the order that it is in.
func compare(a, b token.Position) int {
	return cmp.Or(cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.Line, b.Line))
}

func valueOf(c *types.Const) string {
	if c.Val().Kind() == constant.String {
		return constant.StringVal(c.Val())
	}
	return c.Val().ExactString()
}
