package tscheck

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"
)

// A workspace has the cases' packages as a Go module, and their TypeScript compiled.
type workspace struct {
	dir      string // of the module
	out      string // of the JavaScript
	packages []casePackage
}

// A casePackage is a package with services that has TypeScript.
type casePackage struct {
	dir         string // below the module's
	script      string // its JavaScript, below out
	model       string // as text: those of all packages of the case
	description []byte // its OpenRPC document
}

// runtime is the folder of the runtime's sources.
const runtime = "../../typescript"

// shared names the workspace in the environment of the processes that a fuzzer starts.
const shared = "TSCHECK_WORKSPACE"

// prepare makes the workspace, once for all tests.
var prepare = sync.OnceValues(func() (*workspace, error) {
	dir := os.Getenv(shared)
	w := &workspace{dir: filepath.Join(dir, "go"), out: filepath.Join(dir, "out")}
	if dir != "" {
		return w, nil
	}
	dir, err := os.MkdirTemp("", "tscheck")
	if err != nil {
		return nil, err
	}
	made = dir
	w = &workspace{dir: filepath.Join(dir, "go"), out: filepath.Join(dir, "out")}
	if err := errors.Join(w.write(dir), w.compile(dir)); err != nil {
		return nil, err
	}
	return w, os.Setenv(shared, dir)
})

// made is the folder of the workspace, in the process that has made it.
var made string

// open is the workspace.
func open(t testing.TB) *workspace {
	t.Helper()
	w, err := prepare()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made != "" {
		os.RemoveAll(made)
	}
	os.Exit(code)
}

// write lays out the input of the cases, and their TypeScript, as it is wanted there.
func (w *workspace) write(dir string) error {
	files, err := filepath.Glob("../../cmd/wirecall/testdata/accepted/*.txtar")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no cases: %w", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			return err
		}
		if err := w.writeCase(dir, strings.TrimSuffix(filepath.Base(file), ".txtar"), a); err != nil {
			return err
		}
	}
	return nil
}

func (w *workspace) writeCase(dir, name string, a *txtar.Archive) error {
	for _, f := range a.Files {
		in, isInput := strings.CutPrefix(f.Name, "in/")
		want, isWanted := strings.CutPrefix(f.Name, "want/")
		var err error
		switch {
		case isInput && !strings.HasSuffix(in, "_test.go"):
			err = put(filepath.Join(w.dir, name, in), f.Data)
		case isWanted && strings.HasSuffix(want, ".go") && !strings.HasSuffix(want, "_test.go"):
			err = put(filepath.Join(w.dir, name, want), f.Data)
		case isWanted && strings.HasSuffix(want, ".ts"):
			p := path.Join(name, want)
			w.packages = append(w.packages, casePackage{path.Dir(p), strings.TrimSuffix(p, ".ts") + ".js",
				string(fileOf(a, "want/model.txt")), fileOf(a, strings.TrimSuffix(f.Name, ".ts")+".openrpc.json")})
			err = w.writeScript(filepath.Join(dir, "src", p), f.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileOf is a file of a case, or nil.
func fileOf(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// writeScript writes a file of TypeScript with the runtime beside it.
func (w *workspace) writeScript(file string, text []byte) error {
	if err := put(file, text); err != nil {
		return err
	}
	for _, source := range []string{"wirecall.ts", "wirecall_values.ts"} {
		text, err := os.ReadFile(filepath.Join(runtime, source))
		if err != nil {
			return err
		}
		if err := put(filepath.Join(filepath.Dir(file), source), text); err != nil {
			return err
		}
	}
	return nil
}

// compile checks all TypeScript, and has it as JavaScript.
func (w *workspace) compile(dir string) error {
	use, err := os.ReadFile("testdata/use.ts")
	if err == nil {
		err = put(filepath.Join(dir, "src", "use.ts"), use)
	}
	if err == nil {
		err = putPresence(filepath.Join(dir, "src", "presence.ts"))
	}
	if err != nil {
		return err
	}
	config, err := os.ReadFile("testdata/tsconfig.json")
	if err == nil {
		err = put(filepath.Join(dir, "tsconfig.json"), config)
	}
	if err == nil {
		err = put(filepath.Join(dir, "package.json"), []byte(`{"type": "module"}`))
	}
	if err != nil {
		return err
	}
	if err := install(); err != nil {
		return err
	}
	for _, name := range []string{"ledger", "lobby"} {
		if out, err := exec.Command("go", "tool", "wirecall", "gen", "-ts", filepath.Join(dir, "src", name), "./"+name).CombinedOutput(); err != nil {
			return fmt.Errorf("gen: %w\n%s", err, out)
		}
	}
	if out, err := exec.Command(node(), "node_modules/typescript/bin/tsc", "--project", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("tsc: %w\n%s", err, out)
	}
	return nil
}

// putPresence writes what docs/presence.md shows of TypeScript.
func putPresence(file string) error {
	page, err := os.ReadFile("../../docs/presence.md")
	if err != nil {
		return err
	}
	_, text, found := strings.Cut(string(page), "```ts\n")
	text, _, closed := strings.Cut(text, "```\n")
	if !found || !closed {
		return errors.New("presence.md shows no TypeScript")
	}
	return put(file, []byte(text))
}

// install gets what package-lock.json names, unless that is there.
func install() error {
	if newer("node_modules/.package-lock.json", "package-lock.json") {
		return nil
	}
	if out, err := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}

func newer(made, source string) bool {
	a, errA := os.Stat(made)
	b, errB := os.Stat(source)
	return errA == nil && errB == nil && a.ModTime().After(b.ModTime())
}

// node is the program that runs JavaScript: the Node 22 that npm has installed, or on other
// platforms that of the machine, which must be as new.
func node() string {
	if found, _ := filepath.Glob("node_modules/node-*/bin/node"); len(found) > 0 {
		return found[0]
	}
	return "node"
}

// build compiles a program that has the types of all services, and returns its name.
func (w *workspace) build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(w.dir, "driver.exe")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	imports, entries := "", ""
	for i, p := range w.packages {
		pkg, services := w.services(t, p.dir)
		if pkg == "main" {
			continue
		}
		var lines strings.Builder
		for _, s := range services {
			lines.WriteString(fmt.Sprintf("\t%q: reflect.TypeFor[%s](),\n", s, s))
		}
		text := "package " + pkg + "\n\nimport \"reflect\"\n\nvar Services__ = map[string]reflect.Type{\n" + lines.String() + "}\n"
		check(t, put(filepath.Join(w.dir, p.dir, "services__.go"), []byte(text)))
		imports += fmt.Sprintf("\tp%d \"example.com/cases/%s\"\n", i, p.dir)
		entries += fmt.Sprintf("\t%q: p%d.Services__,\n", p.script, i)
	}
	driver, err := os.ReadFile("testdata/driver.go.txt")
	check(t, err)
	check(t, put(filepath.Join(w.dir, "driver", "main.go"), driver))
	check(t, put(filepath.Join(w.dir, "driver", "types.go"),
		[]byte("package main\n\nimport (\n\t\"reflect\"\n\n"+imports+")\n\nvar services = map[string]map[string]reflect.Type{\n"+entries+"}\n")))
	w.goBuild(t, program)
	return program
}

func (w *workspace) goBuild(t testing.TB, program string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	check(t, err)
	check(t, writeModule(w.dir, root))
	cmd := exec.Command("go", "build", "-o", program, "./driver")
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// writeModule makes a folder a module that uses the checkout.
func writeModule(dir, root string) error {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	text := strings.Replace(string(mod), "module github.com/wirecall/wirecall", "module example.com/cases", 1) +
		fmt.Sprintf("\nrequire github.com/wirecall/wirecall v0.0.0\n\nreplace github.com/wirecall/wirecall => %q\n", root)
	return errors.Join(put(filepath.Join(dir, "go.mod"), []byte(text)), put(filepath.Join(dir, "go.sum"), sum))
}

// services is the marked interfaces of a package, and its name.
func (w *workspace) services(t testing.TB, dir string) (pkg string, names []string) {
	t.Helper()
	dir = filepath.Join(w.dir, dir)
	built, err := build.ImportDir(dir, 0)
	check(t, err)
	for _, file := range built.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, file), nil, parser.ParseComments)
		check(t, err)
		for _, d := range f.Decls {
			if gen, ok := d.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
				for _, s := range gen.Specs {
					spec := s.(*ast.TypeSpec)
					if isService(gen.Doc) || isService(spec.Doc) {
						names = append(names, spec.Name.Name)
					}
				}
			}
		}
	}
	return built.Name, names
}

func isService(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//wirecall:service") })
}

func put(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o666)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
