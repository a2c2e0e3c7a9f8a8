package load

import (
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/wirecall/wirecall/internal/model"
)

// optionName is what types of functions that set options are called.
var optionName = regexp.MustCompile(`Opt(ion)?s?$`)

// instead is a type to write instead of one that may be refused, as an item of a
// stream or below the top level of a signature: what can cross is left as it is.
func (t *typeLoader) instead(typ types.Type) string { return t.insteadBelow(typ, nil) }

// insteadBelow is instead inside of other types. Channels of themselves nest
// without end.
func (t *typeLoader) insteadBelow(typ types.Type, above []types.Type) string {
	switch {
	case t.accepts(typ):
		return t.typeString(typ)
	case isError(typ):
		return "string"
	case slices.Contains(above, typ):
		return "any"
	}
	instead := func(elem types.Type) string { return t.insteadBelow(elem, append(above, typ)) }
	if item, _ := flow(typ); item != nil {
		return list(instead(item))
	}
	switch u := types.Unalias(typ).(type) {
	case *types.Pointer:
		return "*" + instead(u.Elem())
	case *types.Slice:
		return "[]" + instead(u.Elem())
	case *types.Array:
		return "[" + strconv.FormatInt(u.Len(), 10) + "]" + instead(u.Elem())
	case *types.Map:
		return "map[" + t.insteadOfKey(u.Key()) + "]" + instead(u.Elem())
	}
	switch u := typ.Underlying().(type) {
	case *types.Basic:
		switch u.Kind() {
		case types.Complex64:
			return "[2]float32"
		case types.Complex128:
			return "[2]float64"
		}
	case *types.Struct:
		return t.typeString(typ) // what it holds is refused in its own right
	}
	return "any"
}

// insteadOfKey is a type of keys to write instead of one that may be refused.
func (t *typeLoader) insteadOfKey(typ types.Type) string {
	if t.tries(func(t *typeLoader) { t.key(typ) }) {
		return t.typeString(typ)
	}
	return "string"
}

// accepts reports whether a type can cross as an item of a stream.
func (t *typeLoader) accepts(typ types.Type) bool {
	return t.tries(func(t *typeLoader) { t.typ(typ) })
}

// tries reports whether f refuses nothing. What it finds is forgotten.
func (t *typeLoader) tries(f func(*typeLoader)) bool {
	w := *t.pkgLoader
	w.problems, w.trial = nil, true
	w.defs, w.endless = maps.Clone(w.defs), maps.Clone(w.endless)
	w.seen, w.foreigns = map[typeName]bool{}, map[typeName]*foreign{}
	w.out = &model.Package{Path: w.out.Path, Name: w.out.Name}
	f(&typeLoader{pkgLoader: &w, at: t.at, deep: true, inStream: true, decoded: t.decoded})
	return len(w.problems) == 0
}

// items refuses what the items of a type hold that is itself refused, so that
// all mistakes are found at once.
func (t *typeLoader) items(typ types.Type) {
	item, _ := flow(typ)
	if item == nil {
		return
	}
	for {
		elem, ok := types.Unalias(item).(interface{ Elem() types.Type }) // a named one has none
		if !ok {
			break
		}
		item = elem.Elem()
	}
	if _, ok := item.Underlying().(*types.Struct); ok {
		d := t.below()
		d.inStream = true
		d.typ(item)
	}
}
