package session

import (
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/racing"
)

// A session that is cut while a shutdown begins ends in either order: no client could
// resume it, and Shutdown would wait for its window.
func TestCutWhileShutdownBegins(t *testing.T) {
	reg := testRegistry()
	for i := range 20_000 {
		s, tr := detachedSession(reg), &breaking{}
		s.addWork(1) // a handler that runs until its context ends
		if err := s.resumption.Load().attach(tr, &resumeParams{}, nil); err != nil {
			t.Fatal(err)
		}
		asked := racing.Meanwhile(i, func() { s.Goaway(time.Time{}) })
		if !s.detach(tr, errTaken) {
			s.peerGone(tr, errTaken)
		}
		<-asked
		if s.stopReading(); s.Err() == nil {
			t.Fatal("nobody ends the session")
		}
	}
}
