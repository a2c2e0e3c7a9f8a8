package tscheck

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

var packageDir = flag.String("package", "", "where TestPackage leaves the package for npm")

// TestTranscripts replays the conversations of rpc/testdata in which our side dials against
// the runtime: they are one specification for it and for package rpc.
func TestTranscripts(t *testing.T) {
	w := open(t)
	cmd := exec.Command(node(), "testdata/transcripts.mjs", w.runtime(), "../../rpc/testdata")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(string(out)))
}

// TestHostile has a server break the protocol in every way.
func TestHostile(t *testing.T) {
	script(t, "testdata/hostile.test.mjs", "RUNTIME="+open(t).runtime())
}

// TestPage follows the life of a page, and calls what it serves.
func TestPage(t *testing.T) { script(t, "testdata/page.test.mjs", "RUNTIME="+open(t).runtime()) }

// runtime is the runtime as JavaScript.
func (w *workspace) runtime() string { return filepath.Join(w.out, "ledger", "wirecall.js") }

// TestPackage builds the package for npm, with its declarations, and runs the tests of what
// only that has. With -package it is left in that folder.
func TestPackage(t *testing.T) {
	open(t) // installs the compiler
	dir := *packageDir
	if dir == "" {
		dir = filepath.Join("node_modules", ".wirecall-package") // where it finds React
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	dir, err := filepath.Abs(dir)
	check(t, err)
	react, err := filepath.Abs("node_modules")
	check(t, err)
	// The declarations of React are found from a link.
	config := filepath.Join(t.TempDir(), "tsconfig.json")
	sources, err := filepath.Abs(runtime)
	check(t, err)
	check(t, put(config, []byte(fmt.Sprintf(`{"extends": %q, "compilerOptions": {"outDir": %q, "rootDir": %q, "paths": {"react": [%q]}}, "files": [%s]}`,
		filepath.Join(sources, "tsconfig.json"), dir, sources, filepath.Join(react, "@types/react"), packageFiles(sources)))))
	if out, err := exec.Command(node(), "node_modules/typescript/bin/tsc", "--project", config).CombinedOutput(); err != nil {
		t.Fatalf("tsc: %v\n%s", err, out)
	}
	for _, name := range []string{"package.json", "npm.md"} {
		text, err := os.ReadFile(filepath.Join(runtime, name))
		check(t, err)
		check(t, put(filepath.Join(dir, strings.Replace(name, "npm", "README", 1)), text))
	}
	exported(t, dir)
	if *packageDir == "" {
		script(t, "testdata/post.test.mjs", "PACKAGE="+dir)
		script(t, "testdata/react.test.mjs", "PACKAGE="+dir)
	}
}

// packageSources are what the package has.
var packageSources = []string{"wirecall.ts", "wirecall_values.ts", "react.ts", "post.ts"}

func packageFiles(dir string) string {
	var quoted []string
	for _, name := range packageSources {
		quoted = append(quoted, strconv.Quote(filepath.Join(dir, name)))
	}
	return strings.Join(quoted, ", ")
}

// exported wants each file that package.json exports.
func exported(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	check(t, err)
	var p struct {
		Exports map[string]map[string]string
	}
	check(t, json.Unmarshal(text, &p))
	if len(p.Exports) != len(packageSources) {
		t.Errorf("%d exports of %d sources", len(p.Exports), len(packageSources))
	}
	for _, files := range p.Exports {
		for _, file := range files {
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
				t.Error(err)
			}
		}
	}
}

// script runs the tests of a script.
func script(t *testing.T, name string, env ...string) {
	t.Helper()
	cmd := exec.Command(node(), "--test", name)
	cmd.Env = append(cmd.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// TestSize bounds what the runtime costs a page: minified, and compressed as servers do.
// Generated code names only what its contract needs, and bundlers leave out the rest.
func TestSize(t *testing.T) {
	const calls = "connect, client, RpcError"
	for _, tt := range []struct {
		what, source string
		most         int
	}{
		{"calls and streams from the server", `export { ` + calls + ` } from "./wirecall.ts"`, 7230},
		{"with cursors", `export { ` + calls + `, follow } from "./wirecall.ts"`, 7530},
		{"with notifications", `export { ` + calls + `, notify } from "./wirecall.ts"`, 7435},
		{"with uploads", `export { ` + calls + `, upload } from "./wirecall.ts"`, 7990},
		{"with serving", `export { ` + calls + `, serve } from "./wirecall.ts"`, 8845},
		{"all", `export * from "./wirecall.ts"`, 9285},
		{"React's hooks", `export * from "./react.ts"`, 480},
	} {
		n := bundle(t, tt.source)
		t.Logf("%s: %d bytes", tt.what, n)
		if n > tt.most {
			t.Errorf("%s: %d bytes, minified and compressed: want %d at most", tt.what, n, tt.most)
		}
	}
}

// bundle returns how many bytes a script and what it imports have, minified and compressed.
func bundle(t *testing.T, source string) int {
	t.Helper()
	built := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: source, ResolveDir: runtime, Loader: api.LoaderTS},
		Bundle: true, External: []string{"react"}, Format: api.FormatESModule, Target: api.ES2022,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	if len(built.Errors) > 0 {
		t.Fatal(built.Errors)
	}
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	check(t, err)
	_, err = w.Write(built.OutputFiles[0].Contents)
	check(t, err)
	check(t, w.Close())
	return compressed.Len()
}
