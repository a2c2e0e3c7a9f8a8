package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// A function is a function or method with a name.
type function struct {
	file, name string
	start, end int // the lines of its declaration
}

// declarations finds functions by their place, and keeps the files that it has
// parsed.
type declarations struct {
	root  string
	files map[string][]function
}

func (d *declarations) at(b block) (function, error) {
	if d.files == nil {
		d.files = map[string][]function{}
	}
	fs, ok := d.files[b.file]
	if !ok {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(d.root, b.file), nil, 0)
		if err != nil {
			return function{}, err
		}
		fs = functionsOf(fset, b.file, f)
		d.files[b.file] = fs
	}
	for _, f := range fs {
		if f.start <= b.line && b.line <= f.end {
			return f, nil
		}
	}
	// A literal at package level, as a variable holds one.
	return function{file: b.file, name: fmt.Sprintf("line %d", b.line)}, nil
}

func functionsOf(fset *token.FileSet, name string, f *ast.File) (fs []function) {
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			id := d.Name.Name
			if r := receiver(d); r != "" {
				id = r + "." + id
			}
			fs = append(fs, function{name, id, fset.Position(d.Pos()).Line, fset.Position(d.End()).Line})
		}
	}
	return fs
}

// receiver is the name of the type that a method is declared on.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch u := t.(type) {
		case *ast.StarExpr:
			t = u.X
		case *ast.IndexExpr:
			t = u.X
		case *ast.IndexListExpr:
			t = u.X
		case *ast.Ident:
			return u.Name
		default:
			return ""
		}
	}
}

func isGenerated(file string) bool {
	return strings.HasPrefix(filepath.Base(file), "wirecall_gen")
}
