package tscheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// chatAPI is the contract that the docs are about, in TypeScript.
const chatAPI = "../../example/chat/web/src/api/chat.ts"

var (
	docsFile  = regexp.MustCompile("(?m)^<!-- file: (.*) -->\n```tsx?\n((?s:.*?))^```\n")
	docsTypes = regexp.MustCompile("(?m)^```ts\n(export interface (?s:.*?))^```\n")
	tsDoc     = regexp.MustCompile(`(?s) */\*\*.*?\*/\n`)
)

// TestDocs follows docs/typescript.md in a project as Vite's template for React makes it:
// its files compile, and Vite builds the page.
func TestDocs(t *testing.T) {
	check(t, install())
	dir := docsProject(t)
	text, err := os.ReadFile("../../docs/typescript.md")
	check(t, err)
	files := docsFile.FindAllStringSubmatch(string(text), -1)
	if len(files) == 0 {
		t.Fatal("the page has no files")
	}
	for _, f := range files {
		check(t, put(filepath.Join(dir, f[1]), []byte(f[2])))
	}
	for _, program := range []string{"typescript/bin/tsc", "vite/bin/vite.js build"} {
		args := strings.Fields("node_modules/" + program)
		node, err := filepath.Abs(node())
		check(t, err)
		cmd := exec.Command(node, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
	if built, err := filepath.Glob(filepath.Join(dir, "dist/assets/*.js")); err != nil || len(built) != 1 {
		t.Errorf("Vite has built %q, %v", built, err)
	}
}

// docsProject is a project without the files of the docs.
func docsProject(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS("testdata/vite")))
	modules, err := filepath.Abs("node_modules")
	check(t, err)
	check(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	for _, source := range append([]string{chatAPI}, runtimeSources()...) {
		text, err := os.ReadFile(source)
		check(t, err)
		check(t, put(filepath.Join(dir, "src/api", filepath.Base(source)), text))
	}
	return dir
}

func runtimeSources() (files []string) {
	for _, name := range packageSources {
		files = append(files, filepath.Join(runtime, name))
	}
	return files
}

// TestDocsTypes holds the interface that the docs show, without comments.
func TestDocsTypes(t *testing.T) {
	text, err := os.ReadFile("../../docs/typescript.md")
	check(t, err)
	generated, err := os.ReadFile(chatAPI)
	check(t, err)
	shown := docsTypes.FindSubmatch(tsDoc.ReplaceAll(text, nil))
	if shown == nil || !strings.Contains(string(tsDoc.ReplaceAll(generated, nil)), string(shown[1])) {
		t.Errorf("what is generated has no\n%s", shown)
	}
}
