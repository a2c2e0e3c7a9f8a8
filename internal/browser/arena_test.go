package browser

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/wirecall/wirecall/example/arena"
	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
)

// place is an expression for where the list of scores says that a player is, along an axis.
func place(name string, axis int) string {
	return fmt.Sprintf(`Number([...document.querySelectorAll("#scores li")].find((e) => e.firstChild.textContent === %q)?.dataset.at.split(",")[%d])`, name, axis)
}

// players is an expression for the names in the list of scores, in alphabetical order.
const players = `[...document.querySelectorAll("#scores li span:first-child")].map((e) => e.textContent).sort().join(" ")`

// awaitAt waits until pages show a player at a coordinate, along an axis.
func awaitAt(t *testing.T, name string, axis, at int, pages ...*page) {
	t.Helper()
	for _, p := range pages {
		await(t, p, fmt.Sprintf("%s === %d", place(name, axis), at))
	}
}

// key holds a key down, or releases it.
func key(t *testing.T, p *page, typ input.DispatchKeyEventType, code string) {
	t.Helper()
	_, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: typ, Key: code, Code: code})
	check(t, err)
}

// touch touches the field at a point, or no longer.
func touch(t *testing.T, p *page, typ input.DispatchTouchEventType, points ...*input.TouchPoint) {
	t.Helper()
	_, err := chromedp.Call(p.ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: typ, TouchPoints: append([]*input.TouchPoint{}, points...)})
	check(t, err)
}

// The first and the last coordinate of a player, at the walls.
const low, high = world.Radius, world.Size - world.Radius

// Two pages play and another watches. They see each other move, by keys and by touch, and
// go on after a cut.
func TestArena(t *testing.T) {
	service, address := serveExample(t, "arena", "serve")
	ada := open(t, address)
	do(t, ada, chromedp.WaitVisible(chromedp.CSS("#welcome")), chromedp.SendKeys(chromedp.CSS("#name"), "Ada\r"))
	ben := open(t, address+"?room=lobby&name=Ben")
	spectator := open(t, address+"?room=lobby&watch")
	for _, p := range []*page{ada, ben, spectator} {
		await(t, p, players+` === "Ada Ben"`)
	}
	await(t, spectator, `document.querySelector("#status").textContent === "You watch 2 players."`)
	await(t, ben, `/^You have .*: place [12] of 2\.$/.test(document.querySelector("#status").textContent)`)

	key(t, spectator, input.DispatchKeyEventTypeKeyDown, "ArrowLeft") // moves nobody
	key(t, ada, input.DispatchKeyEventTypeKeyDown, "ArrowRight")
	awaitAt(t, "Ada", 0, high, ben, spectator)
	key(t, ada, input.DispatchKeyEventTypeKeyUp, "ArrowRight")
	touch(t, ben, input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: 200, Y: 200})
	touch(t, ben, input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 200, Y: 300})
	awaitAt(t, "Ben", 1, high, ada, spectator)
	touch(t, ben, input.DispatchTouchEventTypeTouchEnd)

	do(t, ada, chromedp.Click(chromedp.CSS("#cut")))
	await(t, ada, `document.querySelector("#connection").dataset.phase === "detached"`)
	key(t, ben, input.DispatchKeyEventTypeKeyDown, "KeyW")
	awaitAt(t, "Ben", 1, low, spectator)
	key(t, ben, input.DispatchKeyEventTypeKeyUp, "KeyW")
	key(t, ada, input.DispatchKeyEventTypeKeyDown, "KeyA") // is sent when the network is mended
	awaitAt(t, "Ben", 1, high, ada)
	do(t, ada, chromedp.Click(chromedp.CSS("#cut")))
	awaitAt(t, "Ben", 1, low, ada)
	awaitAt(t, "Ada", 0, low, ada, ben, spectator)
	key(t, ada, input.DispatchKeyEventTypeKeyUp, "KeyA")
	await(t, spectator, players+` === "Ada Ben"`)

	bots(t, service, "lobby", 6)
	await(t, spectator, `document.querySelectorAll("#scores li").length === 8`)
	if *screenshots != "" {
		await(t, spectator, `document.querySelectorAll("#scores li")[5].lastChild.textContent >= 10`) // a game that goes on
	}
	screenshot(t, spectator, "arena", "light", 1000, 800)
	screenshot(t, ada, "arena-phone", "dark", 390, 800)
}

// bots has bots play in a room until the test ends.
func bots(t *testing.T, service, room string, n int) {
	conn, err := rpc.Dial(t.Context(), service, nil)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	for i := range n {
		go arena.PlayBot(t.Context(), arena.NewArenaClient(conn), room, fmt.Sprint("Bot ", i+1), func(world.State) {})
	}
}

// A name that the server refuses is asked for again, with what is wrong.
func TestArenaRefuses(t *testing.T) {
	_, address := serveExample(t, "arena", "serve")
	p := open(t, address+"?room=lobby&name="+url.QueryEscape("\u202eada"))
	await(t, p, `document.querySelector("#problem").textContent === "the name must have 1 to 20 visible characters"`)
	do(t, p, chromedp.SetValue(chromedp.CSS("#name"), "Ada"), chromedp.Click(chromedp.CSS("#welcome [value=play]")))
	await(t, p, players+` === "Ada"`)
}

// openTimeline opens a page that has what timeline.ts exports as timeline.
func openTimeline(t *testing.T) *page {
	t.Helper()
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{"../../example/arena/web/src/timeline.ts"},
		Bundle:      true,
		Format:      api.FormatIIFE,
		GlobalName:  "timeline",
	})
	if len(result.Errors) > 0 {
		t.Fatal(result.Errors)
	}
	p := open(t, "about:blank")
	eval[bool](t, p, string(result.OutputFiles[0].Contents)+"; globalThis.timeline = timeline; true")
	return p
}

// Frames make the same states in TypeScript as in Go.
func TestArenaFrames(t *testing.T) {
	p := openTimeline(t)
	w, random := world.New(1), rand.New(rand.NewPCG(1, 2))
	states := []world.State{w.State()}
	var frames []arena.Frame
	for range 100 {
		w.Enter(random.Int64N(1<<53), "somebody")
		for range random.IntN(10) {
			for _, player := range w.State().Players {
				w.Steer(player.ID, world.Chase(w.State(), player.ID))
			}
			w.Step()
		}
		if players := w.State().Players; random.IntN(2) == 0 {
			w.Leave(players[random.IntN(len(players))].ID)
		}
		w.Step()
		states = append(states, w.State())
		delta := world.Diff(states[len(states)-2], states[len(states)-1])
		frames = append(frames, arena.Frame{Delta: &delta})
	}
	got := eval[[]world.State](t, p, fmt.Sprintf(`(() => {
		let state = timeline.apply(undefined, %s);
		return %s.map((frame) => (state = timeline.apply(state, frame)));
	})()`, jsonOf(t, arena.Frame{State: &states[0]}), jsonOf(t, frames)))
	for i, want := range states[1:] {
		if got := got[i]; got.Tick != want.Tick || !slices.Equal(got.Players, want.Players) || !slices.Equal(got.Gems, want.Gems) {
			t.Fatalf("the state %d is %+v, want %+v", i, got, want)
		}
	}
}

// A timeline shows what was 100 ms ago by the clock of the ticks, however they arrive.
func TestArenaTimeline(t *testing.T) {
	p := openTimeline(t)
	for _, test := range []struct {
		name     string
		arrivals string // [tick, milliseconds after the tick was made], in a row; a player is at 30 times the tick
		tick     float64
		want     int
	}{
		{"nothing yet", `[]`, 0, -1},
		{"between two states", `[[1, 0], [2, 0], [3, 0]]`, 2.5, 75},
		{"at a state", `[[1, 0], [2, 0], [3, 0]]`, 2, 60},
		{"before the first", `[[5, 0], [6, 0]]`, 1, 150},
		{"behind the last", `[[1, 0], [2, 0]]`, 9, 60},
		{"several ticks as one", `[[1, 0], [5, 0]]`, 3, 90},
		{"a late state", `[[1, 0], [2, 0], [3, 90], [4, 0]]`, 2.5, 75},
		{"a clock that is slow from now on", `[[1, 0], [2, 500], [3, 500]]`, 2.5 + 15, 75},
		{"a backlog behind a cut", `[[1, 0], [2, 500], [3, 400], [30, 0], [31, 0]]`, 30.5, 915},
	} {
		got := eval[float64](t, p, fmt.Sprintf(`(() => {
			const shown = new timeline.Timeline(), tick = 1000 / 30;
			for (const [n, late] of %s) shown.add({ tick: n, players: [{ id: 1, x: 30 * n, y: 0 }], gems: [] }, 5000 + n * tick + late);
			return shown.at(5000 + %v * tick + 100)?.players[0].x ?? -1;
		})()`, test.arrivals, test.tick))
		if got < float64(test.want)-2 || got > float64(test.want)+2 { // the clock creeps
			t.Errorf("%s: %v, want about %d", test.name, got, test.want)
		}
	}
}
