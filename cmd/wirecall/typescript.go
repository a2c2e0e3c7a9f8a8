package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/wirecall/wirecall/internal/emit/ts"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/internal/model"
	"github.com/wirecall/wirecall/typescript"
)

// typescriptOptions is what the flags say of TypeScript.
type typescriptOptions struct {
	dir         string
	react, post bool
	ts.Options
}

// define defines the flags.
func (o *typescriptOptions) define(flags *flag.FlagSet) {
	flags.StringVar(&o.dir, "ts", "", "write TypeScript to this `folder` as well, a file for each package, and the runtime")
	flags.BoolVar(&o.BigInt, "ts-bigint", false, "have integers of 64 bits as bigint in TypeScript, where they are numbers of up to 2^53 otherwise")
	flags.BoolVar(&o.react, "ts-react", false, "write react.ts to the folder of -ts as well: hooks for React")
	flags.BoolVar(&o.post, "ts-post", false, "write post.ts to the folder of -ts as well: calls over HTTP POST")
}

// check refuses flags that have no effect.
func (o typescriptOptions) check() error {
	if o.dir == "" && o != (typescriptOptions{}) {
		return errors.New("wirecall: -ts-bigint, -ts-react and -ts-post need -ts, with the folder for TypeScript")
	}
	return nil
}

// sources is the names of the runtime's files.
func (o typescriptOptions) sources() []string {
	names := []string{"wirecall.ts", "wirecall_values.ts"}
	if o.react {
		names = append(names, "react.ts")
	}
	if o.post {
		names = append(names, "post.ts")
	}
	return names
}

// A typescriptFile is one to be written. Those of the runtime have no package.
type typescriptFile struct {
	pkg  *model.Package
	text []byte
}

// typescript generates a file for each package and the runtime beside them. It returns
// those that differ from what is there, and what TypeScript cannot carry.
func (s *session) typescript(o typescriptOptions, outs []load.Output) (changes []change, notes model.Problems, err error) {
	files, err := runtimeFiles(o.sources())
	if err != nil {
		return nil, nil, err
	}
	for _, out := range outs {
		if out.Package == nil || out.Package.Tests {
			continue
		}
		f := typescriptFile{pkg: out.Package}
		if err := distinct(files, f.pkg); err != nil {
			return nil, nil, err
		}
		var more model.Problems
		if f.text, more, err = ts.Generate(f.pkg, o.Options); err != nil {
			return nil, nil, fmt.Errorf("wirecall: %s: %w", ts.File(f.pkg), err)
		}
		files[ts.File(f.pkg)], notes = f, append(notes, more...)
	}
	if !filepath.IsAbs(o.dir) {
		o.dir = filepath.Join(s.dir, o.dir)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(o.dir, name)
		if err := sameOwner(file, files[name].pkg); err != nil {
			return nil, nil, fmt.Errorf("wirecall: %s %w", s.show(file), err)
		}
		if changes, err = s.compare(changes, change{file: file, new: files[name].text}); err != nil {
			return nil, nil, err
		}
	}
	return changes, notes.Sorted(), nil
}

// runtimeFiles is files of the runtime, as ours.
func runtimeFiles(names []string) (map[string]typescriptFile, error) {
	files := map[string]typescriptFile{}
	for _, name := range names {
		text, err := typescript.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[name] = typescriptFile{text: fmt.Appendf(nil, "%s\n\n%s", ts.Header, text)}
	}
	return files, nil
}

// distinct refuses a package whose file would be that of another, or of the runtime.
func distinct(files map[string]typescriptFile, p *model.Package) error {
	name := ts.File(p)
	switch other, ok := files[name]; {
	case !ok:
		return nil
	case other.pkg == nil:
		return fmt.Errorf("wirecall: package %s cannot be written to %s, which is the runtime's: rename it", p.Path, name)
	default:
		return fmt.Errorf("wirecall: packages %s and %s would both be written to %s: generate each into a folder of its own", other.pkg.Path, p.Path, name)
	}
}

// sameOwner refuses to replace what was generated for another package.
func sameOwner(file string, p *model.Package) error {
	old, err := os.ReadFile(file)
	if err != nil || p == nil {
		return nil // what cannot be read is found out by whoever writes it
	}
	for line := range bytes.Lines(old) {
		source := bytes.TrimSpace(line)
		if bytes.HasPrefix(source, []byte(ts.SourcePrefix)) && string(source) != ts.Source(p) {
			return fmt.Errorf("was generated for another package, %s: generate %s into a folder of its own", source[len(ts.SourcePrefix):], p.Path)
		}
	}
	return nil
}

// note prints what is no mistake.
func (s *session) note(notes model.Problems) {
	for _, n := range notes {
		fmt.Fprintf(s.stderr, "note: %s\n", n)
	}
}
