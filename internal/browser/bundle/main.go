// Bundle makes the script and the style sheet of a page of one TypeScript file and what
// that imports.
//
//	go run ./bundle .../src/main.ts FOLDER
//	go run ./bundle -check .../src/main.ts FOLDER
//
// With -check it writes nothing, and fails if it would change a file.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	check := flag.Bool("check", false, "only report whether the files are what would be written")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: bundle [-check] FILE FOLDER")
		os.Exit(2)
	}
	if err := bundle(flag.Arg(0), flag.Arg(1), *check); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// bundle writes what an entry and its imports become into a folder. If check is true, it
// compares instead.
func bundle(entry, folder string, check bool) error {
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{entry},
		Outdir:            folder,
		Bundle:            true,
		MinifyWhitespace:  true,
		MinifySyntax:      true,
		MinifyIdentifiers: true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsEndOfFile,
		LogLevel:          api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return fmt.Errorf("%s cannot be bundled", entry)
	}
	for _, file := range result.OutputFiles {
		if err := put(file, check); err != nil {
			return err
		}
	}
	return nil
}

func put(file api.OutputFile, check bool) error {
	if !check {
		return os.WriteFile(file.Path, file.Contents, 0o666)
	}
	old, err := os.ReadFile(file.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, file.Contents) {
		return fmt.Errorf("%s is stale: run go generate in %s", filepath.Base(file.Path), filepath.Dir(file.Path))
	}
	return nil
}
