package flow_test

import (
	"math/rand/v2"
	"testing"

	"github.com/wirecall/wirecall/internal/flow"
)

// A producer sends what its credit allows, and a consumer takes what has come: none
// of it is refused, and neither waits for the other for ever, whatever the sizes of
// items and windows and however late grants arrive.
func TestCreditAgreesWithWindow(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		credit := flow.NewCredit(flow.InitialItems, flow.InitialBytes)
		window := flow.NewWindow(1+r.IntN(300), 1+r.IntN(300<<10))
		type grant struct {
			taken        uint64
			items, bytes int
		}
		var grants []grant
		var received []int
		for left, size := 2000, r.IntN(50_000); left > 0; {
			switch {
			case credit.Allows(size) && r.IntN(2) > 0:
				credit.Spend(size)
				if !window.Receive(size) {
					t.Fatalf("seed %d: an item of %d bytes is over the window, though the credit allows it", seed, size)
				}
				received = append(received, size)
				left, size = left-1, r.IntN(50_000)
			case len(grants) > 0 && r.IntN(2) > 0:
				if err := credit.Grant(grants[0].taken, grants[0].items, grants[0].bytes); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				grants = grants[1:]
			case len(received) > 0:
				if window.Take(received[0]) {
					taken, items, bytes := window.Grant()
					grants = append(grants, grant{taken, items, bytes})
				}
				received = received[1:]
			case len(grants) == 0 && !credit.Allows(size):
				t.Fatalf("seed %d: the stream stands still with %d items to send", seed, left)
			}
		}
	}
}

func TestWindowRefusesWhatWasNotGranted(t *testing.T) {
	window := flow.NewWindow(flow.InitialItems, flow.InitialBytes)
	for range flow.InitialItems {
		if !window.Receive(1) {
			t.Fatal("an item within the window is refused")
		}
	}
	if window.Receive(1) {
		t.Error("an item over the window is accepted")
	}
	if held := window.Held(); held != flow.InitialItems+1 {
		t.Errorf("%d bytes are held, want %d", held, flow.InitialItems+1)
	}
	window = flow.NewWindow(flow.InitialItems, flow.InitialBytes)
	if !window.Receive(flow.InitialBytes / 2) {
		t.Fatal("an item within the window is refused")
	}
	if window.Receive(flow.InitialBytes) {
		t.Error("an item over the window's bytes is accepted")
	}
}

func TestGrants(t *testing.T) {
	credit := flow.NewCredit(2, 100)
	credit.Spend(10)
	if err := credit.Grant(2, 5, 100); err == nil {
		t.Error("a grant for an item that was not sent is accepted")
	}
	credit.Spend(10)
	if credit.Allows(1) {
		t.Error("a third item is allowed of two")
	}
	if err := credit.Grant(2, 1<<30, 100); err != nil || !credit.Allows(1) {
		t.Errorf("Grant: %v, and an item allowed: %v", err, credit.Allows(1))
	}
	for range flow.MaxItems {
		credit.Spend(0)
	}
	if credit.Allows(0) {
		t.Error("more than MaxItems are allowed to be in flight")
	}
	if err := credit.Grant(1, 1, 1); err != nil {
		t.Errorf("an older grant: %v", err)
	}
}

// BenchmarkItem is what flow control costs an item, both sides together.
func BenchmarkItem(b *testing.B) {
	c := flow.NewCredit(flow.InitialItems, flow.InitialBytes)
	w := flow.NewWindow(flow.InitialItems, flow.InitialBytes)
	const size = 50
	b.ReportAllocs()
	for b.Loop() {
		if !c.Allows(size) {
			b.Fatal("no credit")
		}
		c.Spend(size)
		if !w.Receive(size) {
			b.Fatal("overrun")
		}
		if w.Take(size) {
			taken, items, bytes := w.Grant()
			if err := c.Grant(taken, items, bytes); err != nil {
				b.Fatal(err)
			}
		}
	}
}
