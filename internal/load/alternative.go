package load

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// alternative refuses an interface that another build of the package declares as
// well, where the output for both has the same name: each run of the generator
// would overwrite what that for the other build has written.
func (w *pkgLoader) alternative(v *variant, d *decl) {
	for _, file := range v.pkg.IgnoredFiles {
		if !strings.HasSuffix(file, ".go") || !mentions(file) || w.outputFor(v.kind, file) != outputName(v.kind, d.build.suffix()) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err == nil && f.Name.Name == w.out.Name && marks(f, d.spec.Name.Name) {
			w.refusef(d.spec.Name.Pos(), "%s: %s declares it too, for other builds, and both have one output: declare it where it is always built, or in files named for their platforms, such as api_linux.go",
				d.spec.Name.Name, filepath.Base(file))
		}
	}
}

// marks reports whether a file declares a marked interface of that name.
func marks(f *ast.File, name string) bool {
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		gen, ok := d.(*ast.GenDecl)
		return ok && slices.ContainsFunc(gen.Specs, func(s ast.Spec) bool {
			spec, ok := s.(*ast.TypeSpec)
			return ok && spec.Name.Name == name && (isMarked(spec.Doc) || isMarked(gen.Doc))
		})
	})
}

func isMarked(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		d, err := parseDirective(c.Text)
		return err == nil && d != nil && d.verb == "service"
	})
}
