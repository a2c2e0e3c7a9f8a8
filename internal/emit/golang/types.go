package golang

import (
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/wirecall/wirecall/internal/model"
)

// typ is a type as the user wrote it.
func typ(t *model.Type) *jen.Statement {
	switch t.Kind {
	case model.Pointer:
		return jen.Op("*").Add(typ(t.Elem))
	case model.Slice:
		return jen.Index().Add(typ(t.Elem))
	case model.Array:
		return jen.Index(length(t)).Add(typ(t.Elem))
	case model.Map:
		return jen.Map(typ(t.Key)).Add(typ(t.Elem))
	case model.Struct:
		return jen.StructFunc(func(g *jen.Group) {
			for _, f := range t.Fields {
				g.Add(structField(f))
			}
		})
	case model.Named:
		return named(t)
	case model.Any:
		return jen.Any()
	}
	return jen.Id(t.Name)
}

// length is the length of an array as the user wrote it.
func length(t *model.Type) *jen.Statement {
	if len(t.Length) == 0 {
		return jen.Lit(int(t.Len))
	}
	s := jen.Empty()
	for _, w := range t.Length {
		if w.Pkg.Path == "" {
			s.Op(w.Text)
		} else {
			s.Add(jen.Qual(w.Pkg.Path, w.Text))
		}
	}
	return s
}

func named(t *model.Type) *jen.Statement {
	s := jen.Qual(t.Pkg.Path, t.Name)
	if len(t.Args) > 0 {
		s.TypesFunc(func(g *jen.Group) {
			for _, a := range t.Args {
				g.Add(typ(a))
			}
		})
	}
	return s
}

// structField emits one field of a struct without a name.
func structField(f *model.Field) *jen.Statement {
	s := jen.Empty()
	if !f.Embedded {
		s = jen.Id(f.Name)
	}
	s.Add(typ(f.Type))
	switch {
	case strings.Contains(f.Tag, "`"):
		s.Lit(f.Tag)
	case f.Tag != "":
		s.Op("`" + f.Tag + "`")
	}
	return s
}

// signed is the type of a parameter or result in the interface.
func signed(v *model.Value) *jen.Statement {
	if v.Stream {
		return jen.Qual("iter", "Seq2").Types(typ(v.Type), jen.Error())
	}
	return typ(v.Type)
}
