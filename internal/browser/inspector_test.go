package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wirecall/wirecall/internal/browser/lab"
	inspectpage "github.com/wirecall/wirecall/internal/inspect"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/inspector"
)

// inspect opens the inspector of a lab.
func inspect(t *testing.T) *page {
	t.Helper()
	s := newSite(t, nil)
	s.mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(s.lab.Server, nil)))
	p := open(t, s.url+"/inspect/")
	await(t, p, `document.querySelector("[data-method='Lab.Echo']")`)
	return p
}

// choose shows the form of a method.
func choose(t *testing.T, p *page, method string) {
	t.Helper()
	click(t, p, fmt.Sprintf("[data-method='%s']", method))
	await(t, p, fmt.Sprintf(`document.querySelector("#method h2").textContent === %q`, method))
}

func click(t *testing.T, p *page, selector string) {
	t.Helper()
	do(t, p, chromedp.Click(chromedp.CSS(selector)))
}

// fill enters text into the field of the form that has a label.
func fill(t *testing.T, p *page, label, text string) {
	t.Helper()
	id := eval[string](t, p, fmt.Sprintf(`[...document.querySelectorAll("#call label")].find((l) => l.textContent.startsWith(%q)).htmlFor`, label))
	do(t, p, chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// retype replaces the text of an input.
func retype(t *testing.T, p *page, selector, text string) {
	t.Helper()
	eval[bool](t, p, fmt.Sprintf(`(document.querySelector(%q).value = "", true)`, selector))
	do(t, p, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// send makes the call of the form.
func send(t *testing.T, p *page) {
	t.Helper()
	click(t, p, "#call > button.primary")
}

// awaitCard waits until an expression holds of the latest call, which is card.
func awaitCard(t *testing.T, p *page, expression string) {
	t.Helper()
	await(t, p, `((card) => card && (`+expression+`))(document.querySelector("#cards .card"))`)
}

// A call is made by a form, and its answer and its errors are shown. What a server sends is
// text, whatever is in it.
func TestInspectorCalls(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.Echo")
	fill(t, p, "text", "hello <b>there</b>")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "done" && card.querySelector(".result").textContent === '"hello <b>there</b>"'`)

	choose(t, p, "Lab.Half")
	fill(t, p, "n", "three")
	send(t, p)
	await(t, p, `document.querySelector("#call .error").textContent === "n: three is no integer"`)
	choose(t, p, "Lab.Half")
	fill(t, p, "n", "3")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "failed" && card.querySelector("[role=alert]").textContent.includes("3 is odd") && card.textContent.includes("lab.Odd, code 3001") && card.textContent.includes('"n": 3')`)

	choose(t, p, "Lab.Half")
	click(t, p, "#call .switch input")
	fill(t, p, "Parameters", `{"n":9007199254740994}`)
	send(t, p)
	awaitCard(t, p, `card.querySelector(".result")?.textContent === "4503599627370497"`)
	click(t, p, "#tab-history")
	await(t, p, `document.querySelectorAll("#history-list li").length === 3`)
	click(t, p, "#history-list li:last-child button")
	await(t, p, `document.querySelector("#method h2").textContent === "Lab.Echo" && document.querySelector("#call input[autocomplete=off]").value === "hello <b>there</b>"`)
}

// A stream is held up by not reading it, until its producer has no credit. Items are filtered.
func TestInspectorStream(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.Count")
	fill(t, p, "from", "0")
	fill(t, p, "to", "1000000000")
	send(t, p)
	awaitCard(t, p, `card.querySelectorAll(".items li").length > 0`)
	click(t, p, ".stream .bar button")
	awaitCard(t, p, `card.querySelector(".stream .status").textContent.includes("paused, credit for 0 more")`)
	do(t, p, chromedp.SendKeys(chromedp.CSS(".stream [type=search]"), "7"))
	awaitCard(t, p, `((items) => items.length > 0 && [...items].every((i) => i.textContent.includes("7")))(card.querySelectorAll(".items li"))`)
	before := eval[string](t, p, `document.querySelector(".items li:last-child").textContent`)
	eval[bool](t, p, `(scrollTo(0, 0), true)`)
	screenshot(t, p, "inspector", "light", 1100, 900)
	click(t, p, ".stream .bar button")
	awaitCard(t, p, fmt.Sprintf(`Number(card.querySelector(".items li:last-child").textContent) > %s`, before))
	click(t, p, ".stream .bar button + button")
	awaitCard(t, p, `card.dataset.state === "done" && card.querySelector(".stream").dataset.end === "cancelled"`)

	choose(t, p, "Lab.Produced")
	send(t, p)
	click(t, p, "#tab-frames")
	do(t, p, chromedp.SendKeys(chromedp.CSS("#frame-filter"), "Lab.Produced"))
	await(t, p, `((li) => li?.querySelector(".what").textContent.endsWith(": Lab.Produced") && li.querySelector(".took").textContent.endsWith(" ms"))(document.querySelector("#frame-list > li"))`)
}

// A stream is sent: the lines that were entered, then items by hand.
func TestInspectorUpload(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.Check")
	fill(t, p, "Items", "0\n1\n2")
	send(t, p)
	awaitCard(t, p, `card.querySelector(".result")?.textContent === "3" && card.querySelector(".sending output").textContent === "3 items"`)
	fill(t, p, "Items", "\nno JSON")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "failed" && card.querySelector("[role=alert]").textContent.includes("line 4")`)
	file := filepath.Join(t.TempDir(), "numbers.jsonl")
	check(t, os.WriteFile(file, []byte("0\n1\r\n\n2\n3"), 0o666))
	do(t, p, chromedp.SetUploadFiles(chromedp.CSS(".upload [type=file]"), []string{file}))
	send(t, p)
	awaitCard(t, p, `card.querySelector(".result")?.textContent === "4"`)

	choose(t, p, "Lab.Double")
	fill(t, p, "Items", "1")
	click(t, p, ".upload [type=checkbox]")
	send(t, p)
	awaitCard(t, p, `card.querySelector(".items li")?.textContent === "2"`)
	do(t, p, chromedp.SendKeys(chromedp.CSS(".sending input"), "21\r"))
	awaitCard(t, p, `card.querySelector(".items li:last-child").textContent === "42"`)
	screenshot(t, p, "inspector-upload", "light", 800, 900)
	click(t, p, ".sending button + button")
	awaitCard(t, p, `card.dataset.state === "done" && card.querySelector(".stream").dataset.end === "ended"`)
}

// A call of the server is refused until calls are answered by hand.
func TestInspectorAnswers(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.CallBack")
	fill(t, p, "text", "abc")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "failed" && card.querySelector("[role=alert]").textContent.includes("method not found")`)
	click(t, p, "#tab-incoming")
	await(t, p, `document.querySelector("#incoming .card").textContent.includes("was refused")`)
	click(t, p, "#incoming-answer")

	for _, answer := range []string{"result", "error"} {
		click(t, p, "#tab-call")
		send(t, p)
		await(t, p, `document.querySelector("#incoming-count").textContent === " (1)"`)
		click(t, p, "#tab-incoming")
		await(t, p, `document.querySelector("#incoming .card pre").textContent.includes('"text": "abc"')`)
		screenshot(t, p, "inspector-incoming", "dark", 390, 800)
		if answer == "error" {
			click(t, p, "#incoming .card summary")
			click(t, p, "#incoming .card details button")
			awaitCard(t, p, `card.dataset.state === "failed" && card.querySelector("[role=alert]").textContent.includes("refused by hand")`)
			continue
		}
		eval[bool](t, p, `(document.querySelector("#incoming .card textarea").value = '"cba"', true)`)
		click(t, p, "#incoming .card .primary")
		awaitCard(t, p, `card.querySelector(".result")?.textContent === '"cba"'`)
	}
	await(t, p, `document.querySelector("#incoming-count").textContent === ""`)
}

// The socket is cut by hand. What is called meanwhile is answered in the same session when it
// has been resumed.
func TestInspectorResumes(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.Echo")
	click(t, p, "#cut")
	await(t, p, `document.querySelector("#phase").dataset.phase === "detached"`)
	fill(t, p, "text", "behind the cut")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "running"`)
	click(t, p, "#cut")
	awaitCard(t, p, `card.querySelector(".result")?.textContent === '"behind the cut"'`)
	await(t, p, `document.querySelector("#session").textContent === "session 1" && document.querySelector("#phase").dataset.phase === "connected"`)
	click(t, p, "#tab-frames")
	await(t, p, `[...document.querySelectorAll("#frame-list .what")].some((w) => w.textContent.includes("rpc.resume"))`)
	screenshot(t, p, "inspector-dark", "dark", 1100, 820)
	screenshot(t, p, "inspector-phone", "light", 390, 820)
	click(t, p, "#tab-call")
	choose(t, p, "Lab.Sleep")
	send(t, p)
	click(t, p, "#tab-connections")
	await(t, p, `((row) => row?.textContent.includes("connected, can be resumed") && row.textContent.includes("1 call (Lab.Sleep: 1)"))(document.querySelector("#connections-table tbody tr"))`)
	screenshot(t, p, "inspector-connections", "light", 1100, 400)
}

// A message that is looked at stays open, and keeps the focus, while others come and go.
func TestInspectorFramesStay(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.Echo")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "done"`)
	click(t, p, "#tab-frames")
	click(t, p, "#frame-list li:first-child summary")
	await(t, p, `document.querySelector("#frame-list li:first-child pre")?.textContent.includes('"result"')`)
	eval[bool](t, p, `(globalThis.seen = document.querySelector("#frame-list li:first-child details"), document.querySelector("#call").requestSubmit(), true)`)
	await(t, p, `document.querySelectorAll("#frame-list li:has(details)").length >= 8`)
	await(t, p, `seen.isConnected && seen.open && seen.contains(document.activeElement)`)
	do(t, p, chromedp.SendKeys(chromedp.CSS("#frame-filter"), "rpc.hello"))
	await(t, p, `!seen.isConnected && document.querySelectorAll("#frame-list li").length === 2`)
	retype(t, p, "#frame-filter", "Lab.Echo")
	await(t, p, `seen.isConnected && seen.open`)
}

// Neither the token that is entered nor that of the session is anywhere in the page.
func TestInspectorHidesTokens(t *testing.T) {
	const token = "letmein-9f3a"
	s := newSite(t, func(ctx context.Context, got string) (context.Context, error) {
		if got != token {
			return nil, rpc.Errorf(rpc.CodeUnauthenticated, "who are you?")
		}
		return ctx, nil
	})
	s.mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(s.lab.Server, nil)))
	p := open(t, s.url+"/inspect/")
	await(t, p, `document.querySelector("#phase").dataset.phase === "refused" && document.querySelector("#cause").textContent === "who are you?" && document.querySelector("#described").textContent.includes("has not said what it has")`)
	do(t, p, chromedp.SendKeys(chromedp.CSS("#token"), token+"\r"))
	await(t, p, `document.querySelector("[data-method='Lab.Echo']") && document.querySelector("#phase").dataset.phase === "connected" && document.querySelector("#described").textContent === ""`)
	choose(t, p, "Lab.Echo")
	click(t, p, "#call > details summary")
	fill(t, p, "Metadata", "authorization="+token)
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "done"`)
	click(t, p, "#cut")
	await(t, p, `document.querySelector("#phase").dataset.phase === "detached"`)
	click(t, p, "#cut")
	await(t, p, `document.querySelector("#phase").dataset.phase === "connected"`)
	click(t, p, "#tab-frames")
	await(t, p, `[...document.querySelectorAll("#frame-list .what")].some((w) => w.textContent.includes("rpc.resume"))`)
	eval[bool](t, p, `(document.querySelectorAll("#frame-list details").forEach((d) => (d.open = true)), true)`)
	await(t, p, `[...document.querySelectorAll("#frame-list details")].every((d) => d.querySelector("pre"))`)
	eval[bool](t, p, `(document.querySelectorAll("#token, #call input").forEach((i) => (i.value = "")), true)`)
	text := eval[string](t, p, `document.documentElement.textContent + JSON.stringify(sessionStorage) + location.href`)
	if strings.Contains(text, token) {
		t.Error("the token is shown")
	}
	for _, member := range []string{`"session": "•••"`, `"auth": "•••"`, `"authorization": "•••"`} {
		if !strings.Contains(text, member) {
			t.Errorf("the frames lack %s", member)
		}
	}
	if regexp.MustCompile(`"session": "[^•]`).MatchString(text) {
		t.Error("the token of a session is shown")
	}
}

// A server that does not describe itself is called by names.
func TestInspectorWithoutDescription(t *testing.T) {
	s := newSite(t, nil)
	srv := rpc.NewServer(nil)
	srv.Register(lab.LabService(s.lab))
	s.mux.Handle("/plain", srv)
	s.mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(srv, &inspector.Options{URL: "/plain"})))
	p := open(t, s.url+"/inspect/")
	await(t, p, `document.querySelector("#described").textContent.includes("does not describe itself") && document.querySelector("#by-name").open`)
	byName := func(method, params string) {
		retype(t, p, "#by-name-method", method+"\r")
		await(t, p, fmt.Sprintf(`document.querySelector("#method h2")?.textContent === %q`, method))
		fill(t, p, "Parameters", params)
		send(t, p)
	}
	byName("Lab.Half", "[8]")
	awaitCard(t, p, `card.querySelector(".result")?.textContent === "4"`)
	byName("Lab.Echo", `{"text":"by name"}`)
	awaitCard(t, p, `card.querySelector(".result")?.textContent === '"by name"'`)
	click(t, p, "#by-name-stream")
	byName("Lab.Count", "[0,3]")
	awaitCard(t, p, `card.querySelectorAll(".items li").length === 3 && card.dataset.state === "done"`)
}

// rich describes a method with parameters of all kinds.
const rich = `{"methods":[{"name":"Rich.Set","params":[
	{"name":"id","required":true,"schema":{"type":"integer"}},
	{"name":"kind","required":true,"schema":{"enum":["small","large"]}},
	{"name":"color","required":true,"schema":{"$ref":"#/components/schemas/Color"}},
	{"name":"loud","schema":{"type":"boolean"}},
	{"name":"data","schema":{"type":["string","null"],"contentEncoding":"base64"}},
	{"name":"tags","schema":{"type":["array","null"],"items":{"type":"string"}}},
	{"name":"order","required":true,"schema":{"$ref":"#/components/schemas/Order"}},
	{"name":"any","schema":{}}
	]}],"components":{"schemas":{
	"Color":{"type":"string","x-enum":[{"name":"Red","value":"red"}]},
	"Order":{"type":"object","required":["name","next"],"properties":{"name":{"type":"string"},"price":{"type":"number"},
		"next":{"anyOf":[{"$ref":"#/components/schemas/Order"},{"type":"null"}]}}}}}}`

// described opens the inspector of a server that says a document of itself and has no other
// method.
func described(t *testing.T, document string) *page {
	t.Helper()
	s := newSite(t, nil)
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Name: "rpc", Methods: []*rpc.Method{{Name: "rpc.discover", New: func() (any, any) { return nil, new(json.RawMessage) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*json.RawMessage) = json.RawMessage(document)
			return nil
		}}}})
	s.mux.Handle("/described", srv)
	s.mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(srv, &inspector.Options{URL: "/described"})))
	return open(t, s.url+"/inspect/")
}

// A form has a field for each parameter, whatever that is, and becomes JSON and back.
func TestInspectorForms(t *testing.T) {
	p := described(t, rich)
	await(t, p, `document.querySelector("#method h2")?.textContent === "Rich.Set"`)
	fill(t, p, "id", "9007199254740993")
	fill(t, p, "color", "red")
	fill(t, p, "name", "first")
	data := filepath.Join(t.TempDir(), "data")
	check(t, os.WriteFile(data, []byte{0, 255, 1}, 0o666))
	eval[bool](t, p, `(globalThis.entered = new Promise((resolve) => document.querySelector("#call .field textarea").addEventListener("input", resolve, { once: true })), true)`)
	do(t, p, chromedp.SetUploadFiles(chromedp.CSS("#call .field [type=file]"), []string{data}))
	eval[bool](t, p, `entered.then(() => true)`)
	params := func() string {
		send(t, p)
		awaitCard(t, p, `card.dataset.state === "failed"`)
		var compact bytes.Buffer
		check(t, json.Compact(&compact, []byte(eval[string](t, p, `document.querySelector("#cards .card pre").textContent`))))
		return compact.String()
	}
	if got, want := params(), `{"id":9007199254740993,"kind":"small","color":"red","data":"AP8B","order":{"name":"first","next":null}}`; got != want {
		t.Errorf("the form says\n%s, want\n%s", got, want)
	}

	const all = `{"id":1,"kind":"large","color":"blue","loud":false,"data":"AA==","tags":["a","b"],"order":{"name":"x","price":1.5,"next":{"name":"y","next":null}},"any":{"deep":[1]}}`
	click(t, p, "#call .switch input")
	retype(t, p, "#call > .field textarea", all)
	click(t, p, "#call .switch input") // to the fields
	await(t, p, `document.querySelectorAll("#call fieldset fieldset input[type=checkbox]:checked").length === 1`)
	click(t, p, "#call .element button")              // remove "a"
	click(t, p, "#call .members > fieldset > button") // add another
	do(t, p, chromedp.SendKeys(chromedp.CSS("#call .element:last-child input"), "c"))
	if got, want := params(), strings.Replace(all, `["a","b"]`, `["b","c"]`, 1); got != want {
		t.Errorf("the form says\n%s, want\n%s", got, want)
	}
}

// relayed opens the inspector of a target, as wirecall inspect serves it.
func relayed(t *testing.T, target *inspectpage.Target) *page {
	t.Helper()
	web := httptest.NewServer(&inspectpage.Site{Config: target.Config("a target"), Socket: target})
	t.Cleanup(web.Close)
	p := open(t, web.URL)
	await(t, p, `document.querySelector("#phase").dataset.phase === "connected"`)
	return p
}

// The page calls a server through a process that pipes its frames, and resumes its session there.
func TestInspectorRelayed(t *testing.T) {
	s := newSite(t, nil)
	p := relayed(t, &inspectpage.Target{URL: s.url + "/rpc"})
	await(t, p, `document.querySelector("[data-method='Lab.Echo']") && !document.querySelector("#tab-connections") && document.querySelector("#target").textContent === "a target"`)
	choose(t, p, "Lab.Echo")
	fill(t, p, "text", "through a process")
	s.lab.CutAll()
	send(t, p)
	awaitCard(t, p, `card.querySelector(".result")?.textContent === '"through a process"'`)
	await(t, p, `document.querySelector("#session").textContent === "session 1"`)
}

// The page calls a server of plain JSON-RPC, with parameters by position.
func TestInspectorPlainServer(t *testing.T) {
	s := newSite(t, nil)
	srv := rpc.NewServer(nil)
	srv.Register(lab.LabService(s.lab))
	s.mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Sec-Websocket-Protocol")
		srv.ServeHTTP(w, r)
	})
	p := relayed(t, &inspectpage.Target{URL: s.url + "/plain"})
	await(t, p, `document.querySelector("#by-name").open`)
	retype(t, p, "#by-name-method", "Lab.Half\r")
	await(t, p, `document.querySelector("#method h2")?.textContent === "Lab.Half"`)
	for params, want := range map[string]string{"[8]": "4", `{"n":6}`: "3"} {
		retype(t, p, "#call textarea", params)
		send(t, p)
		awaitCard(t, p, fmt.Sprintf(`card.querySelector(".result")?.textContent === %q`, want))
	}
}

// hostile is a description that goes round in circles, is not what it should be, and would be
// HTML.
const hostile = `{"info":7,"methods":[null,7,{"name":7},{"name":"Round.About","params":[
	{"name":"a","required":true,"schema":{"$ref":"#/components/schemas/a"}},
	{"name":"tree","required":true,"schema":{"$ref":"#/components/schemas/tree"}},
	{"name":"list","schema":{"$ref":"#/components/schemas/list"}},
	{"name":"__proto__","schema":{"$ref":"#/components/schemas/__proto__"}},
	{"name":"odd","required":true,"schema":{"type":["string",{}],"properties":7,"enum":"x","x-enum":{"a":1}}},
	null,7,{"schema":true}],"description":"<img src=x onerror=\"document.title='broken'\">",
	"errors":7,"x-wirecall":{"streams":{"params":7,"results":[]},"results":"x","cursor":7,"errors":[null]}},
	{"name":"<script>document.title='broken'</script>","params":{},"result":7,"x-wirecall":[]}],
	"components":{"tags":[null],"schemas":{"a":{"$ref":"#/components/schemas/b"},"b":{"allOf":[{"$ref":"#/components/schemas/a"}]},
	"tree":{"type":"object","required":["next","list"],"properties":{"next":{"$ref":"#/components/schemas/tree"},"list":{"type":"array","items":{"$ref":"#/components/schemas/list"}}}},
	"list":{"type":"array","items":{"$ref":"#/components/schemas/list"}}}}}`

// A hostile description breaks nothing, and its methods can still be called.
func TestInspectorHostileDescription(t *testing.T) {
	many := make([]string, 20000)
	for i := range many {
		many[i] = fmt.Sprintf(`{"name":"Many.Method%d"}`, i)
	}
	p := described(t, strings.Replace(hostile, `"methods":[`, `"methods":[`+strings.Join(many, ",")+",", 1))
	await(t, p, `document.querySelector("#method-list").textContent.includes("and 19502 more")`)
	do(t, p, chromedp.SendKeys(chromedp.CSS("#method-filter"), "round"))
	await(t, p, `document.querySelectorAll("#method-list button").length === 1`)
	choose(t, p, "Round.About")
	await(t, p, `document.querySelector("#method .doc").textContent.startsWith("<img")`)
	send(t, p)
	await(t, p, `document.querySelector("#call .error").textContent !== "" || document.querySelector(".card")?.dataset.state === "failed"`)
	retype(t, p, "#method-filter", "script")
	await(t, p, `document.querySelectorAll("#method-list button").length === 1`)
	click(t, p, "#method-list button")
	send(t, p)
	awaitCard(t, p, `card.dataset.state === "failed" && card.textContent.includes("method not found")`)
	if title := eval[string](t, p, `document.title`); title != "wirecall inspector" {
		t.Errorf("the title is %q", title)
	}
}

// lowContrasts are the pairs of the page's colors whose contrast is below what WCAG 2.2 wants.
const lowContrasts = `(() => {
	const sample = document.body.appendChild(document.createElement("span"));
	const luminance = (name) => {
		sample.style.color = "var(--" + name + ")";
		const [r, g, b] = getComputedStyle(sample).color.match(/[\d.]+/g).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const low = [];
	const want = (least, text, ground) => {
		const [a, b] = [luminance(text), luminance(ground)].sort((a, b) => b - a);
		const contrast = (a + 0.05) / (b + 0.05);
		if (!(contrast >= least)) low.push(text + " on " + ground + ": " + contrast);
	};
	for (const ground of ["paper", "card"]) {
		for (const text of ["ink", "faint", "accent", "good", "wait", "bad"]) want(4.5, text, ground);
		want(3, "edge", ground);
	}
	want(4.5, "on-accent", "accent");
	sample.remove();
	return low;
})()`

// Everything that can be used has a name, and the tabs are reached by the keyboard.
func TestInspectorIsAccessible(t *testing.T) {
	p := inspect(t)
	choose(t, p, "Lab.Double")
	click(t, p, "#by-name summary")
	unnamed := eval[[]string](t, p, `[...document.querySelectorAll("input, textarea, select, button")].filter((e) => !e.textContent.trim() && !e.ariaLabel && !e.labels?.length).map((e) => e.outerHTML)`)
	if len(unnamed) > 0 {
		t.Errorf("without names: %q", unnamed)
	}
	for _, scheme := range []string{"light", "dark"} {
		emulate(t, p, scheme)
		if low := eval[[]string](t, p, lowContrasts); len(low) > 0 {
			t.Errorf("in the %s these contrasts are low: %v", scheme, low)
		}
	}
	eval[bool](t, p, `(document.querySelector("#tab-call").focus(), true)`)
	do(t, p, chromedp.KeyEvent(kb.ArrowRight))
	await(t, p, `document.activeElement.id === "tab-frames" && !document.querySelector("#frames").hidden && document.querySelector("#calls").hidden`)
}
