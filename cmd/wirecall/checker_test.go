package main

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// A checker type-checks the packages of one module from source, and those of
// others from what the compiler says of them: that finds whatever go build would
// refuse, for a thousand packages in seconds, and for any platform.
type checker struct {
	t       *testing.T
	module  string
	dir     string
	fset    *token.FileSet
	context build.Context
	sources map[string]*types.Package // of the module, by their folders
	types.Importer
}

// newChecker returns a checker for a module in dir, which may import what the
// packages of the patterns and package gen1 import.
func newChecker(t *testing.T, dir, module string, patterns ...string) *checker {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{Context: t.Context(), Dir: dir,
		Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile}, append(patterns, "github.com/wirecall/wirecall/rpc/gen1")...)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	packages.Visit(pkgs, nil, func(p *packages.Package) { files[p.PkgPath] = p.ExportFile })
	fset := token.NewFileSet()
	return &checker{t, module, dir, fset, build.Default, map[string]*types.Package{}, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})}
}

// on returns a checker for another platform.
func (c *checker) on(system, arch string) *checker {
	other := *c
	other.context.GOOS, other.context.GOARCH = system, arch
	other.sources = map[string]*types.Package{}
	return &other
}

func (c *checker) Import(name string) (*types.Package, error) {
	if folder, ok := strings.CutPrefix(name, c.module); ok {
		return c.check(strings.TrimPrefix(folder, "/")), nil
	}
	return c.Importer.Import(name)
}

// check type-checks the package in a folder of the module, together with its
// tests that are not outside of it.
func (c *checker) check(folder string) *types.Package {
	c.t.Helper()
	if p := c.sources[folder]; p != nil {
		return p
	}
	conf := types.Config{
		Importer: c,
		Sizes:    types.SizesFor("gc", c.context.GOARCH),
		Error:    func(err error) { c.t.Errorf("%s/%s: %v", c.context.GOOS, c.context.GOARCH, err) },
	}
	p, _ := conf.Check(path.Join(c.module, folder), c.fset, c.parse(folder), nil) // its errors were reported
	c.sources[folder] = p
	return p
}

// parse parses the files of a package that are built.
func (c *checker) parse(folder string) (files []*ast.File) {
	c.t.Helper()
	names, err := filepath.Glob(filepath.Join(c.dir, folder, "*.go"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range names {
		built, err := c.context.MatchFile(filepath.Split(name))
		if err != nil {
			c.t.Fatal(err)
		}
		f, err := parser.ParseFile(c.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		if built && !strings.HasSuffix(f.Name.Name, "_test") {
			files = append(files, f)
		}
	}
	return files
}
