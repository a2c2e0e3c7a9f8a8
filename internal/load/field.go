package load

import (
	"cmp"
	"go/types"
	"reflect"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// structure is a struct as encoding/json sees it. owner is its type, or nil if
// it has no name.
func (t *typeLoader) structure(s *types.Struct, owner *types.TypeName) *model.Type {
	out := &model.Type{Kind: model.Struct}
	written := !t.defined // then no field may be missing
	prefix := ""
	if owner != nil {
		prefix = owner.Name() + "."
	}
	for i := range s.NumFields() {
		v, f := s.Field(i), fieldOf(s, i)
		if written && !v.Exported() && v.Pkg().Path() != t.out.Path {
			t.bad("generated code cannot write a struct with the field %s of package %s; declare a type there", v.Name(), v.Pkg().Name())
		}
		d := t.below()
		d.field = "field " + prefix + v.Name() + ": "
		switch {
		case f.Wire != "" || f.Flat:
			d.source = v.Pos()
			d.embedded(v)
			f.Type, f.Doc = d.typ(v.Type()), t.ownDoc(v)
		case written:
			d.nameOnly = true
			f.Type = d.typ(v.Type())
		}
		if f.Wire != "" || f.Flat || written {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// fieldOf is what encoding/json makes of a field. Its type is left out.
func fieldOf(s *types.Struct, i int) *model.Field {
	v := s.Field(i)
	f := &model.Field{Name: v.Name(), Pkg: v.Pkg().Path(), Embedded: v.Embedded(), Tag: s.Tag(i)}
	if tag := reflect.StructTag(f.Tag).Get("json"); tag != "-" {
		wire(f, v, tag)
	}
	return f
}

// wire sets what a field is called in JSON, if it is there at all.
func wire(f *model.Field, v *types.Var, tag string) {
	name, options, _ := strings.Cut(tag, ",")
	if f.Tagged = validTag(name); !f.Tagged {
		name = ""
	}
	if v.Embedded() {
		s, _ := deref(v.Type()).Underlying().(*types.Struct)
		if !v.Exported() && s == nil {
			return
		}
		f.Flat = name == "" && s != nil
	} else if !v.Exported() {
		return
	}
	for o := range strings.SplitSeq(options, ",") {
		f.Empty = f.Empty || o == "omitempty"
		f.Zero = f.Zero || o == "omitzero"
		f.InString = f.InString || o == "string"
	}
	f.Omit = f.Empty || f.Zero
	if !f.Flat {
		f.Wire = cmp.Or(name, f.Name)
	}
}

// validTag is encoding/json's own rule; it ignores the names that break it.
func validTag(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !isLetterOrDigit(r)
	})
}

// embedded refuses what encoding/json encodes and then fails to decode.
func (t *typeLoader) embedded(v *types.Var) {
	if _, pointer := types.Unalias(v.Type()).(*types.Pointer); pointer && v.Embedded() && !v.Exported() && !t.decoded {
		t.bad("encoding/json cannot fill a pointer to an unexported struct; embed it by value, or give the field a name%s", t.orTag())
	}
}

func deref(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}
