package main

import (
	"fmt"
	"path/filepath"

	"github.com/wirecall/wirecall/internal/compat"
	"github.com/wirecall/wirecall/internal/emit/openrpc"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/internal/model"
)

// openrpc generates one document for all services, and appends it to the changes if it is
// not what the file has.
func (s *session) openrpc(file string, outs []load.Output, changes []change) ([]change, error) {
	var pkgs []*model.Package
	for _, o := range outs {
		if o.Package != nil && !o.Package.Tests {
			pkgs = append(pkgs, o.Package)
		}
	}
	text, err := openrpc.Generate(pkgs...)
	if err != nil {
		return nil, fmt.Errorf("wirecall: %w", err)
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.dir, file)
	}
	n := len(changes)
	if changes, err = s.compare(changes, change{file: file, new: text}); err == nil && len(changes) > n {
		noteBroken(s, changes[n])
	}
	return changes, err
}

// noteBroken notes what may break by the change of a description. What was there before may be
// something else.
func noteBroken(s *session, c change) {
	found, err := compat.Compare(c.old, c.new)
	if err != nil {
		return
	}
	for _, f := range found {
		if f.Severity >= compat.Warning {
			fmt.Fprintf(s.stderr, "wirecall: %s: %s\n", s.show(c.file), f)
		}
	}
}
