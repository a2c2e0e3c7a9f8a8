package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of each kind that is counted: a struct with methods, generated code,
// functions in literals, and blocks as a coverage profile has them.
func TestDeclarations(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a/a.go", `package a

type queue[T any] struct{}

func (q *queue[T]) put(v T) {
	go func() {
		_ = v
	}()
}

var f = func() {}
`)
	d := declarations{root: root}
	for line, want := range map[int]string{5: "queue.put", 7: "queue.put", 9: "queue.put", 11: "line 11"} {
		f, err := d.at(block{"a/a.go", line, 1})
		if err != nil || f.name != want {
			t.Errorf("line %d is in %q, %v; want %q", line, f.name, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	root := t.TempDir()
	write(t, root, "profile.txt", `mode: atomic
github.com/wirecall/wirecall/rpc/conn.go:12.34,14.2 3 5
github.com/wirecall/wirecall/rpc/conn.go:12.34,14.2 3 2
example.com/other/a.go:1.1,2.2 1 1
`)
	blocks, err := parse(filepath.Join(root, "profile.txt"))
	if err != nil || len(blocks) != 1 || blocks[block{"rpc/conn.go", 12, 34}] != 7 {
		t.Errorf("got %v, %v", blocks, err)
	}
}

func TestText(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.go", `package a

type many struct{}

func (many) one() {}
func (*many) two() {}

type number int

func (number) one() {}
`)
	write(t, root, "wirecall_gen.go", "package a\n\nfunc (many) three() {}\n")
	all := &text{lines: map[string]int{}, structs: map[string]bool{}, methods: map[string]int{}}
	lines, err := all.read("p", pkg{Dir: root, GoFiles: []string{"a.go", "wirecall_gen.go"}})
	if err != nil || lines != 10 {
		t.Fatalf("%d lines, %v; want 10", lines, err)
	}
	var out strings.Builder
	r := &report{out: &out}
	r.text(all, map[string]int{"p": lines})
	if got := strings.Join(strings.Fields(out.String()), " "); got != "methods of p.many 2 of 40 "+
		"lines of a function, the median 1 of 10 lines of p/a.go 10 of 400 lines of p 10" {
		t.Errorf("printed %s", got)
	}
}

func TestBound(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out}
	r.bounded("files", 3, 3)
	r.bounded("functions", 4, 3)
	if r.exceeded != 1 || strings.Count(out.String(), "exceeded") != 1 {
		t.Errorf("%d exceeded:\n%s", r.exceeded, &out)
	}
}

// Three layers, and one arrow back up.
func TestOrder(t *testing.T) {
	g := graph{
		"api":    {"engine": true, "leaf": true},
		"engine": {"leaf": true, "queue": true},
		"queue":  {"engine": true, "leaf": true},
		"leaf":   {},
	}
	rank := g.order()
	if rank["api"] != 0 || rank["leaf"] != 3 {
		t.Errorf("ranks %v", rank)
	}
	if n, up := g.arrows(); n != 6 || up != 1 {
		t.Errorf("%d arrows, %d upwards; want 6 and 1", n, up)
	}
}

// The scenarios work, and what only they can measure is found by its name.
func TestScenario(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the runtime, with counters")
	}
	root := filepath.Join("..", "..")
	program := filepath.Join(t.TempDir(), "scenario")
	if err := build(root, program); err != nil {
		t.Fatal(err)
	}
	for scenario, want := range map[string]string{"call": "CounterClient.Add", "item": "Int", "cut": "Server.ServeHTTP"} {
		functions, err := executed(root, program, scenario)
		if err != nil {
			t.Fatal(err)
		}
		var found, first bool
		for f := range functions {
			found = found || f.name == want
			first = first || f.name == "NewServer"
		}
		if !found || first {
			t.Errorf("%s: of %d functions, %s: %t; NewServer, which is called once: %t", scenario, len(functions), want, found, first)
		}
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
