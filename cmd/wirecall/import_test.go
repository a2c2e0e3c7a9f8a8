package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
)

// TestImport imports the documents of all cases in testdata/import. What is written for them
// is what the cases want, has clients and services generated, and compiles.
func TestImport(t *testing.T) {
	dir := newModule(t, "example.com/imports")
	for _, c := range readCases(t, "import") {
		t.Run(c.name, func(t *testing.T) {
			writeFile(t, filepath.Join(dir, c.name, "api.json"), c.file("api.json"))
			code, out, stderr := wirecall(t, dir, "import", "-o", c.name+"/api.go", c.name+"/api.json")
			got := map[string]string{}
			if code == 0 {
				got["want/api.go"] = readFile(t, filepath.Join(dir, c.name, "api.go"))
			} else {
				got["want/errors.txt"] = stderr
			}
			if out != "" {
				t.Errorf("it printed %s", out)
			}
			c.compare(t, "import", got)
		})
	}
	if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	if !testing.Short() {
		goCommand(t, dir, "vet", "./...")
	}
}

// TestImportOfDescriptions imports the descriptions of all accepted contracts. The contracts
// that come out are accepted, compile.
func TestImportOfDescriptions(t *testing.T) {
	dir := newModule(t, "example.com/imports")
	for _, c := range readCases(t, "accepted") {
		for _, f := range c.Files {
			name, ok := strings.CutSuffix(f.Name, ".openrpc.json")
			if !ok {
				continue
			}
			pkg := filepath.Join(c.name, filepath.Base(name))
			writeFile(t, filepath.Join(dir, pkg, "api.json"), string(f.Data))
			if code, _, stderr := wirecall(t, dir, "import", "-package", "imported", "-o", pkg+"/api.go", pkg+"/api.json"); code != 0 {
				t.Errorf("%s: exit status %d: %s", f.Name, code, stderr)
			}
		}
	}
	if code, _, stderr := wirecall(t, dir, "gen", "./..."); code != 0 {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	if !testing.Short() {
		goCommand(t, dir, "vet", "./...")
	}
}

// TestImportRoundTrip calls a server by the client of a contract that was imported from the
// server's description.
func TestImportRoundTrip(t *testing.T) {
	a, err := txtar.ParseFile("testdata/roundtrip.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := newModule(t, "example.com/trip")
	for _, f := range a.Files {
		writeFile(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	for _, args := range [][]string{
		{"gen", "-openrpc", "api.json", "./shop"},
		{"import", "-o", "imported/api.go", "api.json"},
		{"gen", "./imported"},
	} {
		if code, _, stderr := wirecall(t, dir, args...); code != 0 {
			t.Fatalf("%q: exit status %d:\n%s", args, code, stderr)
		}
	}
	if !testing.Short() {
		goCommand(t, dir, "test", "-vet=all", "./...")
	}
}

// describedServer answers rpc.discover, and a GET by what is given.
func describedServer(t *testing.T, get http.HandlerFunc, answer string) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			get(w, r)
			return
		}
		w.Write([]byte(answer))
	}))
	t.Cleanup(web.Close)
	return web.URL
}

const tiny = `{"openrpc":"1.3.2","info":{"title":"Tiny","version":"1"},"methods":[{"name":"ping","params":[],"result":{"name":"r","schema":{"type":"null"}}}]}`

// TestImportOfURL gets a document by its URL, or from a server that describes itself.
func TestImportOfURL(t *testing.T) {
	document := func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(tiny)) }
	page := func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<!doctype html>")) }
	refuse := func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusMethodNotAllowed) }
	for name, tt := range map[string]struct {
		get          http.HandlerFunc
		answer, want string
	}{
		"a document":                 {document, "", "Ping(ctx context.Context) error"},
		"a server":                   {refuse, `{"jsonrpc":"2.0","id":1,"result":` + tiny + `}`, "Ping(ctx context.Context) error"},
		"a server with a page":       {page, `{"jsonrpc":"2.0","id":1,"result":` + tiny + `}`, "Ping(ctx context.Context) error"},
		"a server without":           {refuse, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}`, "the server answers 405 Method Not Allowed"},
		"a page":                     {page, "<!doctype html>", "it is no JSON"},
		"a server of something else": {page, `{"hello":1}`, "it is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, out, stderr := wirecall(t, t.TempDir(), "import", describedServer(t, tt.get, tt.answer))
			if !strings.Contains(out+stderr, tt.want) {
				t.Errorf("there is no %q in\n%s%s", tt.want, out, stderr)
			}
		})
	}
}

// TestImportOfServer imports from a server that describes itself, by a WebSocket and by
// POST. That is what gen -openrpc says of its services, and so is the contract.
func TestImportOfServer(t *testing.T) {
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
	srv.Register(chat.RoomService(chat.InMemory()))
	hs := httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Close()
		hs.Close()
	})
	dir := t.TempDir()
	if code, _, stderr := wirecall(t, filepath.Join("..", "..", "example", "chat"), "gen", "-openrpc", filepath.Join(dir, "api.json"), "."); code != 0 {
		t.Fatal(stderr)
	}
	code, want, stderr := wirecall(t, dir, "import", "api.json")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, url := range []string{hs.URL, strings.Replace(hs.URL, "http://", "ws://", 1)} {
		code, got, stderr := wirecall(t, dir, "import", url)
		if got = strings.Replace(got, "// Source: "+url, "// Source: api.json", 1); code != 0 || got != want {
			t.Errorf("%s: exit status %d: %s%s", url, code, stderr, difference("api.go", want, got))
		}
	}
}

// TestImportFiles is what happens to the file that is written.
func TestImportFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "api.json"), tiny)
	args := []string{"import", "-o", "ping/api.go", "api.json"}
	if code, _, stderr := wirecall(t, dir, args...); code != 0 {
		t.Fatal(stderr)
	}
	if text := readFile(t, filepath.Join(dir, "ping/api.go")); !strings.Contains(text, "\npackage ping\n") {
		t.Errorf("the package is not named after its folder:\n%s", text)
	}
	check := []string{"import", "-check", "-o", "ping/api.go", "api.json"}
	if code, out, stderr := wirecall(t, dir, check...); code != 0 {
		t.Errorf("what was just written would change:\n%s%s", out, stderr)
	}
	writeFile(t, filepath.Join(dir, "api.json"), strings.Replace(tiny, "ping", "pong", 1))
	if code, out, _ := wirecall(t, dir, check...); code != 1 || !strings.Contains(out, "+	Pong(ctx context.Context) error") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	writeFile(t, filepath.Join(dir, "ping/api.go"), "package ping\n")
	if code, _, stderr := wirecall(t, dir, args...); code != 1 || !strings.Contains(stderr, "ping/api.go was not generated by wirecall") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
	if code, _, stderr := wirecall(t, dir, "import", "nowhere.json"); code != 1 || !strings.Contains(stderr, "wirecall: nowhere.json: no such file") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
	if code, _, _ := wirecall(t, dir, "import"); code != 2 {
		t.Errorf("exit status %d without a document", code)
	}
	if err := os.Truncate(filepath.Join(dir, "api.json"), maxDocument+1); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := wirecall(t, dir, "import", "api.json"); code != 1 || !strings.Contains(stderr, "it is longer than") {
		t.Errorf("exit status %d: %s", code, stderr)
	}
}
