package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// A block is one fenced block of a page.
type block struct {
	lang, file, text string
}

var fence = regexp.MustCompile("(?m)(?:^<!-- file: (.*) -->\n)?^```(\\w*)\n((?s:.*?))^```\n")

func blocks(text string) (bs []block) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		bs = append(bs, block{lang: m[2], file: m[1], text: m[3]})
	}
	return bs
}

// found returns the files under .. whose paths match, slashed and relative to it.
// Folders of dependencies, and hidden ones, are left out.
func found(t *testing.T, match func(name string) bool) (names []string) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".github" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.IsDir() && match(name):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func contents(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// isPage reports whether a file is the README or a page of docs.
func isPage(name string) bool {
	ok, _ := path.Match("docs/*.md", name)
	return ok || name == "README.md"
}

// Each piece of Go in the README and in docs is a piece of an example, which is
// compiled and tested. It may be indented less than there.
func TestSnippets(t *testing.T) {
	var code []string
	for _, name := range found(t, func(name string) bool {
		return path.Ext(name) == ".go" && (strings.HasPrefix(name, "example/") || strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "otelrpc/example/") || strings.HasPrefix(name, "mcprpc/example/") || name == "cluster/example_test.go" || name == "internal/doorbell/doorbell.go" || name == "rpc/example_test.go")
	}) {
		code = append(code, strings.Split(contents(t, name), "\n")...)
	}
	n := 0
	for _, page := range found(t, isPage) {
		for _, b := range blocks(contents(t, page)) {
			if b.lang != "go" || b.file != "" {
				continue
			}
			n++
			if !hasLines(code, strings.Split(strings.TrimSuffix(b.text, "\n"), "\n")) {
				t.Errorf("%s: not to be found in the examples:\n%s", page, b.text)
			}
		}
	}
	if n == 0 {
		t.Error("no snippet was found")
	}
}

// Tests that a page names by their package are there.
func TestNamedTests(t *testing.T) {
	named := regexp.MustCompile("`(Test\\w+)` in `([\\w/]+)`")
	n := 0
	for _, page := range found(t, isPage) {
		for _, m := range named.FindAllStringSubmatch(contents(t, page), -1) {
			n++
			declares := func(name string) bool {
				return path.Dir(name) == m[2] && strings.HasSuffix(name, "_test.go") && strings.Contains(contents(t, name), "\nfunc "+m[1]+"(t *testing.T)")
			}
			if len(found(t, declares)) != 1 {
				t.Errorf("%s: no test %s in %s", page, m[1], m[2])
			}
		}
	}
	if n == 0 {
		t.Error("no test is named")
	}
}

// hasLines reports whether lines follow each other in code, each behind the same
// indentation.
func hasLines(code, lines []string) bool {
	for i := range code[:len(code)-len(lines)+1] {
		indent, ok := strings.CutSuffix(code[i], lines[0])
		if ok && strings.Trim(indent, "\t") == "" && slices.EqualFunc(code[i:i+len(lines)], lines, func(have, want string) bool {
			return have == want && want == "" || want != "" && have == indent+want
		}) {
			return true
		}
	}
	return false
}

var (
	quoted  = regexp.MustCompile("(?s)(?:^|\n)```.*?\n```|`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// A relative link in a Markdown file leads to a file, and its fragment to a heading
// there.
func TestLinks(t *testing.T) {
	n := 0
	for _, page := range found(t, func(name string) bool { return path.Ext(name) == ".md" }) {
		for _, m := range link.FindAllStringSubmatch(quoted.ReplaceAllString(contents(t, page), ""), -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") {
				continue // another site
			}
			n++
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(file))); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if fragment != "" && !slices.Contains(anchors(contents(t, file)), fragment) {
				t.Errorf("%s: %s has no heading %s", page, file, fragment)
			}
		}
	}
	if n == 0 {
		t.Error("no link was found")
	}
}

// anchors returns the fragments that GitHub gives the headings of a page.
func anchors(text string) (as []string) {
	for _, m := range heading.FindAllStringSubmatch(regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, ""), -1) {
		as = append(as, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return as
}

// The README leads to each page of docs.
func TestContents(t *testing.T) {
	readme := contents(t, "README.md")
	for _, page := range found(t, isPage) {
		if page != "README.md" && !strings.Contains(readme, "]("+page+")") {
			t.Errorf("the README has no link to %s", page)
		}
	}
}

var (
	row  = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")
	verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)
)

// Each message that the page on troubleshooting explains is in the code.
func TestMessages(t *testing.T) {
	var texts strings.Builder
	for _, name := range found(t, func(name string) bool {
		top, _, _ := strings.Cut(name, "/")
		return path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && slices.Contains([]string{"rpc", "internal", "cmd", "codec", "cluster"}, top)
	}) {
		for _, text := range literals(t, name) {
			texts.WriteString(verb.ReplaceAllString(text, "…") + "…\n")
		}
	}
	n := 0
	for _, m := range row.FindAllStringSubmatch(contents(t, "docs/troubleshooting.md"), -1) {
		for message := range strings.SplitSeq(strings.Trim(m[1], "`"), "`, `") {
			if n++; !strings.Contains(texts.String(), message) {
				t.Errorf("no text in the code is %q", message)
			}
		}
	}
	if n == 0 {
		t.Error("no message was found")
	}
}

// literals returns the texts of a Go file, and of each that is added up of them as a
// whole, with … for what is not one.
func literals(t *testing.T, name string) (texts []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(name)), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit, *ast.BinaryExpr:
			texts = append(texts, literal(n.(ast.Expr)))
		}
		return true
	})
	return texts
}

func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	}
	return "…"
}
