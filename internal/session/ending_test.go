package session

import (
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/racing"
)

// A session that is cut while a shutdown comes to it ends, whatever comes first: no
// client can take it up any more, and Shutdown would wait for its window.
func TestCutWhileShutdownBegins(t *testing.T) {
	ss := testRegistry()
	for i := range 20_000 {
		c, l := detachedSession(ss), &breaking{}
		c.state.handlers = 1 // that runs until its context ends
		if err := c.attach(l, &resumeParams{}, nil); err != nil {
			t.Fatal(err)
		}
		asked := racing.Meanwhile(i, func() { c.Goaway(time.Time{}) })
		if !c.detach(l, errTaken) {
			c.gone(l, errTaken)
		}
		<-asked
		if c.stopReading(); c.Err() == nil {
			t.Fatal("nobody ends the session")
		}
	}
}
