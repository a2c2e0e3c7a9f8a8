package compat

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/findings.txt as it is")

// ReadFile reads a file of testdata.
func ReadFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The contracts of testdata/old and testdata/new differ in everything that there is a rule
// for. old.json and new.json are what the generator makes of them: see cmd/wirecall.
func TestCompare(t *testing.T) {
	all, err := Compare(ReadFile(t, "old.json"), ReadFile(t, "new.json"))
	if err != nil {
		t.Fatal(err)
	}
	missing := maps.Clone(rules)
	var b strings.Builder
	for _, f := range all {
		delete(missing, f.Rule)
		b.WriteString(f.String() + "\n")
	}
	if len(missing) > 0 {
		t.Errorf("no difference is found by %v", slices.Sorted(maps.Keys(missing)))
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "findings.txt"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := ReadFile(t, "findings.txt"); b.String() != string(want) {
		t.Errorf("findings:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestCompareWithItself(t *testing.T) {
	for _, name := range []string{"old.json", "new.json"} {
		if all, err := Compare(ReadFile(t, name), ReadFile(t, name)); err != nil || len(all) > 0 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

// What is no description, or one that refers to itself, is an error or means nothing.
func TestHostileDocuments(t *testing.T) {
	good := ReadFile(t, "old.json")
	for document, want := range map[string]string{
		``:                   "the newer description: it is no OpenRPC document: unexpected end of JSON input",
		`[]`:                 "the newer description: it is no OpenRPC document: ",
		`{}`:                 "the newer description: it is no OpenRPC document: it has no methods",
		`{"methods":[null]}`: "the newer description: it is no OpenRPC document: method 0 has no name",
	} {
		if _, err := Compare(good, []byte(document)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", document, err)
		}
	}
	circle := []byte(`{"methods":[{"name":"A.B","params":[{"name":"x","schema":{"$ref":"#/components/schemas/a"}},{"name":"y"}],"result":{"schema":true}}],
		"components":{"schemas":{"a":{"$ref":"#/components/schemas/b"},"b":{"allOf":[{"$ref":"#/components/schemas/a"}]}}}}`)
	if all, err := Compare(circle, circle); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}
