package load

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
)

// A docIndex holds the comments of one file: those of types and of methods of
// interfaces, by the offset of the name.
type docIndex map[int]*ast.CommentGroup

// doc is the comment above the type or method whose name is at pos, in this
// package or another.
func (l *loader) doc(pos token.Pos) *ast.CommentGroup {
	at := l.fset.PositionFor(pos, false)
	if at.Filename == "" {
		return nil
	}
	index, ok := l.docs[at.Filename]
	if !ok {
		index = l.index(at.Filename)
		l.docs[at.Filename] = index
	}
	return index[at.Offset]
}

// typeDoc is the comment above a type. Those of the standard library say more
// about Go than about the wire, and change with its releases.
func (l *loader) typeDoc(obj *types.TypeName) string {
	if l.std[obj.Pkg().Path()] {
		return ""
	}
	return l.doc(obj.Pos()).Text()
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
		index[l.fset.PositionFor(name.Pos(), false).Offset] = doc
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
			}
		case *ast.InterfaceType:
			for _, m := range n.Methods.List {
				for _, name := range m.Names {
					add(name, m.Doc)
				}
			}
		}
		return true
	})
	return index
}
