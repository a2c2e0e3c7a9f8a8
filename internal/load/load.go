// Package load reads marked interfaces into a model. All that the generator
// refuses about a program's types and signatures is refused here, and only
// here is a program parsed and type-checked.
package load

import (
	"bytes"
	"cmp"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/wirecall/wirecall/internal/model"
)

// A Config says what to load.
type Config struct {
	Dir      string   // where patterns and the file names in errors start
	Env      []string // nil means the process's own
	Tags     string   // build tags, as in go build -tags
	Patterns []string // as in go build
}

// An Output is a file that is to hold what a package's marked interfaces say.
type Output struct {
	File    string         // absolute
	Package *model.Package // nil where nothing is marked any more: the file is stale
}

// Load returns the outputs of all packages that the patterns name: those to be
// written, and those that exist and have nothing to hold. If anything at all
// must be refused it fails with model.Problems, and returns the outputs
// nevertheless: their names may be wrong too.
func Load(ctx context.Context, cfg Config) ([]Output, error) {
	outs, problems, err := load(ctx, cfg)
	if err == nil && len(problems) > 0 {
		err = problems.Sorted()
	}
	return outs, err
}

func load(ctx context.Context, cfg Config) (outs []Output, problems model.Problems, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, nil, err
	}
	l := newLoader(dir)
	pkgs, err := l.list(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	l.compile(ctx, cfg, withServices(pkgs))
	outs, problems = l.outputs(pkgs)
	return outs, problems, nil
}

// outputs returns the outputs of the packages that the go command has listed.
func (l *loader) outputs(pkgs []*packages.Package) (outs []Output, problems model.Problems) {
	folders, problems := l.folders(pkgs)
	for _, f := range folders {
		o, p := l.folder(f)
		outs, problems = append(outs, o...), append(problems, p...)
	}
	return outs, problems
}

// A folder is a package with its test variants; each may be nil.
type folder struct {
	dir             string
	main, test, ext *packages.Package
}

// folders sorts out the variants that the go command lists for each package.
func (l *loader) folders(pkgs []*packages.Package) ([]*folder, model.Problems) {
	var problems model.Problems
	byDir := map[string]*folder{}
	for _, p := range pkgs {
		if len(p.GoFiles) == 0 && len(p.Errors) > 0 {
			problems = append(problems, l.listProblem(p))
		}
		if p.Dir == "" || isTestMain(p) {
			continue
		}
		f := byDir[p.Dir]
		if f == nil {
			f = &folder{dir: p.Dir}
			byDir[p.Dir] = f
			l.roots[p.Dir] = true
		}
		switch {
		case p.ForTest == "":
			f.main = p
		case p.PkgPath == p.ForTest:
			f.test = p
		default:
			f.ext = p
		}
	}
	var out []*folder
	for _, f := range byDir {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *folder) int { return cmp.Compare(a.dir, b.dir) })
	return out, problems
}

// withServices is those of the packages that may have marked interfaces.
func withServices(pkgs []*packages.Package) []*packages.Package {
	return slices.DeleteFunc(slices.Clone(pkgs), func(p *packages.Package) bool {
		return isTestMain(p) || !slices.ContainsFunc(p.GoFiles, func(file string) bool { return !isOutput(file) && mentions(file) })
	})
}

// isTestMain reports whether p is the main package that go test makes.
func isTestMain(p *packages.Package) bool {
	return p.Name == "main" && strings.HasSuffix(p.ID, ".test") && p.ID == p.PkgPath
}

// listProblem is the go command's reason for having nothing to say about p.
func (l *loader) listProblem(p *packages.Package) model.Problem {
	e := p.Errors[0]
	text := strings.TrimSpace(e.Msg)
	if e.Pos != "" && e.Pos != "-" {
		text = e.Pos + ": " + text
	}
	return model.Problem{Text: text}
}

// folder returns the outputs of one folder. The package and its tests share a
// scope, so neither's output may declare what the other has.
func (l *loader) folder(f *folder) ([]Output, model.Problems) {
	mains, tests, exts := l.sources(f.main), l.sources(f.test), l.sources(f.ext)
	tests = slices.DeleteFunc(tests, func(file string) bool { return slices.Contains(mains, file) })
	shared, own := map[string]model.Pos{}, map[string]model.Pos{}
	l.declare(shared, mains)
	l.declare(shared, tests)
	l.declare(own, exts)
	elsewhere := l.elsewhere(f)

	var outs []Output
	var problems model.Problems
	for _, v := range []*variant{
		{kind: forPackage, pkg: f.main, files: mains, declared: shared, elsewhere: elsewhere},
		{kind: forTests, pkg: f.test, files: tests, declared: shared, elsewhere: elsewhere},
		{kind: forExternalTests, pkg: f.ext, files: exts, declared: own, elsewhere: elsewhere},
	} {
		if v.pkg != nil {
			o, ps := l.variant(f.dir, v)
			outs, problems = append(outs, o...), append(problems, ps...)
		}
	}
	return outs, problems
}

// A variant is a package without its tests, its tests in it, or those outside.
type variant struct {
	kind     outputKind
	pkg      *packages.Package
	files    []string
	declared map[string]model.Pos

	// elsewhere is what is declared in files that this build leaves out.
	elsewhere map[string]model.Pos
}

// variant returns the outputs of one variant: those to be written, each for the
// files under one build constraint, and those that are left over.
func (l *loader) variant(dir string, v *variant) (outs []Output, problems model.Problems) {
	byName := map[string][]string{}
	for _, file := range v.files {
		if mentions(file) {
			name := l.outputFor(v.kind, file)
			byName[name] = append(byName[name], file)
		}
	}
	for _, file := range outputsIn(dir) {
		if kind, _ := parseOutput(file); kind == v.kind && byName[filepath.Base(file)] == nil && l.stale(v, file) {
			byName[filepath.Base(file)] = []string{}
		}
	}
	seen := map[string]*model.Service{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out := Output{File: filepath.Join(dir, name)}
		var ps model.Problems
		if len(byName[name]) > 0 {
			out.Package, ps = l.pkg(v, byName[name], seen)
			problems = append(problems, ps...)
		}
		if out.Package != nil || l.stale(v, out.File) {
			outs = append(outs, out)
		}
	}
	return outs, problems
}

// outputFor is the name of the output for the interfaces in a file.
func (l *loader) outputFor(kind outputKind, file string) string {
	c := buildConstraint{platform: platform(file)}
	if f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments); err == nil {
		c = constraintOf(file, f)
	}
	return outputName(kind, c.suffix())
}

// mentions reports whether a file may hold a directive of ours.
func mentions(file string) bool {
	src, err := os.ReadFile(file)
	return err == nil && bytes.Contains(src, []byte("wirecall:"))
}

// stale reports whether file, which nothing is to be written to, is in the build
// all the same. Where another build might want it, it is not.
func (l *loader) stale(v *variant, file string) bool {
	return slices.Contains(v.pkg.GoFiles, file) && !slices.ContainsFunc(v.pkg.IgnoredFiles, func(ignored string) bool {
		return mentions(ignored) && l.outputFor(v.kind, ignored) == filepath.Base(file)
	})
}

// declare adds what files declare at package level to names.
func (l *loader) declare(names map[string]model.Pos, files []string) {
	for _, f := range l.parseAll(files) {
		for _, decl := range f.Decls {
			for _, id := range declared(decl) {
				names[id.Name] = l.pos(id.Pos())
			}
		}
	}
}

// elsewhere is what files of a folder declare that are not built here, but may be
// under other build constraints.
func (l *loader) elsewhere(f *folder) map[string]model.Pos {
	names := map[string]model.Pos{}
	for _, p := range []*packages.Package{f.main, f.test, f.ext} {
		if p != nil {
			l.declare(names, slices.DeleteFunc(slices.Clone(p.IgnoredFiles), func(file string) bool {
				return isOutput(file) || !strings.HasSuffix(file, ".go")
			}))
		}
	}
	return names
}

func declared(decl ast.Decl) (ids []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name != "init" {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				ids = append(ids, s.Name)
			case *ast.ValueSpec:
				ids = append(ids, s.Names...)
			}
		}
	}
	return ids
}

// pos is a place as it is shown.
func (l *loader) pos(p token.Pos) model.Pos { return l.place(l.fset.Position(p)) }

// place shows a file relative to where the generator runs, if that is shorter.
func (l *loader) place(at token.Position) model.Pos {
	if rel, err := filepath.Rel(l.dir, at.Filename); err == nil && len(rel) < len(at.Filename) {
		at.Filename = filepath.ToSlash(rel)
	}
	return model.Pos{File: at.Filename, Line: at.Line, Col: at.Column}
}
