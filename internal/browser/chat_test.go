package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
)

// enter opens the page of the chat room under a name.
func enter(t *testing.T, url, name string) *page {
	t.Helper()
	p := open(t, url)
	do(t, p, chromedp.WaitVisible(chromedp.CSS("#welcome")), chromedp.SendKeys(chromedp.CSS("#name"), name+"\r"))
	await(t, p, fmt.Sprintf(`[...document.querySelectorAll("#people .own")].some((e) => e.textContent === %q)`, name))
	return p
}

// say types a message and sends it.
func say(t *testing.T, p *page, text string) {
	t.Helper()
	do(t, p, chromedp.SendKeys(chromedp.CSS("#text"), text+"\r"))
}

// awaitMessages waits until the messages of a page, without those that wait, are these.
func awaitMessages(t *testing.T, p *page, want ...string) {
	t.Helper()
	await(t, p, fmt.Sprintf(`JSON.stringify([...document.querySelectorAll("article:not(.waiting) p")].map((e) => e.textContent)) === JSON.stringify(%s)`, jsonOf(t, want)))
}

// Two pages and a Go client chat. What is said while the network of one page is cut
// arrives, once and in order.
func TestChat(t *testing.T) {
	service, url := serveExample(t, "chat", "serve")
	conn, err := rpc.Dial(t.Context(), service, nil)
	check(t, err)
	defer conn.Close()
	room := chat.NewRoomClient(conn)
	post := func(text string) {
		_, err := room.Post(t.Context(), "Grace", text)
		check(t, err)
	}

	post("There was a room before you came.")
	ada := enter(t, url, "Ada")
	awaitMessages(t, ada, "There was a room before you came.")
	ben := enter(t, url, "Ben")
	await(t, ada, `document.querySelector("#people").textContent === "AdaBen"`)

	awaitDuring(t, ada, `document.querySelector("#typing").textContent === "Ben is typing …"`, func() {
		do(t, ben, chromedp.SendKeys(chromedp.CSS("#text"), "Hello, Ada"))
	})
	say(t, ben, "!")
	awaitMessages(t, ada, "There was a room before you came.", "Hello, Ada!")
	await(t, ada, `document.querySelector("#typing").textContent === ""`)

	do(t, ada, chromedp.Click(chromedp.CSS("#cut")))
	await(t, ada, `document.querySelector("#connection").dataset.phase === "detached"`)
	say(t, ada, "I am on a train.")
	await(t, ada, `document.querySelector("article.waiting p").textContent === "I am on a train."`)
	screenshot(t, ada, "chat-cut", "dark", 390, 700)
	post("Is anybody here?")
	say(t, ben, "Ada was.")
	before := []string{"There was a room before you came.", "Hello, Ada!", "Is anybody here?", "Ada was."}
	awaitMessages(t, ben, before...)
	awaitMessages(t, ada, before[:2]...)

	do(t, ada, chromedp.Click(chromedp.CSS("#cut")))
	all := append(before, "I am on a train.")
	awaitMessages(t, ada, all...)
	awaitMessages(t, ben, all...)
	await(t, ada, `document.querySelector("#connection").dataset.phase === "connected" && !document.querySelector(".waiting")`)
	screenshot(t, ben, "chat", "light", 1000, 600)
}

// On a node of a cluster somebody in the room can be rung at, by a press on the name.
func TestChatBell(t *testing.T) {
	_, url := serveProgram(t, "chat/nodes", ".")
	ada, ben := enter(t, url, "Ada"), enter(t, url, "Ben")
	await(t, ada, `document.querySelector("#people button")?.textContent === "Ben"`)
	do(t, ada, chromedp.Click(chromedp.CSS("#people button")))
	await(t, ada, `document.querySelector("#bell").textContent === "You have rung at Ben."`)
	await(t, ben, `document.querySelector("#bell").textContent === "Ada rings."`)
	screenshot(t, ben, "chat-bell", "light", 1000, 600)
	if eval[bool](t, ada, `[...document.querySelectorAll("#people button")].some((e) => e.textContent === "Ada")`) {
		t.Error("Ada can ring at herself")
	}
}

// A message that is too long is refused by its declared error, and stays in the form.
func TestChatRefuses(t *testing.T) {
	_, url := serveExample(t, "chat", "serve")
	ada := enter(t, url, "Ada")
	eval[bool](t, ada, `(document.querySelector("#text").value = "x".repeat(9000), document.querySelector("#post").requestSubmit(), true)`)
	await(t, ada, `document.querySelector("#problem").textContent === "Not posted: 9000 bytes, of 8192 at most."`)
	await(t, ada, `document.querySelector("#text").value.length === 9000`)
}

// Who reads the end of the messages goes on seeing it when there is less room for them, and
// who reads further up stays there.
func TestChatStaysAtTheEnd(t *testing.T) {
	_, url := serveExample(t, "chat", "serve")
	ada := enter(t, url, "Ada")
	do(t, ada, chromedp.EmulateViewport(390, 700))
	eval[bool](t, ada, `(document.querySelector("#text").value = "A long message. ".repeat(200), document.querySelector("#post").requestSubmit(), true)`)
	const below = `messages.scrollHeight - messages.scrollTop - messages.clientHeight`
	awaitFrame(t, ada, `messages.querySelector("article:not(.waiting)") && messages.scrollHeight > messages.clientHeight && `+below+` < 1`)
	do(t, ada, chromedp.EmulateViewport(390, 400))
	awaitFrame(t, ada, `messages.clientHeight < 300 && `+below+` < 1`)
	// It is scrolled and resized before either is told.
	eval[bool](t, ada, `(messages.scrollTop -= 10, messages.style.maxHeight = "100px", true)`)
	awaitFrame(t, ada, `messages.clientHeight === 100 && `+below+` < 1`)
	eval[bool](t, ada, `(messages.style.maxHeight = "", true)`)
	awaitFrame(t, ada, `messages.clientHeight > 100 && `+below+` < 1`)

	eval[bool](t, ada, `new Promise((resolve) => {
		messages.addEventListener("scroll", () => resolve(true), { once: true });
		messages.scrollTop = 0;
	})`)
	do(t, ada, chromedp.EmulateViewport(390, 350))
	awaitFrame(t, ada, `messages.clientHeight < 250`)
	awaitFrame(t, ada, `true`) // observers of sizes are called behind the frame's callbacks
	if top := eval[float64](t, ada, `messages.scrollTop`); top != 0 {
		t.Errorf("the page has scrolled to %g", top)
	}
}

// awaitFrame waits for an animation frame, from the next one on, in which an expression
// holds.
func awaitFrame(t *testing.T, p *page, expression string) {
	t.Helper()
	eval[bool](t, p, `new Promise((resolve) => {
		const look = () => (`+expression+`) ? resolve(true) : requestAnimationFrame(look);
		requestAnimationFrame(look);
	})`)
}
