package load

import (
	"cmp"
	"context"
	"errors"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Packages of other modules are not type-checked from source but read from what
// the compiler has said of them, which the go command keeps in its cache: that
// takes a quarter of the time and a sixth of the memory. Where there is none, or where it
// cannot be read, the source is as good.

// A compiled is the packages of other modules, as the compiler has left them.
type compiled struct {
	importer types.Importer
	files    map[string]string // of export data, by import path
	sources  map[string]string // files by import path and name, as they are called where paths are trimmed
}

// compile has the go command compile what the packages import of other modules.
// Errors are none here: what did not compile is looked at from source.
func (l *loader) compile(ctx context.Context, cfg Config, pkgs []*packages.Package) {
	paths := l.imports(pkgs)
	if len(paths) == 0 || !native(cfg.Env) {
		return
	}
	pc := cfg.packages(ctx)
	pc.Mode = packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile
	deps, err := packages.Load(pc, paths...)
	if err != nil {
		return
	}
	c := &compiled{files: map[string]string{}, sources: map[string]string{}}
	c.importer = importer.ForCompiler(l.fset, "gc", c.open)
	packages.Visit(deps, nil, func(p *packages.Package) {
		if p.ExportFile == "" {
			return
		}
		c.files[p.PkgPath] = p.ExportFile
		for _, file := range p.GoFiles {
			c.sources[path.Join(p.PkgPath, filepath.Base(file))] = file
		}
	})
	// All are read before any is used: types of one package must not be partly from
	// source and partly from the compiler.
	for _, p := range paths {
		if _, err := c.importer.Import(p); err != nil && c.files[p] != "" {
			return
		}
	}
	l.compiled = c
}

// native reports whether the environment is to build for this machine: what is
// compiled for another would be of no other use.
func native(env []string) bool {
	if env == nil {
		env = os.Environ()
	}
	set := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		set[name] = value
	}
	return cmp.Or(set["GOOS"], runtime.GOOS) == runtime.GOOS && cmp.Or(set["GOARCH"], runtime.GOARCH) == runtime.GOARCH
}

// imports lists what packages import of other modules, by themselves or by way of
// other packages for the user to change.
func (l *loader) imports(pkgs []*packages.Package) (paths []string) {
	seen := map[*packages.Package]bool{}
	var visit func(p *packages.Package)
	visit = func(p *packages.Package) {
		for _, dep := range p.Imports {
			if seen[dep] || dep.PkgPath == "unsafe" || dep.PkgPath == "C" {
				continue
			}
			seen[dep] = true
			if l.local[dep.PkgPath] {
				visit(dep)
			} else if !l.mixed(dep) {
				paths = append(paths, dep.PkgPath)
			}
		}
	}
	for _, p := range pkgs {
		visit(p)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// mixed reports whether a package of another module imports one that is for the
// user to change.
func (l *loader) mixed(p *packages.Package) bool {
	mixed, ok := l.mixes[p]
	if ok {
		return mixed
	}
	l.mixes[p] = false
	for _, dep := range p.Imports {
		mixed = mixed || l.local[dep.PkgPath] || l.mixed(dep)
	}
	l.mixes[p] = mixed
	return mixed
}

// source is the place that pos stands for. The compiler may have left out the
// folders that modules and Go itself are in, and all columns.
func (l *loader) source(pos token.Pos) token.Position {
	at := l.fset.PositionFor(pos, false)
	if l.compiled != nil && !filepath.IsAbs(at.Filename) {
		name := version.ReplaceAllString(strings.TrimPrefix(filepath.ToSlash(at.Filename), "$GOROOT/src/"), "")
		if file := l.compiled.sources[name]; file != "" {
			at.Filename = file
		}
	}
	return at
}

// version is that of a module, in a path.
var version = regexp.MustCompile(`@[^/]*`)

func (c *compiled) open(path string) (io.ReadCloser, error) {
	file := c.files[path]
	if file == "" {
		return nil, errors.New("it was not compiled")
	}
	return os.Open(file)
}

// fromCompiler is a package of another module as the compiler has left it, or nil.
func (l *loader) fromCompiler(p *packages.Package) *types.Package {
	if l.compiled == nil || l.compiled.files[p.PkgPath] == "" || l.local[p.PkgPath] || l.mixed(p) {
		return nil
	}
	out, err := l.compiled.importer.Import(p.PkgPath)
	if err != nil {
		return nil
	}
	return out
}
