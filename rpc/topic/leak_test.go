package topic

import (
	"fmt"
	"testing"
)

// Names that clients make up leave nothing behind, whether they are read, subscribed to or
// left.
func TestNamesCostNothing(t *testing.T) {
	bus := &Memory{}
	for i := range 100 {
		to := New[int](bus, Name("made-up", fmt.Sprint(i)))
		to.Last(t.Context())
		to.Back(t.Context(), 1)
		next, stop := bus.Follow(to.name)
		next()
		_, stopOther := bus.Follow(to.name)
		stop()
		stop() // again, without effect
		if len(bus.topics) != 1 {
			t.Fatalf("%d topics while one is followed", len(bus.topics))
		}
		stopOther()
	}
	if len(bus.topics) != 0 {
		t.Errorf("%d topics are left", len(bus.topics))
	}
}
