package flow_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/flow"
)

// A link carries one stream: an item each spacing, which arrives half a round trip
// later, as grants do.
type link struct {
	spacing, oneWay time.Duration
	size            int // of each item

	credit  flow.Credit
	window  flow.Window
	items   []time.Time // when each in flight arrives
	grants  []sentGrant
	starved bool
}

type sentGrant struct {
	due          time.Time
	taken        uint64
	items, bytes int
}

// carry returns how long so many items take, with a producer and a consumer that are
// faster than the link.
func (l *link) carry(t *testing.T, n int) time.Duration {
	l.credit = flow.NewCredit(flow.InitialItems, flow.InitialBytes)
	l.window = flow.NewWindow(flow.InitialItems, flow.InitialBytes)
	start := time.Now()
	for sent, taken := 0, 0; taken < n; time.Sleep(l.spacing) {
		l.grant(t)
		if sent < n && l.credit.Allows(l.size) {
			l.credit.Spend(l.size)
			l.items = append(l.items, time.Now().Add(l.oneWay))
			sent++
		}
		taken += l.take(t)
	}
	return time.Since(start)
}

// grant has the producer get the grants that have arrived.
func (l *link) grant(t *testing.T) {
	for len(l.grants) > 0 && !time.Now().Before(l.grants[0].due) {
		g := l.grants[0]
		if err := l.credit.Grant(g.taken, g.items, g.bytes); err != nil {
			t.Fatal(err)
		}
		l.grants = l.grants[1:]
	}
}

// take has the consumer take what has arrived, and returns how many items.
func (l *link) take(t *testing.T) (n int) {
	for ; len(l.items) > 0 && !time.Now().Before(l.items[0]); l.items = l.items[1:] {
		if !l.window.Receive(l.size) {
			t.Fatal("an item that the credit allowed is refused")
		}
		if l.starved {
			l.window.Refill()
			l.starved = false
		}
		if l.window.Take(l.size) {
			taken, items, bytes := l.window.Grant()
			l.grants = append(l.grants, sentGrant{time.Now().Add(l.oneWay), taken, items, bytes})
		}
		n++
	}
	if !l.starved {
		l.window.Starve()
		l.starved = true
	}
	return n
}

// Where a link and not the producer is slow, items come one by one, and the consumer
// waits for each. A window grows then nevertheless until it holds what a round trip
// carries, whatever the sizes of items.
func TestWindowGrowsWithTheLink(t *testing.T) {
	const roundTrip = 50 * time.Millisecond
	for _, test := range []struct {
		items, size int
		spacing     time.Duration
	}{
		{5000, 10, 160 * time.Microsecond},
		{5000, 600, 160 * time.Microsecond},
		{5000, 1000, 160 * time.Microsecond}, // 50 Mbit/s
		{5000, 1024, 160 * time.Microsecond},
		{2000, 1000, 800 * time.Microsecond}, // 10 Mbit/s
		{500, 20_000, 3200 * time.Microsecond},
		{300, 50_000, 8 * time.Millisecond},
		{200, 80_000, 13 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d B each %v", test.size, test.spacing), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &link{spacing: test.spacing, oneWay: roundTrip / 2, size: test.size}
				took := l.carry(t, test.items)
				if most := time.Duration(test.items)*test.spacing + 15*roundTrip; took > most {
					t.Errorf("%d items of %d bytes take %v, want %v at most", test.items, test.size, took, most)
				}
			})
		})
	}
}
