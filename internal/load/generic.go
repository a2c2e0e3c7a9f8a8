package load

import (
	"go/types"

	"github.com/wirecall/wirecall/internal/model"
)

// genericType is the declaration that instances of a generic type are made of.
// Whatever must be refused of it is refused of an instance.
func (t *typeLoader) genericType(origin *types.Named) *model.Generic {
	obj := origin.Obj()
	if g, ok := t.generics[obj]; ok {
		return g
	}
	g := &model.Generic{Pkg: model.Import{Path: obj.Pkg().Path(), Name: obj.Pkg().Name()}, Name: obj.Name()}
	t.generics[obj] = g
	for p := range origin.TypeParams().TypeParams() {
		g.Params = append(g.Params, p.Obj().Name())
	}
	d := t.below()
	d.foreign, d.defined, d.generic, d.source = newForeign(), true, true, obj.Pos()
	if is := d.underlying(origin); len(d.foreign.reasons) == 0 {
		g.Is = is
	}
	return g
}
