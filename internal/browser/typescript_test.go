package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/wirecall/wirecall/internal/browser/lab"
	"github.com/wirecall/wirecall/rpc"
)

var (
	items = flag.Int("items", 150, "how many items go each way while the socket is cut")
	cuts  = flag.Int("cuts", 3, "amid how many cuts at least")
)

// labPage is a page that has the generated client of the lab, connected as conn.
const labPage = `<!doctype html><meta charset="utf-8"><title>Lab</title><link rel="icon" href="data:,">
<script type="module" src="lab.js"></script>`

// labScript is bundled with what it imports.
const labScript = `
import * as lab from "./lab.ts";
import * as wirecall from "./wirecall.ts";
globalThis.token = location.hash.slice(1);
globalThis.asked = 0;
const conn = wirecall.connect(location.origin.replace("http", "ws") + "/rpc", { auth: () => (asked++, token) });
const phase = (...phases) => new Promise((resolve) => {
	const look = () => phases.includes(conn.state.phase) && (undo(), resolve(conn.state.phase));
	const undo = conn.subscribe(look);
	look();
});
const collect = async (stream) => {
	const all = [];
	for await (const item of stream) all.push(item);
	return all;
};
Object.assign(globalThis, { lab, wirecall, conn, phase, collect, client: lab.lab(conn) });
`

// script is labScript, bundled once.
var script = sync.OnceValues(func() (string, error) { return bundle(labScript) })

// bundle bundles a script with the generated client of the lab, which is beside it, and the
// chart of the example.
func bundle(source string) (string, error) {
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("go", "tool", "wirecall", "gen", "-ts", dir, "./lab").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	chart, err := filepath.Abs("../../example/telemetry/web/src/chart.ts")
	if err != nil {
		return "", err
	}
	result := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: source, ResolveDir: dir, Loader: api.LoaderTS},
		Alias:  map[string]string{"chart": chart},
		Loader: map[string]api.Loader{".css": api.LoaderEmpty},
		Bundle: true,
		Format: api.FormatESModule,
		Target: api.ES2022,
	})
	if len(result.Errors) > 0 {
		return "", fmt.Errorf("%v", result.Errors)
	}
	return string(result.OutputFiles[0].Contents), nil
}

// newLab starts a site with a page of the lab.
func newLab(t *testing.T, authenticate func(context.Context, string) (context.Context, error)) *site {
	t.Helper()
	text, err := script()
	check(t, err)
	s := newSite(t, authenticate)
	s.serve("/lab.js", text)
	s.serve("/lab.html", labPage)
	s.serve("/elsewhere.html", `<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,">`)
	return s
}

// openLab opens a page of the lab with a token, and waits until it is connected.
func (s *site) openLab(t *testing.T, token string) *page {
	t.Helper()
	p := open(t, s.url+"/lab.html#"+token)
	eval[string](t, p, `phase("connected")`)
	return p
}

// The page calls the server, which calls the page. Errors have their types.
func TestCallsBothWays(t *testing.T) {
	p := newLab(t, nil).openLab(t, "")
	eval[bool](t, p, `(wirecall.serve(conn, lab.PageService, { reverse: (text) => [...text].reverse().join("") }), true)`)
	if got := eval[string](t, p, `client.callBack("h\u00e9llo \u{1f600}")`); got != "😀 olléh" {
		t.Errorf("the page's answer came back as %q", got)
	}
	if got := eval[string](t, p, `client.half(7).catch((error) => lab.isOdd(error) ? "odd: " + error.data.n : String(error))`); got != "odd: 7" {
		t.Errorf("half of 7: %s", got)
	}
	if got := eval[[]int](t, p, `collect(client.double([1, 2, 3]))`); len(got) != 3 || got[2] != 6 {
		t.Errorf("doubles of 1, 2 and 3: %v", got)
	}
}

// The stream of one page feeds another.
func TestPageFeedsPage(t *testing.T) {
	s := newLab(t, nil)
	from, to := s.openLab(t, ""), s.openLab(t, "")
	eval[bool](t, to, `(globalThis.followed = collect(client.follow(1000)), true)`)
	const numbers = `(async function* () { for (let i = 0; i < 1000; i++) yield i; })()`
	if n := eval[int](t, from, `client.publish(`+numbers+`)`); n != 1000 {
		t.Errorf("%d numbers were published", n)
	}
	if !eval[bool](t, to, `followed.then((all) => all.length === 1000 && all.every((n, i) => n === i))`) {
		t.Error("the other page has received others")
	}
}

// A consumer that does not read stays within its window, and holds no call up.
func TestSlowConsumer(t *testing.T) {
	p := newLab(t, nil).openLab(t, "")
	const begin = `(async () => {
		globalThis.numbers = client.count(0, 50000)[Symbol.asyncIterator]();
		const first = await numbers.next();
		for (let i = 0; i < 200; i++) await client.echo("call " + i);
		return client.produced();
	})()`
	const window = 64
	if n := eval[int](t, p, begin); n > 2*window {
		t.Errorf("%d numbers were produced for a reader of one", n)
	}
	const rest = `(async () => {
		let want = 1;
		for (let item; !(item = await numbers.next()).done; want++) if (item.value !== want) return -want;
		return want;
	})()`
	if n := eval[int](t, p, rest); n != 50000 {
		t.Errorf("the rest ended at %d", n)
	}
}

// cutUntil cuts the sockets of a server every 60 ms until done is closed, and returns how
// many were cut. It leaves those alone that have carried nothing yet: on a slow machine
// they could not be made within that time.
func cutUntil(done <-chan struct{}, server *lab.Server) (n int) {
	tick := time.NewTicker(60 * time.Millisecond)
	defer tick.Stop()
	for last := int64(0); ; {
		select {
		case <-done:
			return n
		case <-tick.C:
		}
		if moved := server.Moved(); moved != last {
			last = moved
			n += server.CutAll()
		}
	}
}

// The socket is cut again and again under an upload and a stream: nothing is lost,
// doubled or out of order.
func TestPageCuts(t *testing.T) {
	s := newLab(t, nil)
	p := s.openLab(t, "")
	done := make(chan struct{})
	total := make(chan int)
	go func() { total <- cutUntil(done, s.lab) }()
	// Both directions go at the page's pace, which lets each connection be cut amid them.
	got := eval[[]int](t, p, fmt.Sprintf(`(async (n) => {
		const pause = () => new Promise((resolve) => setTimeout(resolve, 2));
		async function* upload() {
			for (let i = 0; i < n; i++) {
				yield i;
				if (i %% 4 === 3) await pause();
			}
		}
		async function read() {
			let want = 0;
			for await (const number of client.count(0, n)) {
				if (number !== want++) return -want;
				if (number %% 4 === 3) await pause();
			}
			return want;
		}
		return Promise.all([client.check(upload()), read()]);
	})(%d)`, *items))
	close(done)
	if n := <-total; len(got) != 2 || got[0] != *items || got[1] != *items || n < *cuts {
		t.Errorf("%v of %d items in each direction, over %d cuts", got, *items, n)
	} else {
		t.Logf("%d cuts", n)
	}
}

// emulateOffline has the browser tell a page that there is no network, or that it is back.
func emulateOffline(t *testing.T, p *page, offline bool) {
	t.Helper()
	_, err := chromedp.Call(p.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
	check(t, err)
}

// A page without a network keeps its calls, and makes them when the network is back.
func TestOfflineAndOnline(t *testing.T) {
	s := newLab(t, nil)
	p := s.openLab(t, "")
	emulateOffline(t, p, true)
	s.lab.SetDown(true)
	eval[string](t, p, `phase("detached")`)
	eval[bool](t, p, `(globalThis.echoed = client.echo("made offline"), true)`)
	s.lab.SetDown(false)
	emulateOffline(t, p, false)
	if got := eval[string](t, p, `echoed`); got != "made offline" {
		t.Errorf("got %q", got)
	}
	if n := eval[int](t, p, `conn.state.session`); n != 1 {
		t.Errorf("the connection is in session %d", n)
	}
}

// A page that is left and entered again by Back goes on with its session.
func TestBackForwardCache(t *testing.T) {
	s := newLab(t, nil)
	p := s.openLab(t, "")
	eval[bool](t, p, `(addEventListener("pageshow", (event) => { globalThis.restored = event.persisted; }), globalThis.before = "kept", true)`)
	do(t, p, chromedp.Navigate(s.url+"/elsewhere.html"))
	select {
	case <-s.lab.Left: // with an open socket no page is kept
	case <-p.ctx.Done():
		t.Fatal("the page that was left has not closed its socket")
	}
	navigated := chromedp.Events(p.ctx, cdppage.FrameNavigated)
	notCached := chromedp.Events(p.ctx, cdppage.BackForwardCacheNotUsed)
	eval[bool](t, p, `(setTimeout(() => history.back()), true)`)
	for e, err := range navigated {
		check(t, err)
		if e.Type != cdppage.NavigationTypeBackForwardCacheRestore {
			for why := range notCached {
				t.Fatalf("the page was not kept: %s", jsonOf(t, why.NotRestoredExplanations))
			}
		}
		break
	}
	eval[string](t, p, `phase("connected")`)
	if before := eval[string](t, p, `String(globalThis.before) + " " + globalThis.restored`); before != "kept true" {
		t.Fatalf("the browser has loaded the page anew: %s", before)
	}
	if got := eval[string](t, p, `client.echo("back")`); got != "back" {
		t.Errorf("got %q", got)
	}
	if n := eval[int](t, p, `conn.state.session`); n != 1 {
		t.Errorf("the connection is in session %d", n)
	}
}

// A token that expires while the page is offline is replaced by another when it is back,
// and the session goes on. If there is no other, the connection says so, and tries again
// when it is asked to.
func TestTokenExpiresOffline(t *testing.T) {
	var mu sync.Mutex
	valid := "first"
	accept := func(token string) {
		mu.Lock()
		defer mu.Unlock()
		valid = token
	}
	s := newLab(t, func(ctx context.Context, token string) (context.Context, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != valid {
			return nil, rpc.Errorf(rpc.CodeUnauthenticated, "the token %q has expired", token)
		}
		return ctx, nil
	})
	p := s.openLab(t, "first")
	eval[int](t, p, `(globalThis.numbers = client.count(0, 1000)[Symbol.asyncIterator](), numbers.next().then((item) => item.value))`)

	goOffline := func(token string) {
		s.lab.SetDown(true)
		eval[string](t, p, `phase("detached")`)
		accept(token)
	}
	goOffline("second")
	eval[string](t, p, `globalThis.token = "second"`)
	s.lab.SetDown(false)
	rest := eval[int](t, p, `(async () => {
		let want = 1;
		for (let item; !(item = await numbers.next()).done; want++) if (item.value !== want) return -want;
		return want;
	})()`)
	if n := eval[int](t, p, `conn.state.session`); rest != 1000 || n != 1 {
		t.Errorf("the stream ended at %d, in session %d", rest, n)
	}

	goOffline("third")
	eval[int](t, p, `globalThis.asked = 0`)
	s.lab.SetDown(false)
	eval[string](t, p, `phase("refused")`)
	if n := eval[int](t, p, `asked`); n < 2 {
		t.Errorf("the page was asked for a token %d times", n)
	}
	if got := eval[string](t, p, `client.echo("").catch((error) => error.code + " " + error.notRun)`); got != "-32014 true" {
		t.Errorf("a call without credentials: %s", got)
	}
	eval[bool](t, p, `(globalThis.token = "third", conn.reconnect(), true)`)
	eval[string](t, p, `phase("connected")`)
}
