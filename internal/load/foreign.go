package load

import (
	"fmt"
	"go/types"
)

// A foreign is a type or a method of another module, which is not for the user to
// change, and the reasons why it cannot cross the wire. They are all one fact:
// what the user can change is that it is used.
type foreign struct {
	seen    map[typeName]bool // in it
	reasons []string
}

func newForeign() *foreign { return &foreign{seen: map[typeName]bool{}} }

// A typeName is the full name of a type, and whether values of it are only encoded
// where it was found.
type typeName struct {
	name    string
	decoded bool
}

// foreignType is what is known of a type of another module.
func (w *pkgLoader) foreignType(name typeName) *foreign {
	f := w.foreigns[name]
	if f == nil {
		f = newForeign()
		w.foreigns[name] = f
	}
	return f
}

// String is the first reason and the number of others.
func (f *foreign) String() string {
	if n := len(f.reasons) - 1; n > 0 {
		return fmt.Sprintf("%s, and %d more", f.reasons[0], n)
	}
	return f.reasons[0]
}

// refuseForeign refuses a foreign type where the user has written it.
func (t *typeLoader) refuseForeign(typ types.Type, f *foreign) {
	if len(f.reasons) == 0 {
		return
	}
	name := t.typeString(typ)
	fact := fmt.Sprintf("%s cannot cross the wire (%s); use a type of your own in place of %[1]s, with what is to cross or with MarshalJSON and UnmarshalJSON", name, f)
	t.refuseOnce(t.at, t.where+t.field, fact)
}

// unchangeable reports whether a package is not for the user to change.
func (l *loader) unchangeable(p *types.Package) bool { return p != nil && !l.local[p.Path()] }
