package browser

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wirecall/wirecall/internal/browser/lab"
)

var pageTime = flag.Duration("pagetime", 90*time.Second, "how long a page may take")

// chrome is the browser that the tests share; each page has a context of its own.
var chrome context.Context

func TestMain(m *testing.M) {
	options := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, closeBrowser := chromedp.NewContext(allocator)
	chrome = browser
	code := 1
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintln(os.Stderr, "the browser does not start:", err)
	} else {
		code = m.Run()
	}
	closeBrowser()
	stop()
	os.Exit(code)
}

// A site is a server with a lab at /rpc and files beside it.
type site struct {
	lab *lab.Server
	mux *http.ServeMux
	url string
}

func newSite(t *testing.T, authenticate func(context.Context, string) (context.Context, error)) *site {
	t.Helper()
	s := &site{lab: lab.NewServer(authenticate), mux: http.NewServeMux()}
	s.mux.Handle("/rpc", s.lab)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	web := &httptest.Server{Listener: s.lab.Listener(ln), Config: &http.Server{Handler: s.mux}}
	web.Start()
	t.Cleanup(func() {
		s.lab.Close()
		web.Close()
	})
	s.url = web.URL
	return s
}

// serve serves text at a path, as the type that the path's ending stands for.
func (s *site) serve(path, text string) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, path, time.Time{}, strings.NewReader(text))
	})
}

// A page is a tab of the browser.
type page struct {
	ctx context.Context

	mu      sync.Mutex
	console strings.Builder
}

// open opens a page, which is closed with the test. What it writes to its console is
// logged if the test has failed.
func open(t *testing.T, url string) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chrome)
	ctx, stop := context.WithTimeout(ctx, *pageTime)
	p := &page{ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("console of the page:\n%s", p.log())
		}
		stop()
		cancel()
	})
	console := chromedp.Console(ctx)
	go p.listen(console)
	check(t, chromedp.Do(ctx, chromedp.Navigate(url)))
	return p
}

// listen keeps what the page writes to its console, and exceptions.
func (p *page) listen(console iter.Seq2[chromedp.ConsoleMessage, error]) {
	for message, err := range console {
		if err != nil {
			return
		}
		p.mu.Lock()
		fmt.Fprintln(&p.console, message)
		p.mu.Unlock()
	}
}

func (p *page) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.console.String()
}

// eval evaluates an expression in a page, waits for its promise, and returns what that
// resolves to.
func eval[T any](t *testing.T, p *page, expression string) T {
	t.Helper()
	result, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return result
}

// jsonOf returns a value as an expression of JavaScript.
func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	check(t, err)
	return string(text)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
