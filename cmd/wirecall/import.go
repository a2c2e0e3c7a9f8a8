package main

import (
	"context"
	"fmt"
	"go/token"
	"path/filepath"

	"github.com/wirecall/wirecall/internal/importer"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/rpc"
)

const importUsage = `import [-check] [-o file] [-package name] document
	Write a contract for a server that an OpenRPC document describes. The document
	is a file, the URL of one, or the URL of a server with rpc.discover.`

func imported(ctx context.Context, s *session, args []string) error {
	flags := s.flags("import", importUsage)
	check := flags.Bool("check", false, "write nothing; print what would change, and fail if anything would")
	out := flags.String("o", "", "write to this `file`, and not to standard output")
	pkg := flags.String("package", "", "the package's `name`; by default that of the folder of -o, or api")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *check && *out == "" {
		flags.Usage()
		return errUsage
	}
	if *pkg == "" {
		*pkg = s.packageOf(*out)
	}
	if !token.IsIdentifier(*pkg) {
		return fmt.Errorf("wirecall: %q is no name of a package: give one with -package", *pkg)
	}
	source := flags.Arg(0)
	document, err := s.document(ctx, source, func(ctx context.Context) (connection, error) {
		if isHTTP(source) {
			caller, err := rpc.NewHTTPCaller(source, &rpc.HTTPOptions{ResponseBytes: maxDocument})
			return connection{caller, func() error { return nil }}, err
		}
		conn, err := rpc.Dial(ctx, source, nil)
		if err != nil {
			return connection{}, err
		}
		return connection{conn, conn.Close}, nil
	})
	if err != nil {
		return fmt.Errorf("wirecall: %s: %w", source, err)
	}
	text, err := importer.Import(document, importer.Options{Package: *pkg, Source: source, MethodName: load.MethodName, Reserved: load.ReservedCode})
	if err != nil {
		return fmt.Errorf("wirecall: %s: %w", source, err)
	}
	if *out == "" {
		_, err := s.stdout.Write(text)
		return err
	}
	changes, err := s.compare(nil, change{file: s.path(*out), new: text})
	switch {
	case err != nil:
		return err
	case *check:
		return s.check(changes)
	}
	return apply(changes)
}

// packageOf is the name of the package in the folder of a file, if that can be one.
func (s *session) packageOf(file string) string {
	dir, err := filepath.Abs(s.path(file))
	if name := filepath.Base(filepath.Dir(dir)); file != "" && err == nil && token.IsIdentifier(name) {
		return name
	}
	return "api"
}
