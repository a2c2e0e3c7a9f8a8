package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/token"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wirecall/wirecall/internal/importer"
	"github.com/wirecall/wirecall/internal/load"
)

const importUsage = `import [-check] [-o file] [-package name] document
	Write a contract for a server that an OpenRPC document describes. The document
	is a file, the URL of one, or the URL of a server with rpc.discover.`

// maxDocument is how long a document may be, in bytes.
const maxDocument = 32 << 20

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
	document, err := s.document(ctx, source)
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

// document reads a document from a file or from a server.
func (s *session) document(ctx context.Context, source string) ([]byte, error) {
	scheme, _, isURL := strings.Cut(source, "://")
	if !isURL {
		f, err := os.Open(s.path(source))
		if err != nil {
			return nil, errors.Unwrap(err)
		}
		defer f.Close()
		return limited(f)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if scheme != "http" && scheme != "https" {
		return discover(ctx, source)
	}
	text, err := download(ctx, http.MethodGet, source, "")
	if err == nil && !bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		return text, nil
	}
	if described, discoverErr := discoverByPOST(ctx, source); discoverErr == nil {
		return described, nil
	}
	if err == nil {
		err = errors.New("it is no JSON")
	}
	return nil, err
}

// limited reads a document that must not be too long.
func limited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if len(text) > maxDocument {
		return nil, fmt.Errorf("it is longer than %d bytes", maxDocument)
	}
	return text, err
}

// download makes a request and reads its answer.
func download(ctx context.Context, method, url, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	return limited(resp.Body)
}
