package rpc

import (
	"testing"

	"github.com/wirecall/wirecall/internal/session"
)

// The error of a Shutdown counts everything, and names the methods that have most of it.
func TestUnfinishedWork(t *testing.T) {
	var u unfinishedWork
	if got := u.String(); got != "" {
		t.Errorf("nothing is %q", got)
	}
	tick := &pump{method: &Method{Name: "Test.Tick"}}
	u.add(session.InFlight{
		Calls: []string{"A", "B", "C", "D", "E", "E", "F"}, Notifications: []string{"N"},
		Sent: []session.Producer{tick, tick}, Made: 2, Received: 1,
	})
	u.add(session.InFlight{Calls: []string{"C", "C"}, Received: 1})
	const want = ", 11 calls (C: 3, E: 2, to clients: 2, A: 1, and 3 methods more), 4 streams (Test.Tick: 2, from clients: 2), 1 notification (N: 1)"
	if got := u.String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
