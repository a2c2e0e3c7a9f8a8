package load

import "go/types"

// maxArgs is how many types the arguments of an instance may be made of.
const maxArgs = 200

// expands refuses an instance of a generic type that holds ever larger instances
// of itself, such as
//
//	type G[T any] struct{ Next *G[*T] }
//
// Go refuses it as well, but reports no more than one such type, and none if
// there are other errors. Each generic type is refused once: of two such fields
// each would otherwise be followed from every instance of the other.
func (t *typeLoader) expands(obj *types.TypeName, args *types.TypeList) bool {
	if t.endless[obj] {
		return true
	}
	size := 0
	for arg := range args.Types() {
		size += sizeOf(arg, maxArgs)
	}
	if size <= maxArgs {
		return false
	}
	t.endless[obj] = true
	t.foreign = nil // its own package does not compile
	t.bad("%s expands without end: it holds ever larger instances of itself", obj.Name())
	return true
}

// sizeOf is how many types t is made of. It stops counting at the limit.
func sizeOf(t types.Type, limit int) (size int) {
	size = 1
	add := func(part types.Type) {
		if size <= limit {
			size += sizeOf(part, limit-size)
		}
	}
	switch t := t.(type) {
	case *types.Pointer:
		add(t.Elem())
	case *types.Slice:
		add(t.Elem())
	case *types.Array:
		add(t.Elem())
	case *types.Map:
		add(t.Key())
		add(t.Elem())
	case *types.Chan:
		add(t.Elem())
	case *types.Struct:
		for f := range t.Fields() {
			add(f.Type())
		}
	case interface{ TypeArgs() *types.TypeList }: // a name
		for arg := range t.TypeArgs().Types() {
			add(arg)
		}
	}
	return size
}
