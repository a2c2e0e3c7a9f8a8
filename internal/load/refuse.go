package load

import (
	"go/types"
	"unicode"
)

// cannot refuses a type that cannot cross the wire, and says what to write
// instead.
func (t *typeLoader) cannot(typ types.Type) {
	if t.foreign != nil || t.trial {
		t.bad("%s", t.typeString(typ))
		return
	}
	switch cure := t.cure(typ); {
	case isNamed(typ, "iter", "Seq2") && !t.deep && !t.inStream:
		t.bad("a stream must be able to fail: %s", cure)
	case isNamed(typ, "iter", "Seq2"), isNamed(typ, "iter", "Seq") && (t.deep || t.inStream):
		t.bad("%s: a stream stands only at the top level of a signature, as a parameter or a result of its own: %s%s", t.typeString(typ), cure, t.orTag())
	case isNamed(typ, "iter", "Seq"):
		t.bad("%s cannot say that it failed; %s", t.typeString(typ), cure)
	case isContext(typ) && t.field != "":
		t.bad("%s cannot cross the wire; leave the field out with the tag `json:\"-\"`, %s", t.typeString(typ), cure)
	case isContext(typ):
		t.bad("%s cannot cross the wire; leave it out, %s", t.typeString(typ), cure)
	default:
		t.bad("%s cannot cross the wire; %s%s", t.typeString(typ), cure, t.orTag())
	}
	t.items(typ)
}

// cure is what to write instead of a type.
func (t *typeLoader) cure(typ types.Type) string {
	switch {
	case isContext(typ):
		return "for the deadline and the end of the first parameter cross by themselves"
	case isError(typ):
		return "use string, for its text"
	}
	if item, out := flow(typ); item != nil {
		return t.streamCure(item, out)
	}
	switch u := typ.Underlying().(type) {
	case *types.Signature:
		if opts := t.options(typ, u); opts != "" {
			return opts
		}
		return "to be called back, declare a service that the caller serves"
	case *types.Basic:
		if u.Kind() == types.UnsafePointer {
			return "use what it points to"
		}
	case *types.Interface:
		return "use any, or a struct"
	}
	return "use " + t.instead(typ)
}

// streamCure is what to write instead of a channel, a sequence, a reader or a
// writer. Where out is set it carries items away from whoever is given it, and
// otherwise to them.
func (t *typeLoader) streamCure(item types.Type, out bool) string {
	is := t.instead(item)
	seq := "iter.Seq2[" + is + ", error]"
	switch {
	case t.inStream:
		return "use " + list(is)
	case t.deep && t.field != "":
		return "use " + list(is) + ", or make it a parameter or result of its own, " + seq
	case t.deep:
		return "use " + list(is)
	case out && t.verb == "take":
		return "return " + seq + ", for it flows to the caller"
	case out:
		return "take " + seq + " as a parameter, for it flows from the caller"
	}
	return t.verb + " " + seq
}

// list is a list of items. That of lists of bytes is one of bytes.
func list(item string) string {
	if item == "[]byte" {
		return item
	}
	return "[]" + item
}

// flow is what a type that stands for a sequence of items carries, or nil for
// others, and whether whoever is given it sends them.
func flow(typ types.Type) (item types.Type, out bool) {
	if isNamed(typ, "iter", "Seq") || isNamed(typ, "iter", "Seq2") {
		return types.Unalias(typ).(*types.Named).TypeArgs().At(0), false
	}
	switch u := typ.Underlying().(type) {
	case *types.Chan:
		return u.Elem(), u.Dir() == types.SendOnly
	case *types.Signature:
		return yields(u), false
	case *types.Interface:
		if hasMethod(u, "Read", moves) {
			return byteSlice, false
		}
		if hasMethod(u, "Write", moves) {
			return byteSlice, true
		}
	}
	return nil, false
}

// moves is the signature of io.Reader's method, and of io.Writer's.
var moves = signature([]types.Type{byteSlice}, []types.Type{types.Typ[types.Int], types.Universe.Lookup("error").Type()})

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

// options is what to write instead of functions that set options, or empty for
// other functions.
func (t *typeLoader) options(typ types.Type, f *types.Signature) string {
	named := ""
	if n, ok := types.Unalias(typ).(*types.Named); ok {
		named = n.Obj().Name()
	}
	if !t.variadic && !optionName.MatchString(named) || f.Params().Len() != 1 {
		return ""
	}
	if set := deref(f.Params().At(0).Type()); t.accepts(set) {
		if _, ok := set.Underlying().(*types.Struct); ok {
			return "take what the options set, " + t.typeString(set)
		}
	}
	return "take a struct of the options"
}

// orTag is the way out for a field that should not cross at all.
func (t *typeLoader) orTag() string {
	if t.field == "" {
		return ""
	}
	return ", or leave the field out with the tag `json:\"-\"`"
}

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
