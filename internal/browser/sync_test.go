package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// put puts an item on the list of a page.
func put(t *testing.T, p *page, text string) {
	t.Helper()
	do(t, p, chromedp.SendKeys(chromedp.CSS("#text"), text+"\r"))
}

// awaitItems waits until a page lists these items, those that are done with a mark.
func awaitItems(t *testing.T, p *page, want ...string) {
	t.Helper()
	// A value is a property, whose change no observer sees; it changes with the document.
	await(t, p, fmt.Sprintf(`JSON.stringify([...document.querySelectorAll("#items li")].map((e) =>
		e.querySelector("input:not([type])").value + (e.classList.contains("done") ? " ✓" : ""))) === JSON.stringify(%s)`, jsonOf(t, want)))
}

// awaitStored waits until a page knows that the server has its edits.
func awaitStored(t *testing.T, p *page) {
	t.Helper()
	await(t, p, `document.querySelector("#waiting").textContent === ""`)
}

// Two pages edit a list, one of them without a network and then loaded again. Both are equal in the end.
func TestSync(t *testing.T) {
	_, url := serveExample(t, "sync", "serve")
	ada, ben := open(t, url), open(t, url)
	put(t, ada, "Milk")
	put(t, ada, "Eggs")
	awaitItems(t, ada, "Milk", "Eggs")
	awaitItems(t, ben, "Milk", "Eggs")
	awaitStored(t, ada) // ben may have them before ada has the answer

	do(t, ada, chromedp.Click(chromedp.CSS("#cut")))
	await(t, ada, `document.querySelector("#connection").dataset.phase === "detached"`)
	put(t, ada, "Apples")
	do(t, ada, chromedp.Click(chromedp.CSS(`[aria-label="Milk: done"]`)))
	await(t, ada, `document.querySelector("#waiting").textContent === "2 edits wait for the network."`)
	awaitItems(t, ada, "Milk ✓", "Eggs", "Apples")
	screenshot(t, ada, "sync-cut", "dark", 390, 700)
	put(t, ben, "Bread")
	do(t, ben, chromedp.Click(chromedp.CSS(`[aria-label="Delete Eggs"]`)))
	awaitItems(t, ben, "Milk", "Bread")
	awaitItems(t, ada, "Milk ✓", "Eggs", "Apples")

	do(t, ada, chromedp.Reload()) // its network is whole again, and its edits are kept
	awaitItems(t, ada, "Milk ✓", "Bread", "Apples")
	awaitItems(t, ben, "Milk ✓", "Bread", "Apples")
	awaitStored(t, ada)
	screenshot(t, ben, "sync", "light", 1000, 600)
}
