// Bundle makes the script and the style sheet of a page of one TypeScript file and what
// that imports.
//
//	go run ./bundle .../src/main.ts FOLDER
//	go run ./bundle -check .../src/main.ts FOLDER
//	go run ./bundle -page .../src/main.ts FOLDER
//
// With -check it writes nothing, and fails if it would change a file. With -page it makes
// one file, page.html, of src/index.html with the script and the style sheet in it.
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
	page := flag.Bool("page", false, "make one page that has the script and the style sheet in it")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: bundle [-check] [-page] FILE FOLDER")
		os.Exit(2)
	}
	if err := bundle(flag.Arg(0), flag.Arg(1), *page, *check); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// bundle writes what an entry and its imports become into a folder, as one page if page is
// true. If check is true, it compares instead.
func bundle(entry, folder string, page, check bool) error {
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
	files := result.OutputFiles
	if page {
		one, err := inlined(filepath.Join(filepath.Dir(entry), "index.html"), files)
		if err != nil {
			return err
		}
		files = []api.OutputFile{{Path: filepath.Join(folder, "page.html"), Contents: one}}
	}
	for _, file := range files {
		if err := put(file, check); err != nil {
			return err
		}
	}
	return nil
}

// inlined returns an HTML file with a bundle's style sheet and script in the places of its
// comments.
func inlined(name string, files []api.OutputFile) ([]byte, error) {
	html, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		mark, tags := "<!--script-->", [2]string{`<script type="module">`, "</script>"}
		if filepath.Ext(file.Path) == ".css" {
			mark, tags = "<!--style-->", [2]string{"<style>", "</style>"}
		}
		if bytes.Count(html, []byte(mark)) != 1 || bytes.Contains(file.Contents, []byte(tags[1])) {
			return nil, fmt.Errorf("%s cannot hold %s", name, filepath.Base(file.Path))
		}
		html = bytes.Replace(html, []byte(mark), []byte(tags[0]+string(file.Contents)+tags[1]), 1)
	}
	return html, nil
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
