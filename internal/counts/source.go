package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The bounds of the source.
const (
	maxMethods  = 40
	maxFile     = 400
	maxFunction = 10 // the median
)

// A pkg is what go list prints of a package, as far as it is used here.
type pkg struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// list returns what go list prints of packages.
func list(root string, args ...string) (pkgs []pkg, err error) {
	cmd := command(root, "go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
}

// A text is what the counts of the source are made of.
type text struct {
	lines     map[string]int // by file
	functions []function
	structs   map[string]bool
	methods   map[string]int // by type
}

func (r *report) source(root string) error {
	pkgs, err := list(root, "./...")
	if err != nil {
		return err
	}
	all := &text{lines: map[string]int{}, structs: map[string]bool{}, methods: map[string]int{}}
	sizes := map[string]int{}
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if strings.HasPrefix(name, "example/") {
			continue
		}
		if sizes[name], err = all.read(name, p); err != nil {
			return err
		}
	}
	r.text(all, sizes)
	return nil
}

// read adds a package, and returns how many lines it has.
func (t *text) read(name string, p pkg) (lines int, err error) {
	fset := token.NewFileSet()
	for _, file := range p.GoFiles {
		if isGenerated(file) {
			continue
		}
		src, err := os.ReadFile(filepath.Join(p.Dir, file))
		if err != nil {
			return 0, err
		}
		f, err := parser.ParseFile(fset, file, src, 0)
		if err != nil {
			return 0, err
		}
		path := name + "/" + file
		t.lines[path] = bytes.Count(src, []byte("\n"))
		lines += t.lines[path]
		t.functions = append(t.functions, functionsOf(fset, path, f)...)
		t.types(name, f)
	}
	return lines, nil
}

// types adds the structs and the methods of a file.
func (t *text) types(pkg string, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if name := receiver(n); name != "" {
				t.methods[pkg+"."+name]++
			}
			return false
		case *ast.TypeSpec:
			if _, ok := n.Type.(*ast.StructType); ok {
				t.structs[pkg+"."+n.Name.Name] = true
			}
		}
		return true
	})
}

// text prints the counts of the source, the largest ones first.
func (r *report) text(t *text, sizes map[string]int) {
	maps.DeleteFunc(t.methods, func(name string, _ int) bool { return !t.structs[name] })
	for _, name := range largest(t.methods, 5) {
		r.bounded("methods of "+name, t.methods[name], maxMethods)
	}
	lengths := make([]int, len(t.functions))
	for i, f := range t.functions {
		lengths[i] = f.end - f.start + 1
	}
	slices.Sort(lengths)
	r.bounded("lines of a function, the median", lengths[len(lengths)/2], maxFunction)
	for _, file := range largest(t.lines, 5) {
		r.bounded("lines of "+file, t.lines[file], maxFile)
	}
	for _, name := range largest(sizes, len(sizes)) {
		r.printf("%-64s %5d", "lines of "+name, sizes[name])
	}
}

// largest returns the keys of the n largest values.
func largest(values map[string]int, n int) []string {
	keys := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(values[b]-values[a], strings.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}
