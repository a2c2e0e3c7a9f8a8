package load

import (
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// A buildConstraint is all that must hold for a file to be built.
type buildConstraint struct {
	platform string // what the file's name says, such as _linux or _linux_amd64
	cgo      bool   // it imports C
	line     string // the expression of its //go:build line
}

// constraintOf is the constraint of a file, which was parsed with comments.
func constraintOf(file string, f *ast.File) buildConstraint {
	return buildConstraint{
		platform: platform(file),
		cgo:      slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"C"` }),
		line:     buildLine(f),
	}
}

// suffix is what the name of the output for such files ends in. Files for other
// platforms, and those that need cgo, have outputs of their own.
func (c buildConstraint) suffix() string {
	if c.cgo {
		return "_cgo" + c.platform
	}
	return c.platform
}

// parts is the expressions of which all must be true.
func (c buildConstraint) parts() (parts []string) {
	if c.platform != "" {
		parts = strings.Split(c.platform[1:], "_")
	}
	if c.cgo {
		parts = append(parts, "cgo")
	}
	if c.line != "" {
		parts = append(parts, c.line)
	}
	return parts
}

// expr is the constraint as one expression, or empty.
func (c buildConstraint) expr() string {
	parts := c.parts()
	if len(parts) > 1 && strings.Contains(c.line, "||") {
		parts[len(parts)-1] = "(" + c.line + ")"
	}
	return strings.Join(parts, " && ")
}

// implies reports whether what is under c is always built together with what is
// under d, as far as that is plain to see.
func (c buildConstraint) implies(d buildConstraint) bool {
	parts := c.parts()
	return !slices.ContainsFunc(d.parts(), func(part string) bool { return !slices.Contains(parts, part) })
}

// buildLine is the expression of f's //go:build line, or empty.
func buildLine(f *ast.File) string {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil && constraint.IsGoBuild(c.Text) {
				return expr.String()
			}
		}
	}
	return ""
}

// platform is the end of a file's name that the go command takes for a build
// constraint, or empty. Only package go/build knows all systems and
// architectures; it is asked whether it would build an empty file of that name.
func platform(file string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".go"), "_test")
	builds := func(system, arch string) bool {
		ctx := build.Context{GOOS: system, GOARCH: arch, OpenFile: func(string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("package p\n")), nil
		}}
		ok, err := ctx.MatchFile("", name+".go")
		return ok && err == nil
	}
	words := strings.Split(name, "_")
	if len(words) < 2 || builds("none", "none") {
		return ""
	}
	last := words[len(words)-1]
	if builds(last, "none") || builds("none", last) {
		return "_" + last
	}
	return "_" + words[len(words)-2] + "_" + last
}

// constraintAt is the constraint of the file that pos is in, in this package or
// another.
func (l *loader) constraintAt(pos token.Pos) buildConstraint {
	file := l.source(pos).Filename
	c, ok := l.constraints[file]
	if !ok && file != "" {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err == nil {
			c = constraintOf(file, f)
		}
		l.constraints[file] = c
	}
	return c
}
