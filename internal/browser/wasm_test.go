package browser

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
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
	wasm := compileTests(t, "js", "./inpage")
	root, err := exec.Command("go", "env", "GOROOT").Output()
	check(t, err)

	s := newSite(t, nil)
	for path, name := range map[string]string{
		"/tests.wasm":   wasm,
		"/wasm_exec.js": filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"),
	} {
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	}
	s.mux.HandleFunc("/deaf", deaf(t.Context()))
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

// compileTests compiles the tests of a package to WebAssembly, and returns the file.
func compileTests(t *testing.T, system, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tests.wasm")
	build := exec.Command("go", "test", "-c", "-o", file, pkg)
	build.Env = append(os.Environ(), "GOOS="+system, "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// deaf answers the handshake of a session, and reads nothing more until ctx ends.
func deaf(ctx context.Context) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"wirecall.v1.json"}})
		if err != nil {
			return // the page's Dial fails
		}
		defer ws.CloseNow()
		if _, _, err := ws.Read(ctx); err != nil {
			return
		}
		const hello = `{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":256,"streams":256,"message":1048576}}`
		if err := ws.Write(ctx, websocket.MessageText, []byte(hello)); err == nil {
			<-ctx.Done()
		}
	}
}
