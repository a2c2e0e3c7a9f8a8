package load

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
)

// A docIndex holds the comments of one file: those of types and constants, of methods
// of interfaces and of fields.
type docIndex map[nameOnLine]*ast.CommentGroup

// A nameOnLine tells declarations apart. The compiler does not keep columns.
type nameOnLine struct {
	line int
	name string
}

// doc is the comment above a type or a method, in this package or another.
func (l *loader) doc(obj types.Object) *ast.CommentGroup {
	at := l.source(obj.Pos())
	if at.Filename == "" {
		return nil
	}
	index, ok := l.docs[at.Filename]
	if !ok {
		index = l.index(at.Filename)
		l.docs[at.Filename] = index
	}
	return index[nameOnLine{at.Line, obj.Name()}]
}

// ownDoc is the text of the comment above a type, a constant or a field. Comments of
// the standard library say more about Go than about the wire, and change with its releases.
func (l *loader) ownDoc(obj types.Object) string {
	if l.std[obj.Pkg().Path()] {
		return ""
	}
	return l.doc(obj).Text()
}

// index reads a file's comments. It parses the file again, because
// dependencies are parsed without them.
func (l *loader) index(file string) docIndex {
	index := docIndex{}
	f, err := parser.ParseFile(l.fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return index
	}
	add := func(name *ast.Ident, doc *ast.CommentGroup) {
		index[nameOnLine{l.fset.PositionFor(name.Pos(), false).Line, name.Name}] = doc
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok && !n.Lparen.IsValid() {
					add(t.Name, n.Doc)
				} else if ok {
					add(t.Name, t.Doc)
				}
				if c, ok := spec.(*ast.ValueSpec); ok && n.Tok == token.CONST {
					for _, name := range c.Names {
						add(name, beside(c.Doc, c.Comment))
					}
				}
			}
		case *ast.InterfaceType:
			for _, m := range n.Methods.List {
				for _, name := range m.Names {
					add(name, m.Doc)
				}
			}
		case *ast.StructType:
			for _, f := range n.Fields.List {
				for _, name := range f.Names {
					add(name, beside(f.Doc, f.Comment))
				}
			}
		}
		return true
	})
	return index
}

// beside is the comment above something, or else that on its line.
func beside(above, line *ast.CommentGroup) *ast.CommentGroup {
	if above != nil {
		return above
	}
	return line
}
