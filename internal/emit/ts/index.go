package ts

import "github.com/wirecall/wirecall/internal/model"

// An index knows the types of a package, and how TypeScript has them.
type index struct {
	*model.Index
	pkg *model.Package
	Options

	generics  map[*model.Generic]*generic
	instances map[string]*model.Type // what instances are that only generic types mention
}

func newIndex(p *model.Package, o Options) *index {
	x := &index{Index: model.NewIndex(p), pkg: p, Options: o, instances: map[string]*model.Type{}}
	x.Instance = x.instance
	x.planGenerics()
	return x
}

// special is the TypeScript of types that have a form of their own in JSON, or is empty.
func (x *index) special(t *model.Type, d *model.Def) string {
	if t.Is("math/big", "Int") {
		return "bigint"
	}
	if t.Is("encoding/json", "Number") {
		return numberType
	}
	switch {
	case d == nil:
		return "unknown"
	case d.Is == nil || d.Is.Kind == model.Raw:
		return "unknown"
	case d.Is.Kind == model.Time:
		return "string"
	}
	return ""
}

// wide reports whether integers of a kind may be beyond 2^53.
func wide(k model.Kind) bool {
	switch k {
	case model.Int, model.Int64, model.Uint, model.Uint64, model.Uintptr:
		return true
	}
	return false
}
