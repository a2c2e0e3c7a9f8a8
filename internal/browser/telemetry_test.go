package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/rpc"
)

// card is an expression for the card of a device, or for a part of it.
func card(device, part string) string {
	return fmt.Sprintf(`document.querySelector('[aria-label="%s"] %s')`, device, part)
}

// readings is an expression for how many readings a card shows.
func readings(device string) string {
	return fmt.Sprintf(`Number(%s.textContent.replaceAll(",", ""))`, card(device, ".readings"))
}

// The page draws what devices measure, sets their intervals, and goes on after a pause and
// after a cut.
func TestTelemetry(t *testing.T) {
	service, url := serveExample(t, "telemetry", "demo")
	conn, err := rpc.Dial(t.Context(), service, nil)
	check(t, err)
	defer conn.Close()
	p := open(t, url)
	enough := 200
	if *screenshots != "" {
		enough = 6000 // they fill a chart
	}
	for _, device := range []string{"attic", "cellar", "garden", "kitchen"} {
		await(t, p, fmt.Sprintf(`document.querySelectorAll("section").length === 4 && %s > %d`, readings(device), enough))
	}
	screenshot(t, p, "telemetry", "light", 1000, 860)
	screenshot(t, p, "telemetry-phone", "dark", 390, 800)

	set := func(device, ms string) {
		do(t, p, chromedp.SetValue(chromedp.CSS(`[aria-label="`+device+`"] input`), ms), chromedp.Click(chromedp.CSS(`[aria-label="`+device+`"] form button`)))
	}
	set("attic", "250")
	await(t, p, card("attic", ".said")+`.textContent === "Set to 250 ms, was 2 ms."`)
	await(t, p, card("attic", ".interval")+`.textContent === "250 ms"`)
	was, err := telemetry.NewFleetClient(conn).SetInterval(t.Context(), "attic", 2*time.Millisecond)
	if was != 250*time.Millisecond || err != nil {
		t.Errorf("the device's interval was %v, %v", was, err)
	}
	set("cellar", "0.5")
	await(t, p, card("cellar", ".error")+`.textContent === "The device takes 1 ms to 3600 s."`)

	do(t, p, chromedp.Click(chromedp.CSS("#pause")))
	await(t, p, `document.querySelector("#rate").textContent === "0 points a second"`)
	shown := eval[int](t, p, readings("garden"))
	do(t, p, chromedp.Click(chromedp.CSS("#pause")))
	await(t, p, fmt.Sprintf("%s > %d", readings("garden"), shown))

	do(t, p, chromedp.Click(chromedp.CSS("#cut")))
	await(t, p, `document.querySelector("#connection").dataset.phase === "detached"`)
	await(t, p, `document.querySelector("#rate").textContent === "0 points a second"`)
	shown = eval[int](t, p, readings("garden"))
	do(t, p, chromedp.Click(chromedp.CSS("#cut")))
	await(t, p, fmt.Sprintf("%s > %d", readings("garden"), shown+100))
}
