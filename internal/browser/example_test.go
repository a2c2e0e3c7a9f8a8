package browser

import (
	"bufio"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "a folder for screenshots of the examples' pages")

// serving is what the examples print when they serve.
var serving = regexp.MustCompile(`ws://\S+/rpc`)

// serveExample builds and runs an example's program, until the test ends, and returns the
// URLs of its service and its page.
func serveExample(t *testing.T, name, command string) (service, page string) {
	t.Helper()
	return serveProgram(t, name, "./cmd/"+name, command)
}

// serveProgram is serveExample for a package of a module in the folder example.
func serveProgram(t *testing.T, module, pkg string, args ...string) (service, page string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", program, pkg)
	build.Dir = filepath.Join("..", "..", "example", module)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, "-addr", "127.0.0.1:0")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() { cmd.Wait() }) // the test's context has ended
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	service = serving.FindString(line)
	return service, "http" + service[len("ws"):len(service)-len("rpc")]
}

// await waits until an expression holds in a page. It is evaluated again after each
// change of the document.
func await(t *testing.T, p *page, expression string) {
	t.Helper()
	eval[bool](t, p, holds(expression))
}

// awaitDuring is await for an expression that may hold for a short time only, while f runs.
func awaitDuring(t *testing.T, p *page, expression string, f func()) {
	t.Helper()
	eval[bool](t, p, `(globalThis.held = `+holds(expression)+`, true)`)
	f()
	eval[bool](t, p, `held`)
}

// holds is an expression for a promise that resolves once an expression holds.
func holds(expression string) string {
	return `new Promise((resolve) => {
		const look = () => {
			if (!(` + expression + `)) return;
			observer.disconnect();
			resolve(true);
		};
		const observer = new MutationObserver(look);
		observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
		look();
	})`
}

// do runs an action in a page.
func do(t *testing.T, p *page, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	check(t, chromedp.Do(p.ctx, actions...))
}

// screenshot writes a picture of a page if it is asked for, in a color scheme.
func screenshot(t *testing.T, p *page, name, scheme string, width, height int64) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	emulate(t, p, scheme)
	do(t, p, chromedp.EmulateViewport(width, height))
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	check(t, err)
	check(t, os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o666))
}

// emulate has a page see a color scheme that its user prefers.
func emulate(t *testing.T, p *page, scheme string) {
	t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	check(t, err)
}
