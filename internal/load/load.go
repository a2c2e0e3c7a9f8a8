// Package load reads marked interfaces into a model. All that the generator
// refuses about a program's types and signatures is refused here, and only
// here is a program parsed and type-checked.
package load

import (
	"bytes"
	"cmp"
	"context"
	"go/ast"
	"go/token"
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

// The files that we write: for a package, for the interfaces in its tests, and
// for those in its external tests.
const (
	outputMain  = "wirecall_gen.go"
	outputTest  = "wirecall_gen_test.go"
	outputXTest = "wirecall_gen_x_test.go"
)

var outputs = []string{outputMain, outputTest, outputXTest}

// Load returns the outputs of all packages that the patterns name: those to be
// written, and those that exist and have nothing to hold. If anything at all
// must be refused it fails with model.Problems, and returns the outputs
// nevertheless: their names may be wrong too.
func Load(ctx context.Context, cfg Config) ([]Output, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	l := newLoader(dir)
	pkgs, err := l.list(ctx, cfg)
	if err != nil {
		return nil, err
	}
	folders, problems := l.folders(pkgs)
	var outs []Output
	for _, f := range folders {
		o, p := l.folder(f)
		outs, problems = append(outs, o...), append(problems, p...)
	}
	if len(problems) > 0 {
		return outs, problems.Sorted()
	}
	return outs, nil
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

	var outs []Output
	var problems model.Problems
	for _, o := range []struct {
		name     string
		p        *packages.Package
		files    []string
		declared map[string]model.Pos
	}{
		{outputMain, f.main, mains, shared},
		{outputTest, f.test, tests, shared},
		{outputXTest, f.ext, exts, own},
	} {
		out := Output{File: filepath.Join(f.dir, o.name)}
		if mentions(o.files) {
			var ps model.Problems
			out.Package, ps = l.pkg(o.p, o.files, o.declared)
			problems = append(problems, ps...)
		}
		if out.Package != nil || stale(o.p, out.File) {
			outs = append(outs, out)
		}
	}
	return outs, problems
}

// mentions reports whether any of the files may hold a directive of ours.
func mentions(files []string) bool {
	return slices.ContainsFunc(files, func(file string) bool {
		src, err := os.ReadFile(file)
		return err == nil && bytes.Contains(src, []byte("wirecall:"))
	})
}

// stale reports whether file, which nothing is to be written to, is in p's
// build all the same. Where another build of p might want it, it is not.
func stale(p *packages.Package, file string) bool {
	return p != nil && slices.Contains(p.GoFiles, file) && !mentions(p.IgnoredFiles)
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
