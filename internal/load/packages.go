package load

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

// A loader type-checks packages from source, each once and only when it is
// needed, and takes those of other modules from the compiler. go/packages could do
// that too, but it would compile the user's own packages, which cannot be done
// while they mention stubs not yet generated, or check function bodies, of which
// we read nothing, and would run cgo.
type loader struct {
	dir   string // positions are relative to it
	fset  *token.FileSet
	files map[string]*parsed
	units map[string]*unit // by package ID
	std   map[string]bool  // paths of packages that are in no module
	local map[string]bool  // paths of packages that are for the user to change
	roots map[string]bool  // directories whose output is about to be written
	docs  map[string]docIndex

	compiled *compiled // nil where all is type-checked from source
	mixes    map[*packages.Package]bool

	constraints map[string]buildConstraint // of files
	lengths     map[*types.Array]length    // of arrays as they are written in packages that output is for
}

// A unit is one package, type-checked.
type unit struct {
	types *types.Package // nil while it is being checked
	info  *types.Info
	files []*ast.File
	errs  []types.Error
}

type parsed struct {
	file *ast.File
	err  error
}

func newLoader(dir string) *loader {
	return &loader{
		dir:   dir,
		fset:  token.NewFileSet(),
		files: map[string]*parsed{},
		units: map[string]*unit{},
		std:   map[string]bool{},
		local: map[string]bool{},
		roots: map[string]bool{},
		docs:  map[string]docIndex{},
		mixes: map[*packages.Package]bool{},

		constraints: map[string]buildConstraint{},
		lengths:     map[*types.Array]length{},
	}
}

// list asks the go command which packages and files there are. What it says is
// wrong with them is left to the type checker, which knows whether it matters.
func (l *loader) list(ctx context.Context, cfg Config) ([]*packages.Package, error) {
	pc := cfg.packages(ctx)
	pc.Mode = packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedForTest | packages.NeedModule
	pc.Tests = true
	pkgs, err := packages.Load(pc, cfg.Patterns...)
	if err != nil {
		if _, said, ok := strings.Cut(err.Error(), "stderr: "); ok {
			err = errors.New(strings.TrimSpace(said)) // as the go command put it
		}
		return nil, err
	}
	// A broken output can hide its package's imports from the go command:
	// list again as if it were empty.
	if pc.Overlay = brokenOutputs(pkgs); len(pc.Overlay) > 0 {
		pkgs, err = packages.Load(pc, cfg.Patterns...)
	}
	packages.Visit(pkgs, nil, l.origin)
	return pkgs, err
}

// packages is how the go command is asked for packages.
func (cfg *Config) packages(ctx context.Context) *packages.Config {
	pc := &packages.Config{Context: ctx, Dir: cfg.Dir, Env: cfg.Env}
	if cfg.Tags != "" {
		pc.BuildFlags = []string{"-tags=" + cfg.Tags}
	}
	return pc
}

// origin notes where a package is from.
func (l *loader) origin(p *packages.Package) {
	m := p.Module
	l.std[p.PkgPath] = m == nil
	l.local[p.PkgPath] = l.local[p.PkgPath] || m != nil && (m.Main || m.Replace != nil && m.Replace.Version == "")
}

// brokenOutputs returns an overlay in which those of our files that the go
// command cannot read are empty.
func brokenOutputs(pkgs []*packages.Package) map[string][]byte {
	overlay := map[string][]byte{}
	for _, p := range pkgs {
		if p.Dir == "" {
			continue
		}
		for _, file := range outputsIn(p.Dir) {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			want := packageClause(file)
			if want != "" && (err != nil || f.Name.Name != want) {
				overlay[file] = []byte("package " + want + "\n")
			}
		}
	}
	return overlay
}

// packageClause is the package that an output belongs to, as the other files in
// its folder have it.
func packageClause(output string) string {
	kind, _ := parseOutput(output)
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(output), "*.go"))
	for _, file := range files {
		if isOutput(file) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly)
		if err != nil {
			continue
		}
		base := f.Name.Name
		if strings.HasSuffix(file, "_test.go") {
			base = strings.TrimSuffix(base, "_test")
		}
		if kind == forExternalTests {
			return base + "_test"
		}
		return base
	}
	return ""
}

// imported is p for those that import it.
func (l *loader) imported(p *packages.Package) (*types.Package, error) {
	if t := l.fromCompiler(p); t != nil {
		return t, nil
	}
	u, err := l.check(p)
	if err != nil {
		return nil, err
	}
	return u.types, nil
}

// check type-checks p and what it imports.
func (l *loader) check(p *packages.Package) (*unit, error) {
	if u := l.units[p.ID]; u != nil {
		if u.types == nil {
			return nil, fmt.Errorf("import cycle through %s", p.PkgPath)
		}
		return u, nil
	}
	u := &unit{info: &types.Info{Defs: map[*ast.Ident]types.Object{}}}
	if l.roots[p.Dir] {
		u.info.Types, u.info.Uses = map[ast.Expr]types.TypeAndValue{}, map[*ast.Ident]types.Object{}
	}
	l.units[p.ID] = u
	u.files = l.parseAll(l.sources(p))
	conf := types.Config{
		IgnoreFuncBodies: true,
		FakeImportC:      true,
		Importer:         resolver{l, p},
		Error: func(err error) {
			if e, ok := err.(types.Error); ok {
				u.errs = append(u.errs, e)
			}
		},
	}
	u.types, _ = conf.Check(p.PkgPath, l.fset, u.files, u.info) // its errors are in u.errs
	l.noteLengths(u)
	return u, nil
}

// sources is the files of p, which may be nil, without what we wrote ourselves.
func (l *loader) sources(p *packages.Package) []string {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.GoFiles), func(file string) bool {
		return l.roots[filepath.Dir(file)] && isOutput(file)
	})
}

// parseAll parses files at once, those of them that are new.
func (l *loader) parseAll(files []string) []*ast.File {
	var wg sync.WaitGroup
	for _, file := range files {
		if l.files[file] != nil {
			continue
		}
		p := &parsed{}
		l.files[file] = p
		mode := parser.SkipObjectResolution
		if l.roots[filepath.Dir(file)] {
			mode |= parser.ParseComments | parser.AllErrors
		}
		wg.Go(func() { p.file, p.err = parser.ParseFile(l.fset, file, nil, mode) })
	}
	wg.Wait()
	var out []*ast.File
	for _, file := range files {
		if f := l.files[file].file; f != nil {
			out = append(out, f)
		}
	}
	return out
}

// A resolver resolves the imports of one package.
type resolver struct {
	l *loader
	p *packages.Package
}

func (r resolver) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	dep := r.p.Imports[path]
	if dep == nil {
		return nil, unlisted(r.p)
	}
	if len(dep.GoFiles) == 0 {
		return nil, unlisted(dep)
	}
	return r.l.imported(dep)
}

// unlisted is why the go command has nothing to say about a package.
func unlisted(p *packages.Package) error {
	if len(p.Errors) > 0 {
		return errors.New(strings.Join(strings.Fields(p.Errors[0].Msg), " "))
	}
	return errors.New("there is none, or it is an import cycle")
}
