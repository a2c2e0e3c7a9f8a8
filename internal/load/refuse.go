package load

import (
	"go/types"
	"unicode"
)

// cannot refuses a type that cannot cross the wire, and says what to write
// instead.
func (t *typeLoader) cannot(typ types.Type) {
	switch cure := t.cure(typ); {
	case isNamed(typ, "iter", "Seq2") && !t.deep && !t.inStream:
		t.bad("a stream must be able to fail: %s", cure)
	case isNamed(typ, "iter", "Seq2"), isNamed(typ, "iter", "Seq") && (t.deep || t.inStream):
		t.bad("%s: a stream stands only at the top level of a signature, as a parameter or a result of its own%s", t.typeString(typ), t.orTag())
	case isNamed(typ, "iter", "Seq"):
		t.bad("%s cannot say that it failed; %s", t.typeString(typ), cure)
	default:
		t.bad("%s cannot cross the wire; %s%s", t.typeString(typ), cure, t.orTag())
	}
}

// cure is what to write instead of a type.
func (t *typeLoader) cure(typ types.Type) string {
	if t.unchangeable() {
		return "use a type of your own in place of " + t.owner.Pkg().Name() + "." + t.owner.Name()
	}
	if n, ok := types.Unalias(typ).(*types.Named); ok && n.TypeArgs().Len() > 0 && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "iter" {
		return t.verb + " iter.Seq2[" + t.typeString(n.TypeArgs().At(0)) + ", error]"
	}
	if isContext(typ) {
		return "its deadline and its end cross by themselves, from the first parameter"
	}
	switch u := typ.Underlying().(type) {
	case *types.Chan:
		if t.inStream {
			return "use a slice"
		}
		if t.deep {
			return "use a slice, or make it a parameter or result of its own, iter.Seq2[" + t.typeString(u.Elem()) + ", error]"
		}
		return t.verb + " iter.Seq2[" + t.typeString(u.Elem()) + ", error]"
	case *types.Signature:
		if item := yields(u); item != nil {
			return "write iter.Seq2[" + t.typeString(item) + ", error] itself"
		}
		return "to be called back, declare a service that the caller serves"
	case *types.Interface:
		if isError(typ) {
			return "use a string for its text"
		}
		return "use a struct, or any"
	case *types.Basic:
		if u.Info()&types.IsComplex != 0 {
			return "use a struct of two floats"
		}
	}
	return "use what it points to"
}

// yields is what a function like an iter.Seq2[T, error] yields, or nil if it
// is not like that.
func yields(f *types.Signature) types.Type {
	if f.Params().Len() != 1 || f.Results().Len() != 0 {
		return nil
	}
	y, ok := f.Params().At(0).Type().Underlying().(*types.Signature)
	if !ok || y.Params().Len() != 2 || !isError(y.Params().At(1).Type()) {
		return nil
	}
	return y.Params().At(0).Type()
}

// unchangeable reports whether the problem is in a type that is not for the
// user to change.
func (t *typeLoader) unchangeable() bool {
	return t.owner != nil && t.std[t.owner.Pkg().Path()]
}

// orTag is the way out for a field that should not cross at all.
func (t *typeLoader) orTag() string {
	if t.field == "" || t.unchangeable() {
		return ""
	}
	return ", or leave the field out with the tag `json:\"-\"`"
}

// typeString is a type as the user's file would have it.
func (w *pkgLoader) typeString(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p.Path() == w.out.Path {
			return ""
		}
		return p.Name()
	})
}

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
