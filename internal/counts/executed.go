package main

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// further is how often a scenario does its thing more in its second run.
const further = 10

// bounds has, for each scenario, how many functions and files it may execute.
var bounds = []struct {
	scenario, title  string
	functions, files int
}{
	{"call", "a unary call", 110, 22},
	{"item", "an item of a stream", 80, 16},
	{"cut", "a cut and its resume, with nothing in flight", 110, 20},
}

func (r *report) scenarios(root string) error {
	dir, err := os.MkdirTemp("", "counts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "program")
	if err := build(root, program); err != nil {
		return err
	}
	for _, b := range bounds {
		functions, err := executed(root, program, b.scenario)
		if err != nil {
			return err
		}
		files := map[string][]string{}
		for f := range functions {
			files[f.file] = append(files[f.file], f.name)
		}
		r.bounded("functions that "+b.title+" executes", len(functions), b.functions)
		r.bounded("files that they are in", len(files), b.files)
		if r.verbose {
			r.list(files)
		}
	}
	return nil
}

// build builds the scenarios with counters in all code of this module.
func build(root, program string) error {
	return command(root, "go", "build", "-cover", "-covermode=atomic", "-coverpkg="+module+"/...",
		"-o", program, "./internal/counts/scenario").Run()
}

// list prints the functions of each file.
func (r *report) list(files map[string][]string) {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		r.printf("\t%s: %s", file, strings.Join(slices.Sorted(slices.Values(files[file])), ", "))
	}
}

// executed returns the functions that each further call, item or cut of a
// scenario executes: those with a block whose counter is higher by about N after
// a run with N more. More than half of N is enough: the run ends before the last
// of N has finished everywhere, and a write may find the flusher at work. What
// happens once a few items, as credit does, is less. A literal is part of the
// function that it stands in. The program of the scenario does not count, but
// for its generated code.
func executed(root, program, scenario string) (map[function]bool, error) {
	before, err := counters(root, program, scenario, 0)
	if err != nil {
		return nil, err
	}
	after, err := counters(root, program, scenario, further)
	if err != nil {
		return nil, err
	}
	declared := declarations{root: root}
	functions := map[function]bool{}
	for b, n := range after {
		if 2*(n-before[b]) <= further || strings.HasPrefix(b.file, "internal/counts/") && !isGenerated(b.file) {
			continue
		}
		f, err := declared.at(b)
		if err != nil {
			return nil, err
		}
		functions[f] = true
	}
	return functions, nil
}

// A block is where a counter of the coverage is.
type block struct {
	file         string // from the module's root
	line, column int
}

var profileLine = regexp.MustCompile(`^` + module + `/(.+):(\d+)\.(\d+),\d+\.\d+ \d+ (\d+)$`)

// counters runs a scenario and returns how often it executed each block.
func counters(root, program, scenario string, n int) (map[block]int, error) {
	dir, err := os.MkdirTemp(filepath.Dir(program), scenario)
	if err != nil {
		return nil, err
	}
	run := command(root, program, scenario, strconv.Itoa(n))
	run.Env = append(os.Environ(), "GOCOVERDIR="+dir, "GOMAXPROCS=1") // few interleavings
	profile := filepath.Join(dir, "profile.txt")
	convert := command(root, "go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+profile)
	if err := cmp.Or(run.Run(), convert.Run()); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", scenario, err)
	}
	return parse(profile)
}

func parse(profile string) (map[block]int, error) {
	f, err := os.Open(profile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	blocks := map[block]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m := profileLine.FindStringSubmatch(lines.Text()); m != nil {
			blocks[block{m[1], number(m[2]), number(m[3])}] += number(m[4])
		}
	}
	return blocks, lines.Err()
}

// number is the number that a regular expression has found to be one.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// command is a command in the module's root, whose errors the user sees.
func command(root, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	return cmd
}
