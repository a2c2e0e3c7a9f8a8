package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/racing"

	"golang.org/x/mod/modfile"
)

const service = `package api

//wirecall:service
type Api interface{ Do(n int) error }
`

// newPackage makes a module of one package, and what gen makes of it.
func newPackage(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = newModule(t, "example.com/api")
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return dir
}

// mustGen runs gen in dir and returns what it made there.
func mustGen(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if code, _, stderr := wirecall(t, dir, append([]string{"gen"}, args...)...); code != 0 {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	return readFile(t, filepath.Join(dir, "wirecall_gen.go"))
}

func TestSameOutputEveryTime(t *testing.T) {
	dir := write(t, readCases(t, "accepted"))
	var first map[string]string
	for range 3 {
		for name := range generated(t, dir) {
			if err := os.Remove(filepath.Join(dir, strings.TrimPrefix(name, "want/"))); err != nil {
				t.Fatal(err)
			}
		}
		if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
			t.Fatal(stderr)
		}
		got := generated(t, dir)
		if first == nil {
			first = got
		}
		for name, text := range got {
			if text != first[name] {
				t.Errorf("%s came out differently:\n%s", name, difference(name, first[name], text))
			}
		}
	}
}

func TestOrderOfPackagesDoesNotMatter(t *testing.T) {
	dir := newPackage(t, map[string]string{
		"a/a.go": "package a\n\nimport \"example.com/api/b\"\n\n//wirecall:service\ntype A interface{ Do(b b.T) error }\n\nvar _ = b.NewBClient\n",
		"b/b.go": "package b\n\ntype T struct{ N int }\n\n//wirecall:service\ntype B interface{ Do(t T) error }\n",
	})
	var all []string
	for _, args := range [][]string{{"./a", "./b"}, {"./b", "./a"}, {"./..."}, {"example.com/api/a", "example.com/api/b"}} {
		if code, _, stderr := wirecall(t, dir, append([]string{"gen"}, args...)...); code != 0 {
			t.Fatal(stderr)
		}
		all = append(all, readFile(t, filepath.Join(dir, "a/wirecall_gen.go"))+readFile(t, filepath.Join(dir, "b/wirecall_gen.go")))
	}
	if len(slices.Compact(all)) != 1 {
		t.Error("the order of packages changes the output")
	}
	goCommand(t, dir, "vet", "./...")
}

func TestCheck(t *testing.T) {
	dir := newPackage(t, map[string]string{"api.go": service})
	code, stdout, stderr := wirecall(t, dir, "gen", "-check")
	if code != 1 || !strings.Contains(stdout, "+func NewApiClient(") || !strings.Contains(stderr, "go generate") {
		t.Errorf("without output: exit status %d, %s%s", code, stdout, stderr)
	}
	if len(generated(t, dir)) > 0 {
		t.Error("check wrote the output")
	}
	mustGen(t, dir)
	if code, stdout, stderr = wirecall(t, dir, "gen", "-check"); code != 0 || stdout+stderr != "" {
		t.Errorf("with output: exit status %d, %s%s", code, stdout, stderr)
	}
	writeFile(t, filepath.Join(dir, "api.go"), strings.Replace(service, "n int", "m int", 1))
	code, stdout, _ = wirecall(t, dir, "gen", "-check")
	head := "diff wirecall_gen.go wirecall_gen.go (as it would be)\n--- wirecall_gen.go\n+++ wirecall_gen.go (as it would be)\n@@ -"
	want := " func NewApiClient(caller rpc.Caller) *ApiClient { return &ApiClient{caller} }\n" +
		" \n" +
		" // Do calls Api.Do.\n" +
		"-func (c *ApiClient) Do(n int) error {\n" +
		"-\treturn c.caller.Call(context.Background(), &rpc.Call{Method: &apiDo, Params: &apiDoParams{n}})\n" +
		"+func (c *ApiClient) Do(m int) error {\n" +
		"+\treturn c.caller.Call(context.Background(), &rpc.Call{Method: &apiDo, Params: &apiDoParams{m}})\n" +
		" }\n"
	if code != 1 || !strings.HasPrefix(stdout, head) || !strings.Contains(stdout, want) {
		t.Errorf("with stale output: exit status %d\n%s", code, stdout)
	}
}

// The memory that a comparison takes does not grow with the square of the lines.
func TestCheckLargeFiles(t *testing.T) {
	lines := func(format string) (text []byte) {
		for i := range 100_000 {
			text = fmt.Appendf(text, format, i%1000)
		}
		return text
	}
	var stdout bytes.Buffer
	s := &session{dir: t.TempDir(), stdout: &stdout}
	old, new := lines("old %d\n"), lines("new %d\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := s.check([]change{{file: "wirecall_gen.go", old: old, new: new}})
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(50*len(old)); got > limit {
		t.Errorf("%d bytes were allocated, want at most %d", got, limit)
	}
	if err == nil || !strings.Contains(stdout.String(), "\n-old 999\n") || !strings.Contains(stdout.String(), "\n+new 999\n") {
		t.Errorf("%v\n%.200s", err, &stdout)
	}
}

// Git may check files out with the line ends of Windows.
func TestCheckIgnoresCarriageReturns(t *testing.T) {
	dir := newPackage(t, map[string]string{"api.go": strings.ReplaceAll(service, "//wirecall", "// Api is one.\n// It has two lines.\n//wirecall")})
	want := mustGen(t, dir)
	for _, name := range []string{"api.go", "wirecall_gen.go"} {
		file := filepath.Join(dir, name)
		writeFile(t, file, strings.ReplaceAll(readFile(t, file), "\n", "\r\n"))
	}
	if code, stdout, stderr := wirecall(t, dir, "gen", "-check"); code != 0 || stdout+stderr != "" {
		t.Errorf("exit status %d, %s%s", code, stdout, stderr)
	}
	writeFile(t, filepath.Join(dir, "wirecall_gen.go"), "")
	if got := mustGen(t, dir); got != want {
		t.Errorf("carriage returns in the source change the output:\n%s", difference("wirecall_gen.go", want, got))
	}
}

func TestOnlyWhatChangedIsWritten(t *testing.T) {
	dir := newPackage(t, map[string]string{"api.go": service})
	mustGen(t, dir)
	file := filepath.Join(dir, "wirecall_gen.go")
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	mustGen(t, dir)
	after, err := os.Stat(file)
	if err != nil || !before.ModTime().Equal(after.ModTime()) || !os.SameFile(before, after) {
		t.Errorf("it was written again: %v", err)
	}
}

func TestBrokenOutputIsReplaced(t *testing.T) {
	dir := newPackage(t, map[string]string{
		// An import of this module hides behind the broken file, too.
		"api.go": "package api\n\nimport \"example.com/api/b\"\n\n//wirecall:service\ntype Api interface{ Do(t b.T) error }\n",
		"b/b.go": "package b\n\ntype T struct{ N int }\n",
	})
	want := mustGen(t, dir)
	for name, broken := range map[string]string{
		"empty":     "",
		"cut":       want[:len(want)/2],
		"cut early": want[:60],
		"conflict":  "<<<<<<< HEAD\n" + want + "=======\n" + want + ">>>>>>> other\n",
		"renamed":   strings.Replace(want, "package api", "package other", 1),
		"stale":     strings.ReplaceAll(want, "Api", "Old"),
		"imports":   strings.Replace(want, "\"context\"", "\"context\"\n\t\"example.com/api/gone\"\n\t\"example.com/nowhere\"", 1),
		"cycle":     strings.Replace(want, "\"context\"", "\"context\"\n\t\"example.com/api\"", 1),
	} {
		writeFile(t, filepath.Join(dir, "wirecall_gen.go"), broken)
		code, _, stderr := wirecall(t, dir, "gen")
		if got := readFile(t, filepath.Join(dir, "wirecall_gen.go")); code != 0 || got != want {
			t.Errorf("%s: exit status %d\n%s%s", name, code, stderr, difference("wirecall_gen.go", want, got))
		}
	}
}

func TestMistakesLeaveTheOutputAlone(t *testing.T) {
	dir := newPackage(t, map[string]string{
		"api.go":   service,
		"b/b.go":   strings.Replace(service, "package api", "package b", 1),
		"ok/ok.go": strings.Replace(service, "package api", "package ok", 1),
	})
	want := mustGen(t, dir)
	writeFile(t, filepath.Join(dir, "api.go"), strings.Replace(service, "n int", "n chan int", 1))
	writeFile(t, filepath.Join(dir, "b/b.go"), "package b\n\n//wirecall:service\ntype B interface{}\n")
	code, _, stderr := wirecall(t, dir, "gen", "./...")
	const errors = `api.go:4:21: Api.Do: parameter n: chan int cannot cross the wire; take iter.Seq2[int, error]
b/b.go:4:6: B: a service needs at least one method
`
	if code != 1 || stderr != errors {
		t.Errorf("exit status %d\n%s", code, stderr)
	}
	if got := generated(t, dir); len(got) != 1 || got["want/wirecall_gen.go"] != want {
		t.Error("the output was touched")
	}
}

func TestPackagesWithoutServices(t *testing.T) {
	dir := newPackage(t, map[string]string{"a/a.go": "package a\n", "b/b.go": "package b\n"})
	if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
		t.Errorf("./...: exit status %d\n%s", code, stderr)
	}
	code, _, stderr := wirecall(t, dir, "gen", "./a")
	if code != 1 || stderr != "wirecall: package ./a has no service: write //wirecall:service above an interface\n" {
		t.Errorf("./a: exit status %d\n%s", code, stderr)
	}
	if code, _, stderr := wirecall(t, dir, "gen", "./nowhere"); code != 1 || !strings.Contains(stderr, "nowhere") {
		t.Errorf("./nowhere: exit status %d\n%s", code, stderr)
	}
}

func TestStaleOutputIsRemoved(t *testing.T) {
	files := map[string]string{
		"a/api.go":                   service,
		"a/wirecall_gen_test.go":     "// Code generated by wirecall; DO NOT EDIT.\n\npackage api\n",
		"tagged/api.go":              "//go:build never\n\n" + service,
		"tagged/doc.go":              "package api\n",
		"tagged/wirecall_gen.go":     "// Code generated by wirecall; DO NOT EDIT.\n\npackage api\n",
		"a/testdata/wirecall_gen.go": "// Code generated by wirecall; DO NOT EDIT.\n\npackage api\n",
	}
	dir := newPackage(t, files)
	mustGen(t, filepath.Join(dir, "a"))
	writeFile(t, filepath.Join(dir, "a/api.go"), "package api\n")

	code, _, stderr := wirecall(t, dir, "gen", "./a")
	if code != 1 || !strings.Contains(stderr, "(or delete wirecall_gen.go)") {
		t.Errorf("./a: exit status %d\n%s", code, stderr)
	}
	if code, stdout, _ := wirecall(t, dir, "gen", "-check", "./..."); code != 1 || !strings.Contains(stdout, "-// ApiService") {
		t.Errorf("-check: exit status %d\n%s", code, stdout)
	}
	if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
		t.Errorf("./...: exit status %d\n%s", code, stderr)
	}
	got := generated(t, dir)
	if len(got) != 2 || got["want/tagged/wirecall_gen.go"] == "" || got["want/a/testdata/wirecall_gen.go"] == "" {
		t.Errorf("left over: %v", got)
	}
}

func TestFilesOfUsersAreNotOverwritten(t *testing.T) {
	mine := "package api\n\nvar mine = 1\n"
	dir := newPackage(t, map[string]string{"api.go": service, "wirecall_gen.go": mine})
	code, _, stderr := wirecall(t, dir, "gen")
	if code != 1 || !strings.Contains(stderr, "was not generated by wirecall") {
		t.Errorf("exit status %d\n%s", code, stderr)
	}
	if readFile(t, filepath.Join(dir, "wirecall_gen.go")) != mine {
		t.Error("it was overwritten")
	}
	writeFile(t, filepath.Join(dir, "api.go"), "package api\n")
	if code, _, _ := wirecall(t, dir, "gen", "./..."); code != 1 || readFile(t, filepath.Join(dir, "wirecall_gen.go")) != mine {
		t.Error("it was removed")
	}
}

func TestBuildTags(t *testing.T) {
	dir := newPackage(t, map[string]string{
		"plain.go":  service,
		"tagged.go": "//go:build extra\n\npackage api\n\n//wirecall:service\ntype Extra interface{ Do(t T) error }\n",
		"type.go":   "//go:build extra\n\npackage api\n\ntype T struct{ N int }\n",
		"other.go":  "//go:build !extra\n\npackage api\n\ntype T struct{ C chan int }\n",
	})
	if out := mustGen(t, dir); strings.Contains(out, "Extra") {
		t.Error("a file was read that the tags exclude")
	}
	code, _, stderr := wirecall(t, dir, "gen", "-tags", "extra,more")
	if code != 1 || !strings.HasPrefix(stderr, "tagged.go:6:6: Extra: services of one package must be under the same build constraint") {
		t.Errorf("exit status %d\n%s", code, stderr)
	}
	writeFile(t, filepath.Join(dir, "plain.go"), "package api\n")
	out := mustGen(t, dir, "-tags", "extra,more")
	if !strings.Contains(out, "ExtraClient") || !strings.Contains(out, "\n//go:build extra\n\npackage api\n") {
		t.Errorf("with tags:\n%s", out)
	}
	goCommand(t, dir, "vet", "-tags", "extra", ".")
	goCommand(t, dir, "vet", ".")
}

// Every platform has outputs of its own, which compile together with those of all
// others, whichever made them.
func TestPlatforms(t *testing.T) {
	api := "package api\n\n//wirecall:service\ntype Api interface{ Do(s Stat, ss []Stat) (Both, error) }\n"
	dir := newPackage(t, map[string]string{
		"api_linux.go":        api + "\nfunc jsongen() {}\n",
		"api_windows.go":      strings.Replace(api, "Do(", "Do(n int, ", 1),
		"also_linux_amd64.go": "package api\n\n//wirecall:service\ntype Also interface{ Do(b Both, h Handle) error }\n",
		"also_linux_arm64.go": "package api\n\n//wirecall:service\ntype Also interface{ Do(h Handle) error }\n",
		"lined_linux.go":      "//go:build !race || race\n\npackage api\n\ntype Lined struct{ N int }\n",
		"all.go":              "package api\n\ntype Both struct{ N int; S Stat; H Handle `json:\",omitempty\"`; L []Handle; M map[string]Stat }\n\n//wirecall:service\ntype All interface{ Get(b Both, h Holds) (*Stat, Handle, error) }\n\ntype Holds struct{ N int; Own Own }\n\nfunc (Own) MarshalText() ([]byte, error) { return nil, nil }\n\nfunc (*Own) UnmarshalText([]byte) error { return nil }\n",
		"own_linux.go":        "package api\n\ntype Own int\n",
		"own_windows.go":      "package api\n\ntype Own struct{}\n",
		"stat_linux.go":       "package api\n\ntype Stat struct{ Inode uint64 }\n\ntype Handle int\n",
		"stat_windows.go":     "package api\n\ntype Stat struct{ Name string }\n\ntype Handle = string\n",
		"all_linux_test.go":   "package api\n\n//wirecall:service\ntype Fake interface{ Do(s Stat) error }\n",
		"x_windows_test.go":   "package api_test\n\nimport \"example.com/api\"\n\n//wirecall:service\ntype Fake interface{ Do(s api.Stat) error }\n",
	})
	checker := newChecker(t, dir, "example.com/api")
	platforms := [][2]string{{"linux", "amd64"}, {"windows", "amd64"}, {"linux", "arm64"}}
	for _, p := range platforms {
		t.Setenv("GOOS", p[0])
		t.Setenv("GOARCH", p[1])
		if code, _, stderr := wirecall(t, dir, "gen"); code != 0 {
			t.Fatalf("%v: exit status %d\n%s", p, code, stderr)
		}
	}
	want := []string{"wirecall_gen.go", "wirecall_gen_linux.go", "wirecall_gen_linux_amd64.go", "wirecall_gen_linux_arm64.go", "wirecall_gen_linux_test.go",
		"wirecall_gen_windows.go", "wirecall_gen_x_windows_test.go"}
	var got []string
	for name := range generated(t, dir) {
		got = append(got, strings.TrimPrefix(name, "want/"))
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the outputs are %v, want %v", got, want)
	}
	if out := readFile(t, filepath.Join(dir, "wirecall_gen.go")); strings.Contains(out, "appendBothJSON") || !strings.Contains(out, "appendHoldsJSON") {
		t.Errorf("JSON is generated for what differs, or not for what has methods of its own everywhere:\n%s", out)
	}
	for _, p := range platforms {
		t.Setenv("GOOS", p[0])
		t.Setenv("GOARCH", p[1])
		if code, stdout, stderr := wirecall(t, dir, "gen", "-check"); code != 0 {
			t.Errorf("%v: exit status %d\n%s%s", p, code, stdout, stderr)
		}
		checker.on(p[0], p[1]).check("")
	}
}

// Types that reach another in exponentially many ways, or nest deeply, take no more
// time than others.
func TestManyWaysToOneType(t *testing.T) {
	files := map[string]string{}
	for name, link := range map[string]string{
		"pointers": "type A# struct{ X, Y *A_ }\n",
		"slices":   "type A# struct{ X, Y []*A_ }\n",
		"maps":     "type A# struct{ X, Y *A_; M map[string]A_ }\n",
		"aliases":  "type A# = struct{ X, Y *A_ }\n",
		"generics": "type A# = P[A_]\n",
		"embedded": "type L# struct{ A_ }\ntype R# struct{ A_ }\ntype A# struct{ L#; R# }\n",
		"nested":   "type A# []map[string]*A_\n",
	} {
		levels := 40
		if name == "embedded" || name == "maps" {
			levels = 14 // for Go itself takes exponential time where values hold values
		}
		var text strings.Builder
		text.WriteString("package api\n\ntype P[T any] struct{ X, Y *T }\n\ntype A0 struct{ N int }\n\n")
		for i := range levels {
			text.WriteString(strings.NewReplacer("#", fmt.Sprint(i+1), "_", fmt.Sprint(i)).Replace(link))
		}
		files[name+"/api.go"] = text.String() + fmt.Sprintf("\n//wirecall:service\ntype Api interface{ Do(a A%d) error }\n", levels)
	}
	files["deep/api.go"] = "package api\n\n//wirecall:service\ntype Api interface{ Do(s " + strings.Repeat("[]", 500) + "int, p " + strings.Repeat("*", 500) + "int) error }\n"
	dir := newPackage(t, files)
	if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
		t.Fatal(stderr)
	}
	checker := newChecker(t, dir, "example.com/api", "./pointers")
	for file := range files {
		checker.check(filepath.Dir(file))
	}
}

// JSON is generated for types of many fields only where it pays, or where a
// directive asks for it.
func TestLargeTypes(t *testing.T) {
	fields := make([]string, 250)
	for i := range fields {
		fields[i] = fmt.Sprintf("F%d", i)
	}
	types := "package api\n\nimport \"iter\"\n\nvar _ iter.Seq[int]\n\ntype Small struct{ A, B int }\n\ntype Large struct {\n\t" + strings.Join(fields, ", ") + " int\n\tSmall Small\n}\n\ntype Holder struct{ L []*Large }\n\n"
	const small, large, holder = "appendSmallJSON(", "appendLargeJSON(", "appendHolderJSON("
	for name, c := range map[string]struct {
		api  string
		want []string
	}{
		"message":   {"//wirecall:service\ntype Api interface{ Do(Small, Large) (Holder, error) }", []string{small}},
		"held":      {"//wirecall:service\ntype Api interface{ Do(Holder) error }", nil},
		"item":      {"//wirecall:service\ntype Api interface{ Do() iter.Seq2[Large, error]; Get() (Large, error) }", []string{small, large}},
		"interface": {"//wirecall:service\n//wirecall:json all\ntype Api interface{ Do(Holder) error }", []string{small, large, holder}},
		"method":    {"//wirecall:service\ntype Api interface {\n\t//wirecall:json all\n\tDo(Large) error\n\tGet() (Holder, error)\n}", []string{small, large}},
		"none":      {"//wirecall:json none\n//wirecall:service\ntype Api interface {\n\tDo(Small) error\n\t//wirecall:json all\n\tGet() (Large, error)\n}", []string{small, large}},
		"nothing":   {"//wirecall:service\n//wirecall:json none\ntype Api interface{ Do(Small) iter.Seq2[Small, error] }", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newPackage(t, map[string]string{"api.go": types + c.api + "\n"})
			out := mustGen(t, dir)
			for _, f := range []string{small, large, holder} {
				if got, want := strings.Contains(out, "func "+f), slices.Contains(c.want, f); got != want {
					t.Errorf("there is %s: %t, want %t", f, got, want)
				}
			}
		})
	}
}

func TestExplain(t *testing.T) {
	dir := newPackage(t, map[string]string{
		"api.go": `package api

import (
	"encoding/json"
	"math/big"

	"example.com/api/other"
)

type Fast struct {
	Text string
	Big  *big.Int
	In   struct{ N int }
	IDs  map[int]Same
	Bigs map[string]big.Int
}

type Tree struct{ Children []Tree }

type Embeds struct {
	*Same
	N int
}

type Same struct{ N int }

type Quoted struct {
	N int
	S string ~json:",string"~
}

type Numbers struct{ List []json.Number }

type Byte byte

type Bytes struct {
	Text  string
	Bytes []Byte
}

//wirecall:service
type Api interface {
	Get(Fast, Tree, Embeds, Quoted, Numbers, Bytes, other.T) (Same, error)
}
`,
		"other/other.go": "package other\n\ntype hidden struct{ N int }\n\ntype T struct {\n\thidden\n\tText string\n}\n",
	})
	writeFile(t, filepath.Join(dir, "api.go"), strings.ReplaceAll(readFile(t, filepath.Join(dir, "api.go")), "~", "`"))
	code, stdout, stderr := wirecall(t, dir, "gen", "-explain")
	const want = `wirecall_gen.go: []api.Byte: its elements are bytes of a type with a name
wirecall_gen.go: api.Embeds: it embeds a pointer, a type that is not exported under a name, or structs too deeply
wirecall_gen.go: api.Numbers: it has no field that is not left to encoding/json
wirecall_gen.go: api.Quoted: its field S has the option string, and may be text, null or what methods write
wirecall_gen.go: api.Tree: it can hold values of its own type
wirecall_gen.go: big.Int: methods of its own write or read its JSON
wirecall_gen.go: json.Number: only encoding/json knows it
wirecall_gen.go: map[int]api.Same: its keys are not plain strings
wirecall_gen.go: map[string]big.Int: methods write JSON in its elements, which have no address in a map
wirecall_gen.go: other.T: it has fields that are reached through one which another package does not export
wirecall_gen.go: struct{N int}: it is a struct without a name
`
	if code != 0 || stdout != want {
		t.Errorf("exit status %d, %s\n%s", code, stderr, difference("stdout", want, stdout))
	}
	writeFile(t, filepath.Join(dir, "plain", "plain.go"), "package plain\n\n//wirecall:service\ntype Plain interface{ Get(n int) (string, error) }\n")
	if _, stdout, stderr := wirecall(t, dir, "gen", "-explain", "./plain"); stdout != "plain/wirecall_gen.go: none\n" {
		t.Errorf("where nothing is left to encoding/json: %q, %s", stdout, stderr)
	}
	writeFile(t, filepath.Join(dir, "len.go"), "package api\n\nfunc len() {}\n")
	if _, stdout, _ := wirecall(t, dir, "gen", "-explain"); stdout != "wirecall_gen.go: all types: the package declares len\n" {
		t.Errorf("without Go's own len:\n%s", stdout)
	}
}

// Lengths of arrays stay as they were written: on other platforms they may be
// others.
func TestLengthsOfArrays(t *testing.T) {
	dir := newPackage(t, map[string]string{
		"api.go": `package api

import (
	"crypto/sha256"
	"strconv"
	"unsafe"

	"example.com/api/other"
)

const (
	N    = 4
	Word = unsafe.Sizeof(uintptr(0))
	Two  = 2 * Word
)

type Big [Word]int

type Box[T any] struct{ All [][N]T }

type S struct {
	A [Word]int
	B [][N]byte
	C map[string][2*N + (1 << 1)]string
	D [][strconv.IntSize / 8]int
	E *[N]int
	F [1]Big
}

type T struct {
	B [][N]byte
	C map[string][2*N + (1 << 1)]string
	E *[N]int
	F other.T
}

//wirecall:service
type Api interface {
	Get(k [Word]byte, h [sha256.Size]byte, m [len("abc")]int8, two []*[Two]string, x [0x10][len(other.Name)]bool) ([N]string, error)
	Put(N [N]int, Word map[string][Word]S, sha256 [sha256.Size]byte, t T, box Box[string]) error
	All(n [Per]int) error
	other.Embedded
}
`,
		"per_64.go":      "//go:build !386\n\npackage api\n\nconst Per = 2\n",
		"per_32.go":      "//go:build 386\n\npackage api\n\nconst Per = 1\n",
		"other/other.go": "package other\n\nconst (\n\tName = \"name\"\n\tsize = 2\n)\n\ntype T struct {\n\tA [][size]int\n\tB [][2]int\n}\n\ntype Embedded interface{ Other(n [size]int) error }\n",
	})
	checker := newChecker(t, dir, "example.com/api", ".")
	var first string
	for _, arch := range []string{"amd64", "386"} {
		t.Setenv("GOARCH", arch)
		out := mustGen(t, dir)
		if first == "" {
			first = out
		}
		if out != first {
			t.Errorf("%s: the output differs:\n%s", arch, difference("wirecall_gen.go", first, out))
		}
		checker.on("linux", arch).check("")
	}
	if text := "func(dst []byte, v *[N]byte)"; !strings.Contains(first, text) {
		t.Errorf("there is no %s in\n%s", text, first)
	}
}

func TestAnyFolderOfTheModule(t *testing.T) {
	dir := newPackage(t, map[string]string{"a/b/api.go": service, "c/c.go": "package c\n"})
	want := mustGen(t, filepath.Join(dir, "a/b"))
	for folder, pattern := range map[string]string{".": "./a/b", "c": "../a/b", "a": "example.com/api/a/b"} {
		if err := os.Remove(filepath.Join(dir, "a/b/wirecall_gen.go")); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := wirecall(t, filepath.Join(dir, folder), "gen", pattern)
		if got := generated(t, dir)["want/a/b/wirecall_gen.go"]; code != 0 || got != want {
			t.Errorf("%s from %s: exit status %d\n%s", pattern, folder, code, stderr)
		}
	}
	writeFile(t, filepath.Join(dir, "a/b/api.go"), "package api\n\n//wirecall:service\ntype Api interface{ Do() }\n")
	_, _, stderr := wirecall(t, filepath.Join(dir, "a"), "gen", "./b")
	if !strings.HasPrefix(stderr, "b/api.go:4:21: Api.Do: ") {
		t.Errorf("the place is not relative to the folder: %s", stderr)
	}
}

func TestWorkspace(t *testing.T) {
	t.Setenv("GOWORK", "")
	dir := newModule(t, "example.com/work")
	mod := readFile(t, filepath.Join(dir, "go.mod"))
	writeFile(t, filepath.Join(dir, "app/go.mod"), strings.Replace(mod, "example.com/work", "example.com/app", 1))
	writeFile(t, filepath.Join(dir, "app/go.sum"), readFile(t, filepath.Join(dir, "go.sum")))
	writeFile(t, filepath.Join(dir, "lib/go.mod"), "module example.com/lib\n\ngo 1.26.0\n")
	writeFile(t, filepath.Join(dir, "go.work"), "go 1.26.0\n\nuse (\n\t./app\n\t./lib\n)\n")
	writeFile(t, filepath.Join(dir, "lib/lib.go"), "package lib\n\ntype T struct{ N int }\n")
	writeFile(t, filepath.Join(dir, "app/app.go"), "package app\n\nimport \"example.com/lib\"\n\n//wirecall:service\ntype App interface{ Do(t lib.T) error }\n\nvar _ = NewAppClient\n")
	mustGen(t, filepath.Join(dir, "app"))
	goCommand(t, filepath.Join(dir, "app"), "vet", ".")
}

func TestVendor(t *testing.T) {
	if testing.Short() || racing.Detector {
		t.Skip("it compiles the vendored runtime")
	}
	dir := newPackage(t, map[string]string{
		"lib/go.mod": "module example.com/lib\n\ngo 1.26.0\n",
		"lib/lib.go": "package lib\n\ntype T struct{ N int }\n",
		"api.go":     "package api\n\nimport (\n\t\"example.com/lib\"\n\t_ \"github.com/wirecall/wirecall/rpc/gen1\"\n)\n\n//wirecall:service\ntype Api interface{ Do(t lib.T) error }\n",
	})
	mod := filepath.Join(dir, "go.mod")
	// The go command does not understand a vendor/modules.txt with spaces in paths.
	if err := os.Symlink(checkout(t), filepath.Join(dir, "wirecall")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, mod, strings.Replace(readFile(t, mod), modfile.AutoQuote(checkout(t)), "./wirecall", 1)+
		"\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ./lib\n")
	t.Setenv("GOFLAGS", "-mod=mod")
	goCommand(t, dir, "mod", "vendor")
	if err := os.RemoveAll(filepath.Join(dir, "lib")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-mod=vendor")
	out := mustGen(t, dir)
	if !strings.Contains(out, "\"example.com/lib\"") {
		t.Errorf("a vendored package is imported otherwise:\n%s", out)
	}
	goCommand(t, dir, "vet", ".")
}

func TestImportCycle(t *testing.T) {
	dir := newPackage(t, map[string]string{
		"a/a.go": "package a\n\nimport \"example.com/api/b\"\n\ntype T struct{ N int }\n\n//wirecall:service\ntype A interface{ Do(b b.T) error }\n",
		"b/b.go": "package b\n\nimport \"example.com/api/a\"\n\ntype T struct{ A a.T }\n",
	})
	code, _, stderr := wirecall(t, dir, "gen", "./a")
	if code != 1 || !strings.Contains(stderr, "import cycle") {
		t.Errorf("exit status %d\n%s", code, stderr)
	}
}

func TestCgo(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1")
	t.Setenv("CC", "none") // it is not run
	dir := newPackage(t, map[string]string{
		"api.go": "package api\n\n// #include <nowhere.h>\nimport \"C\"\n\n//wirecall:service\ntype Api interface{ Do(n int) error }\n\nfunc do() C.nothing { return C.do() }\n",
	})
	if code, _, stderr := wirecall(t, dir, "gen"); code != 0 {
		t.Fatal(stderr)
	}
	if out := readFile(t, filepath.Join(dir, "wirecall_gen_cgo.go")); !strings.Contains(out, "\n//go:build cgo\n") {
		t.Errorf("the output does not need cgo as its services do:\n%s", out)
	}
	writeFile(t, filepath.Join(dir, "bad.go"), "package api\n\nimport \"C\"\n\n//wirecall:service\ntype Bad interface{ Do(n C.int) error }\n")
	code, _, stderr := wirecall(t, dir, "gen")
	if code != 1 || !strings.HasPrefix(stderr, "bad.go:6:21: Bad.Do: parameter n: ") {
		t.Errorf("exit status %d\n%s", code, stderr)
	}
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 2, "", "Usage: go tool wirecall"},
		{"help", 0, "gen [-check]", ""},
		{"-h", 0, "gen [-check]", ""},
		{"version", 0, "wirecall ", ""},
		{"nonsense", 2, "", `unknown command "nonsense"`},
		{"gen -nonsense", 2, "", "-nonsense"},
		{"gen -h", 0, "", "-tags"},
		{"gen api.go", 1, "", "api.go is a file"},
		{"gen", 1, "", "go: go.mod file not found"},
	} {
		code, stdout, stderr := wirecall(t, dir, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("wirecall %s: exit status %d\n%s%s", c.args, code, stdout, stderr)
		}
	}
}
