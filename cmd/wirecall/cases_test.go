package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/wirecall/wirecall/internal/emit/openrpc"
	"github.com/wirecall/wirecall/internal/emit/ts"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/internal/model"
	"github.com/wirecall/wirecall/internal/racing"
	"golang.org/x/mod/modfile"
	"golang.org/x/tools/txtar"
	// What is generated runs over it in modules of their own. Without this
	// go test would take a result from its cache though the runtime has changed.
	_ "github.com/wirecall/wirecall/rpc/rpctest"
)

var update = flag.Bool("update", false, "write what the cases in testdata want anew")

// TestMain lets the go command do the same for everyone, whatever flags or
// workspace is set in the environment of the tests.
func TestMain(m *testing.M) {
	os.Setenv("GOFLAGS", "-buildvcs=false") // an empty value would mean that of go env -w
	os.Setenv("GOWORK", "off")
	os.Setenv("GO111MODULE", "on")
	os.Exit(m.Run())
}

// A testCase is one file of testdata. Its first line says why it exists.
//
//	in/…            the package's files, folders below it included
//	use_test.go     compiled with the output and run
//	want/…          the output, those of gen -ts and gen -openrpc beside that in Go
//	want/notes.txt  what TypeScript cannot carry
//	want/model.txt  the model between input and output
//	want/errors.txt instead of all output, for input that must be refused
type testCase struct {
	name string
	*txtar.Archive
}

func readCases(t *testing.T, pattern string) (cases []*testCase) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(a.Comment)) == 0 {
			t.Errorf("%s: its first line must say why it exists", file)
		}
		cases = append(cases, &testCase{strings.TrimSuffix(filepath.Base(file), ".txtar"), a})
	}
	return cases
}

func (c *testCase) file(name string) string {
	for _, f := range c.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// tests reports whether the input has tests of its own, or is a program: then
// use_test.go is run by go test where it stands. All others are linked into one
// test, which takes a fraction of the time.
func (c *testCase) tests() bool {
	return slices.ContainsFunc(c.Files, func(f txtar.File) bool {
		return strings.HasPrefix(f.Name, "in/") && (strings.HasSuffix(f.Name, "_test.go") || bytes.HasPrefix(f.Data, []byte("package main\n")))
	})
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// write lays the cases out as the packages of one module.
func write(t *testing.T, cases []*testCase) (dir string) {
	t.Helper()
	dir = newModule(t, "example.com/cases")
	all, calls := "package cases\n\nimport (\n\t\"testing\"\n", ""
	for i, c := range cases {
		for _, f := range c.Files {
			if name, ok := strings.CutPrefix(f.Name, "in/"); ok {
				writeFile(t, filepath.Join(dir, c.name, name), string(f.Data))
			}
		}
		use := c.file("use_test.go")
		switch {
		case use == "":
		case c.tests():
			writeFile(t, filepath.Join(dir, c.name, "use_test.go"), use)
		default:
			writeFile(t, filepath.Join(dir, c.name, "use.go"), use)
			all += fmt.Sprintf("\tcase%d \"example.com/cases/%s\"\n", i, c.name)
			for _, m := range testFunc.FindAllStringSubmatch(use, -1) {
				calls += fmt.Sprintf("\tt.Run(\"%s/%s\", case%d.%s)\n", c.name, m[1], i, m[1])
			}
		}
	}
	writeFile(t, filepath.Join(dir, "streams", "streams.go"), streamsPackage)
	writeFile(t, filepath.Join(dir, "cases_test.go"), all+")\n\nfunc Test(t *testing.T) {\n"+calls+"}\n")
	return dir
}

// streamsPackage is what the uses of streams share.
const streamsPackage = `package streams

import "iter"

// Of yields the items, and then err if it is not nil.
func Of[T any](err error, items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			var zero T
			yield(zero, err)
		}
	}
}

// All is what seq yields up to its first error.
func All[T any](seq iter.Seq2[T, error]) (items []T, err error) {
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}
`

// checkout is the folder of the module under test.
func checkout(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// newModule makes a module that uses the checkout.
func newModule(t *testing.T, path string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "any name, 100% (é)")
	root := checkout(t)
	mod := readFile(t, filepath.Join(root, "go.mod"))
	mod = strings.Replace(mod, "module github.com/wirecall/wirecall", "module "+path, 1)
	mod += "\nrequire github.com/wirecall/wirecall v0.0.0\n\nreplace github.com/wirecall/wirecall => " + modfile.AutoQuote(root) + "\n"
	writeFile(t, filepath.Join(dir, "go.mod"), mod)
	writeFile(t, filepath.Join(dir, "go.sum"), readFile(t, filepath.Join(root, "go.sum")))
	return dir
}

// TestCases generates all accepted cases in one run, compares the output, and
// then compiles, vets and runs it together with its use.
func TestCases(t *testing.T) {
	cases := readCases(t, "accepted")
	dir := write(t, cases)
	if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	models := dumps(t, dir)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := generated(t, filepath.Join(dir, c.name))
			maps.Copy(got, models[c.name])
			c.compare(t, "accepted", got)
		})
	}
	if testing.Short() || racing.Detector {
		return // the output is what was compiled and run before
	}
	goCommand(t, dir, "test", "-vet=all", "./...")
}

// TestRefusals generates all refused cases in one run, which must find every
// mistake and write nothing.
func TestRefusals(t *testing.T) {
	cases := readCases(t, "refused")
	dir := write(t, cases)
	code, _, stderr := wirecall(t, dir, "gen", "./...")
	if code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	rest := stderr
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var own []string
			for line := range strings.Lines(stderr) {
				if after, ok := strings.CutPrefix(line, c.name+"/"); ok {
					own = append(own, after)
					rest = strings.Replace(rest, line, "", 1)
				}
			}
			got := generated(t, filepath.Join(dir, c.name))
			got["want/errors.txt"] = strings.Join(own, "")
			c.compare(t, "refused", got)
		})
	}
	if rest != "" {
		t.Errorf("errors about no case at all:\n%s", rest)
	}
}

// dumps is the model of each case, and what it is in TypeScript and in OpenRPC.
func dumps(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	outs, err := load.Load(t.Context(), load.Config{Dir: dir, Patterns: []string{"./..."}})
	if err != nil {
		t.Fatal(err)
	}
	models := map[string]map[string]string{}
	for _, o := range outs {
		rel, err := filepath.Rel(dir, o.File)
		if err != nil {
			t.Fatal(err)
		}
		name, below, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if models[name] == nil {
			models[name] = map[string]string{}
		}
		models[name]["want/model.txt"] += o.Package.Dump()
		if !o.Package.Tests {
			dumpTypeScript(t, models[name], path.Dir(below), o.Package)
			dumpOpenRPC(t, models[name], path.Dir(below), o.Package)
		}
	}
	return models
}

func dumpTypeScript(t *testing.T, files map[string]string, folder string, p *model.Package) {
	t.Helper()
	text, notes, err := ts.Generate(p, ts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files[path.Join("want", folder, ts.File(p))] = string(text)
	if len(notes) > 0 {
		files["want/notes.txt"] += notes.Error() + "\n"
	}
}

func dumpOpenRPC(t *testing.T, files map[string]string, folder string, p *model.Package) {
	t.Helper()
	text, err := openrpc.Generate(p)
	if err != nil {
		t.Fatal(err)
	}
	files[path.Join("want", folder, p.Name+p.Suffix+".openrpc.json")] = string(text)
}

// generated is the output below dir, under the names that cases have for it.
func generated(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "wirecall_gen") {
			rel, _ := filepath.Rel(dir, path)
			got["want/"+filepath.ToSlash(rel)] = readFile(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// compare holds the output against what the case wants, or makes it so.
func (c *testCase) compare(t *testing.T, folder string, got map[string]string) {
	t.Helper()
	if *update {
		c.Files = slices.DeleteFunc(c.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want/") })
		for _, name := range slices.Sorted(maps.Keys(got)) {
			c.Files = append(c.Files, txtar.File{Name: name, Data: []byte(got[name])})
		}
		writeFile(t, filepath.Join("testdata", folder, c.name+".txtar"), string(txtar.Format(c.Archive)))
		return
	}
	for _, f := range c.Files {
		if strings.HasPrefix(f.Name, "want/") {
			if text, ok := got[f.Name]; !ok {
				t.Errorf("there is no %s", f.Name)
			} else if text != string(f.Data) {
				t.Errorf("not as wanted; run go test with -update and look at the difference:\n%s", difference(f.Name, string(f.Data), text))
			}
		}
		delete(got, f.Name)
	}
	for name := range got {
		t.Errorf("%s is not wanted", name)
	}
}

// difference is the change from one text to another.
func difference(name, old, new string) string {
	return string(diff.Diff(name, []byte(old), name+" (now)", []byte(new)))
}

// wirecall runs the command in dir.
func wirecall(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), &session{args: args, dir: dir, stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

// goCommand runs the go command in dir.
func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
