package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
)

// core is the package whose files are counted as they use each other.
const core = module + "/rpc"

// A graph has an arrow from each file to those whose declarations it uses.
type graph map[string]map[string]bool

func (r *report) arrows(root string) error {
	g, err := uses(root)
	if err != nil {
		return err
	}
	n, up := g.arrows()
	r.printf("%-64s %5d", "files of rpc", len(g))
	r.printf("%-64s %5d", "arrows between them, by use", n)
	r.printf("%-64s %5d", "arrows that go upwards, in an order that has few", up)
	return nil
}

// uses type-checks the core, whose imports the go command has compiled.
func uses(root string) (graph, error) {
	pkgs, err := list(root, "-export", "-deps", core)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range pkgs {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	files, err := parseAll(fset, pkgs[len(pkgs)-1]) // go list prints it behind what it imports
	if err != nil {
		return nil, err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	if _, err := conf.Check(core, fset, files, info); err != nil {
		return nil, err
	}
	g := graph{}
	for _, f := range files {
		g[base(fset, f.Pos())] = map[string]bool{}
	}
	for id, obj := range info.Uses {
		if obj.Pkg() == nil || obj.Pkg().Path() != core {
			continue
		}
		if from, to := base(fset, id.Pos()), base(fset, obj.Pos()); from != to {
			g[from][to] = true
		}
	}
	return g, nil
}

func parseAll(fset *token.FileSet, p pkg) (files []*ast.File, err error) {
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func base(fset *token.FileSet, pos token.Pos) string {
	return filepath.Base(fset.Position(pos).Filename)
}
