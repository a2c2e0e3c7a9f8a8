package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/wirecall/wirecall/internal/emit/golang"
	"github.com/wirecall/wirecall/internal/emit/openrpc"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/internal/model"
)

const genUsage = `gen [-check] [-explain] [-tags list] [-ts folder [-ts-bigint] [-ts-react] [-ts-post]] [-openrpc file] [packages]
	Write wirecall_gen.go for the interfaces marked //wirecall:service in the
	packages, by default the one in the current folder; wirecall_gen_test.go and
	wirecall_gen_x_test.go for those in its tests. With -ts also write clients in
	TypeScript, with -openrpc a description of all services.`

// A change is what is to be done to one file.
type change struct {
	file     string
	old, new []byte // nil where there is none
}

func gen(ctx context.Context, s *session, args []string) error {
	flags := s.flags("gen", genUsage)
	check := flags.Bool("check", false, "write nothing; print what would change, and fail if anything would")
	explain := flags.Bool("explain", false, "print which types are left to encoding/json, and why")
	tags := flags.String("tags", "", "build `tags`, as in go build -tags")
	var ts typescriptOptions
	ts.define(flags)
	description := flags.String("openrpc", "", "write an OpenRPC document of all services to this `file` as well")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := ts.check(); err != nil {
		return err
	}
	patterns := flags.Args()
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	for _, p := range patterns {
		if strings.HasSuffix(p, ".go") {
			return fmt.Errorf("wirecall: %s is a file: name its package, since interfaces may use all of it", p)
		}
	}
	outs, err := s.load(ctx, load.Config{Dir: s.dir, Env: s.env, Tags: *tags, Patterns: patterns})
	if err != nil {
		return err
	}
	if !several(patterns) && !slices.ContainsFunc(outs, func(o load.Output) bool { return o.Package != nil }) {
		return noService(patterns[0], outs)
	}
	if *explain {
		s.explain(outs)
	}
	changes, err := s.changes(outs)
	if err != nil {
		return err
	}
	if ts.dir != "" {
		more, notes, err := s.typescript(ts, outs)
		if err != nil {
			return err
		}
		changes = append(changes, more...)
		if !*check {
			s.note(notes)
		}
	}
	if *description != "" {
		if changes, err = s.openrpc(*description, outs, changes); err != nil {
			return err
		}
	}
	if *check {
		return s.check(changes)
	}
	return apply(changes)
}

// load loads the packages and reports all that is wrong with them, the names
// included that are taken.
func (s *session) load(ctx context.Context, cfg load.Config) ([]load.Output, error) {
	outs, err := load.Load(ctx, cfg)
	problems, ok := errors.AsType[model.Problems](err)
	if err != nil && !ok {
		return nil, err
	}
	for _, o := range outs {
		if o.Package != nil {
			problems = append(problems, golang.Check(o.Package)...)
		}
	}
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return outs, nil
}

// several reports whether the patterns may name more than one package.
func several(patterns []string) bool {
	return len(patterns) != 1 || strings.Contains(patterns[0], "...")
}

// noService is the error of a run for one package that has nothing to offer. It
// leaves what was generated before alone: the directive may just have a typo.
func noService(pattern string, outs []load.Output) error {
	err := fmt.Errorf("wirecall: package %s has no service: write //wirecall:service above an interface", pattern)
	for _, o := range outs {
		err = fmt.Errorf("%w (or delete %s)", err, filepath.Base(o.File))
	}
	return err
}

// changes generates all outputs and returns those that differ from what is
// there.
func (s *session) changes(outs []load.Output) ([]change, error) {
	var changes []change
	for _, o := range outs {
		c := change{file: o.File}
		var err error
		if o.Package != nil {
			c.new, err = generate(o.Package)
		}
		if err != nil {
			return nil, fmt.Errorf("wirecall: %s: %w", s.show(o.File), err)
		}
		if changes, err = s.compare(changes, c); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// generate returns the Go file for a package, with the descriptions of its services.
func generate(p *model.Package) ([]byte, error) {
	descriptions := map[*model.Service]string{}
	for _, s := range p.Services {
		text, err := openrpc.Embedded(p, s)
		if err != nil {
			return nil, err
		}
		descriptions[s] = text
	}
	return golang.Generate(p, descriptions)
}

// compare appends a change to others if it is one: if what is there is not what is new.
func (s *session) compare(changes []change, c change) ([]change, error) {
	old, err := ours(c.file)
	if err != nil {
		return nil, fmt.Errorf("wirecall: %s %w", s.show(c.file), err)
	}
	c.old = bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n")) // as git may check files out
	if c.new == nil && c.old != nil || !bytes.Equal(c.old, c.new) {
		changes = append(changes, c)
	}
	return changes, nil
}

// ours reads a file that we are about to change, which must be one that we
// wrote, or a trace of one.
func ours(file string) ([]byte, error) {
	old, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(bytes.TrimSpace(old)) > 0 && !bytes.Contains(old, []byte(golang.Header)) {
		return nil, errors.New("was not generated by wirecall: rename it")
	}
	return old, nil
}

// show is a file as it is shown: relative to the session's folder if it is
// below that.
func (s *session) show(file string) string {
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}

// explain prints what is not generated for JSON, and none for an output without such
// types.
func (s *session) explain(outs []load.Output) {
	for _, o := range outs {
		if o.Package == nil {
			continue
		}
		left := golang.Explain(o.Package)
		if len(left) == 0 {
			left = []string{"none"}
		}
		for _, line := range left {
			fmt.Fprintf(s.stdout, "%s: %s\n", s.show(o.File), line)
		}
	}
}

func apply(changes []change) error {
	for _, c := range changes {
		var err error
		if c.new == nil {
			err = os.Remove(c.file)
		} else {
			err = put(c.file, c.new)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// put writes a file, and makes the folder that -ts or -openrpc names.
func put(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o666)
}

// check prints what would change.
func (s *session) check(changes []change) error {
	for _, c := range changes {
		name := s.show(c.file)
		_, err := s.stdout.Write(diff.Diff(name, c.old, name+" (as it would be)", c.new))
		if err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		return errors.New("wirecall: generated files are not current: run go generate")
	}
	return nil
}
