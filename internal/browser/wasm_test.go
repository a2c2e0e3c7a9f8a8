package browser

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goPage runs tests that were compiled for js/wasm. finished resolves to their exit code
// and their output.
const goPage = `<!doctype html><meta charset="utf-8"><title>Go</title><link rel="icon" href="data:,">
<script src="wasm_exec.js"></script>
<script>
const go = new Go();
go.argv = ["tests", "-test.v", "-test.timeout=80s"];
let output = "";
const log = console.log;
console.log = (line) => { output += line + "\n"; log(line); };
var finished = new Promise((resolve) => { go.exit = (code) => resolve({ code, output }); });
WebAssembly.instantiateStreaming(fetch("tests.wasm"), go.importObject).then((program) => go.run(program.instance));
</script>`

// TestGoInPage runs the tests of package inpage in a page.
func TestGoInPage(t *testing.T) {
	wasm := filepath.Join(t.TempDir(), "tests.wasm")
	build := exec.Command("go", "test", "-c", "-o", wasm, "./inpage")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	check(t, err)

	s := newSite(t, nil)
	for path, name := range map[string]string{
		"/tests.wasm":   wasm,
		"/wasm_exec.js": filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"),
	} {
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	}
	s.serve("/index.html", goPage)
	p := open(t, s.url+"/index.html")
	type result struct {
		Code   int    `json:"code"`
		Output string `json:"output"`
	}
	if r := eval[result](t, p, "finished"); r.Code != 0 || !strings.Contains(r.Output, "--- PASS") {
		t.Errorf("the tests have ended with %d", r.Code)
	}
}
