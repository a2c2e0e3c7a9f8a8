package main

import (
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"testing"

	"golang.org/x/tools/go/packages"
)

// newChecker returns a checker for the packages of dir, which may import what the
// pattern imports.
func newChecker(t *testing.T, dir, pattern string) *checker {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{Context: t.Context(), Dir: dir,
		Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile}, pattern)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	packages.Visit(pkgs, nil, func(p *packages.Package) { files[p.PkgPath] = p.ExportFile })
	fset := token.NewFileSet()
	return &checker{t, dir, fset, map[string]*types.Package{}, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})}
}
