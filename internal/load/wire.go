package load

import (
	"cmp"
	"fmt"
	"go/token"
	"go/types"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// A typeLoader turns the type of one parameter or result into the model, and
// refuses what cannot cross the wire wherever it is reached from there.
type typeLoader struct {
	*pkgLoader
	at       token.Pos // of the method
	source   token.Pos // in the declaration that a type was found in, if not the method's
	where    string    // "Room.Post: parameter author: "
	field    string    // "field Message.Text: ", once below a struct
	verb     string    // "take" or "return"
	variadic bool      // a variadic parameter
	deep     bool      // below the top level of the signature
	inStream bool      // in the items of a stream
	nameOnly bool      // among type arguments, which need a name and no more
	defined  bool      // below a named type, where nothing has to be written
	generic  bool      // in the declaration of a generic type, whose parameters stay what they are
	decoded  bool      // below a type that reads its JSON by a method, and is only encoded
	foreign  *foreign  // what this is part of, if that is not for the user to change
}

func (t *typeLoader) bad(format string, args ...any) {
	text := t.field + fmt.Sprintf(format, args...)
	if t.foreign != nil {
		t.foreign.reasons = append(t.foreign.reasons, text)
		return
	}
	t.refuse(t.at, t.where, text)
}

// below is t for something further down.
func (t *typeLoader) below() *typeLoader {
	d := *t
	d.deep = true
	return &d
}

// stream returns the type of the items if t is an iter.Seq2[T, error].
func stream(t types.Type) (item types.Type, ok bool) {
	if !isNamed(t, "iter", "Seq2") {
		return nil, false
	}
	args := types.Unalias(t).(*types.Named).TypeArgs()
	return args.At(0), isError(args.At(1))
}

// typ is the model of a type as it was written, or nil if it was refused.
func (t *typeLoader) typ(typ types.Type) *model.Type {
	switch u := typ.(type) {
	case *types.Alias:
		return t.alias(u)
	case *types.Named:
		return t.named(u)
	case *types.TypeParam:
		return &model.Type{Kind: model.Param, Name: u.Obj().Name()}
	case *types.Basic:
		return t.basic(u)
	case *types.Pointer:
		return t.of(model.Pointer, u.Elem())
	case *types.Slice:
		return t.of(model.Slice, u.Elem())
	case *types.Array:
		return t.array(u)
	case *types.Map:
		m := t.of(model.Map, u.Elem())
		m.Key = t.key(u.Key())
		return m
	case *types.Struct:
		return t.structure(u, nil)
	case *types.Interface:
		if u.Empty() || t.decoded {
			return &model.Type{Kind: model.Any}
		}
	}
	t.cannot(typ)
	return nil
}

func (t *typeLoader) of(kind model.Kind, elem types.Type) *model.Type {
	return &model.Type{Kind: kind, Elem: t.below().typ(elem)}
}

var basics = map[types.BasicKind]model.Kind{
	types.Bool: model.Bool, types.String: model.String,
	types.Int: model.Int, types.Int8: model.Int8, types.Int16: model.Int16, types.Int32: model.Int32, types.Int64: model.Int64,
	types.Uint: model.Uint, types.Uint8: model.Uint8, types.Uint16: model.Uint16, types.Uint32: model.Uint32, types.Uint64: model.Uint64,
	types.Uintptr: model.Uintptr, types.Float32: model.Float32, types.Float64: model.Float64,
}

func (t *typeLoader) basic(b *types.Basic) *model.Type {
	if kind, ok := basics[b.Kind()]; ok {
		return &model.Type{Kind: kind, Name: b.Name()}
	}
	if b.Kind() == types.Invalid {
		t.explain(cmp.Or(t.source, t.at), strings.TrimSuffix(t.where+t.field, ": "))
	} else {
		t.cannot(b)
	}
	return nil
}

// alias keeps the name that was written: what it stands for may be in a
// package that the output cannot import.
func (t *typeLoader) alias(a *types.Alias) *model.Type {
	if a.Obj().Pkg() == nil { // any
		return t.typ(types.Unalias(a))
	}
	if isNamed(a, "iter", "Seq") || isNamed(a, "iter", "Seq2") {
		return t.typ(types.Unalias(a))
	}
	if !t.nameOnly && !t.hasForm(types.Unalias(a)) {
		t.cannot(a)
		return nil
	}
	if t.expands(a.Obj(), a.TypeArgs()) {
		return nil
	}
	ref := t.ref(a.Obj(), a.TypeArgs())
	if !t.nameOnly {
		t.define(a, a.Obj(), ref, func(d *typeLoader) *model.Type { return d.typ(a.Rhs()) })
	}
	return ref
}

func (t *typeLoader) named(n *types.Named) *model.Type {
	switch {
	case isNamed(n, "iter", "Seq"), isNamed(n, "iter", "Seq2"):
		t.cannot(n)
		return nil
	case n.Obj().Pkg() == nil && t.decoded: // error has no package
		return &model.Type{Kind: model.Any}
	case n.Obj().Pkg() == nil, !t.nameOnly && !t.hasForm(n):
		t.cannot(n)
		return nil
	case t.expands(n.Obj(), n.TypeArgs()):
		return nil
	}
	ref := t.ref(n.Obj(), n.TypeArgs())
	if !t.nameOnly {
		t.define(n, n.Obj(), ref, func(d *typeLoader) *model.Type { return d.underlying(n) })
	}
	return ref
}

// ref refers to a named type from the output.
func (t *typeLoader) ref(obj *types.TypeName, args *types.TypeList) *model.Type {
	ref := &model.Type{Kind: model.Named, Name: obj.Name(), Pkg: model.Import{Path: obj.Pkg().Path(), Name: obj.Pkg().Name()}}
	t.nameable(obj)
	for arg := range args.Types() {
		d := t.below()
		d.nameOnly = true
		ref.Args = append(ref.Args, d.typ(arg))
	}
	return ref
}

// canName reports whether the output can name a type, its arguments aside, or a variable.
func (w *pkgLoader) canName(obj types.Object) bool {
	path := obj.Pkg().Path()
	return path == w.out.Path || obj.Exported() && importable(w.out.Path, path) && !strings.HasPrefix(path, "vendor/")
}

// nameable refuses a type that the output would have to write and cannot.
func (t *typeLoader) nameable(obj *types.TypeName) {
	if t.defined || obj.Pkg().Path() == t.out.Path {
		return
	}
	if !obj.Exported() {
		t.bad("%s.%s is not exported, so that generated code cannot name it: export it", obj.Pkg().Name(), obj.Name())
	}
	if !importable(t.out.Path, obj.Pkg().Path()) {
		t.bad("%s is internal to another module or folder, so that generated code cannot import it: use an alias of %s.%s from where it may be used",
			obj.Pkg().Path(), obj.Pkg().Name(), obj.Name())
	}
}

// importable reports whether package from may import path by the rule for
// internal folders.
func importable(from, path string) bool {
	i := strings.LastIndex("/"+path+"/", "/internal/")
	if i < 0 {
		return true
	}
	parent := strings.TrimSuffix(path[:max(i-1, 0)], "/")
	from = strings.TrimSuffix(from, "_test")
	return from == parent || strings.HasPrefix(from, parent+"/")
}

// define adds what a named type is, and refuses what it holds: once where each
// mistake in it has to be mended once. A type that is not for the user to change
// is refused as a whole, wherever the user has written it.
func (t *typeLoader) define(typ types.Type, obj *types.TypeName, ref *model.Type, is func(*typeLoader) *model.Type) {
	if t.generic {
		return // each instance is defined
	}
	name := typeName{types.TypeString(typ, nil), t.decoded}
	d := t.below()
	d.defined, d.source = true, obj.Pos()
	seen := t.seen
	switch {
	case !t.unchangeable(obj.Pkg()):
		d.foreign = nil
	case t.foreign == nil:
		d.foreign, d.field = t.foreignType(name), ""
		defer t.refuseForeign(typ, d.foreign)
	}
	if d.foreign != nil {
		seen = d.foreign.seen
	}
	if !seen[name] {
		seen[name] = true
		t.describe(typ, obj, ref, func() *model.Type { return is(d) })
	}
}

// describe adds what a named type is. It may hold itself.
func (t *typeLoader) describe(typ types.Type, obj *types.TypeName, ref *model.Type, is func() *model.Type) {
	name := types.TypeString(typ, nil)
	def := t.defs[name]
	if def == nil {
		def = &model.Def{Type: ref, Doc: t.ownDoc(obj), Own: own(typ), Hidden: !t.canName(obj), Varies: !own(typ) && !t.build.implies(t.constraintAt(obj.Pos()))}
		_, def.Alias = typ.(*types.Alias)
		def.BigInt = t.bigInt(typ, obj)
		def.Addressed, def.Consts = addressed(typ), t.consts(typ, obj)
		if n, ok := typ.(*types.Named); ok && n.TypeArgs() != nil {
			def.Generic = t.genericType(n.Origin())
		}
		t.defs[name] = def
		t.out.Types = append(t.out.Types, def)
	}
	def.Is = is()
	if def.Is != nil && (def.Is.Kind == model.Time || def.Is.Kind == model.Raw || def.Is.Kind == model.Custom && !def.Own) {
		def.Varies = false // whichever file of the standard library declares it
	}
}

// underlying is what a named type is on the wire: what its methods make of it,
// or else what it was declared as.
func (t *typeLoader) underlying(n *types.Named) *model.Type {
	switch {
	case isNamed(n, "time", "Time"):
		return &model.Type{Kind: model.Time}
	case isNamed(n, "encoding/json", "RawMessage"):
		return &model.Type{Kind: model.Raw}
	case isNamed(n, "encoding/json", "Number"):
		return &model.Type{Kind: model.Custom}
	case isNamed(n, "github.com/wirecall/wirecall/rpc", "Shared") && n.TypeArgs() != nil:
		return &model.Type{Kind: model.Custom, Elem: t.typ(n.TypeArgs().At(0))}
	}
	switch {
	case encodesJSON(n):
		return &model.Type{Kind: model.Custom}
	case encodesText(n):
		return &model.Type{Kind: model.Text}
	}
	t.decoded = t.decoded || hasMethod(n, "UnmarshalJSON", reads)
	if s, ok := n.Underlying().(*types.Struct); ok {
		return t.structure(s, n.Obj())
	}
	return t.typ(n.Underlying())
}

// hasForm reports whether a type can have a form on the wire at all, whatever
// it holds.
func (t *typeLoader) hasForm(typ types.Type) bool {
	switch u := typ.Underlying().(type) {
	case *types.Interface:
		return u.Empty() || t.decoded
	case *types.Signature, *types.Chan:
		return encodesJSON(typ) || encodesText(typ)
	case *types.Basic:
		_, ok := basics[u.Kind()]
		return ok || u.Kind() == types.Invalid || encodesJSON(typ) || encodesText(typ)
	}
	return true
}

// own reports whether a *T has any of the methods that encoding/json looks for.
func own(t types.Type) bool {
	return !types.IsInterface(t) &&
		(hasMethod(t, "MarshalJSON", writes) || hasMethod(t, "UnmarshalJSON", reads) ||
			hasMethod(t, "MarshalText", writes) || hasMethod(t, "UnmarshalText", reads))
}

// addressed reports whether one of the methods that make the JSON of a T is only a
// *T's.
func addressed(t types.Type) bool {
	if types.IsInterface(t) {
		return false
	}
	for _, name := range []string{"MarshalJSON", "MarshalText"} {
		if hasMethod(t, name, writes) && types.NewMethodSet(t).Lookup(nil, name) == nil {
			return true
		}
	}
	return false
}

// The signatures of the methods that make JSON and read it.
var (
	writes = signature(nil, []types.Type{byteSlice, types.Universe.Lookup("error").Type()})
	reads  = signature([]types.Type{byteSlice}, []types.Type{types.Universe.Lookup("error").Type()})

	byteSlice = types.NewSlice(types.Universe.Lookup("byte").Type())
)

func signature(params, results []types.Type) *types.Signature {
	tuple := func(list []types.Type) *types.Tuple {
		var vars []*types.Var
		for _, t := range list {
			vars = append(vars, types.NewParam(0, nil, "", t))
		}
		return types.NewTuple(vars...)
	}
	return types.NewSignatureType(nil, nil, nil, tuple(params), tuple(results), false)
}

func encodesJSON(t types.Type) bool {
	return !types.IsInterface(t) && hasMethods(t, "MarshalJSON", "UnmarshalJSON")
}

func encodesText(t types.Type) bool {
	return !types.IsInterface(t) && hasMethods(t, "MarshalText", "UnmarshalText")
}

// hasMethods reports whether a *T has both methods, one that writes bytes and
// one that reads them.
func hasMethods(t types.Type, marshal, unmarshal string) bool {
	return hasMethod(t, marshal, writes) && hasMethod(t, unmarshal, reads)
}

func hasMethod(t types.Type, name string, signature *types.Signature) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, true, nil, name)
	fn, ok := obj.(*types.Func)
	return ok && types.Identical(fn.Signature(), signature)
}

// key is the type of a map's keys, which JSON has as text.
func (t *typeLoader) key(k types.Type) *model.Type {
	b, ok := k.Underlying().(*types.Basic)
	switch {
	case ok && b.Kind() == types.Invalid:
	case ok && b.Info()&(types.IsInteger|types.IsString) != 0:
	case t.generic:
	case deref(k) == k && (encodesText(k) || t.decoded && hasMethod(k, "MarshalText", writes)) &&
		types.NewMethodSet(k).Lookup(nil, "MarshalText") != nil: // keys have no address
	case t.foreign != nil:
		t.bad("a map with keys of type %s", t.typeString(k))
		return nil
	default:
		t.bad("a map with keys of type %s cannot cross the wire, for JSON's keys are text; use a string or integer type, or one with MarshalText and UnmarshalText%s", t.typeString(k), t.orTag())
		return nil
	}
	return t.below().typ(k)
}
