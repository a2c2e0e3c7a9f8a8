package rpc

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/session"
)

// unfinishedWork counts, by method, what was in flight when a Shutdown ended.
type unfinishedWork struct{ calls, streams, notifications tally }

// A tally has a count for each method.
type tally map[string]int

func (t *tally) add(method string, n int) {
	if *t == nil {
		*t = make(tally)
	}
	if n > 0 {
		(*t)[method] += n
	}
}

func (u *unfinishedWork) add(f session.InFlight) {
	for _, method := range f.Calls {
		u.calls.add(method, 1)
	}
	for _, p := range f.Sent {
		if p, ok := p.(*pump); ok {
			u.streams.add(p.method.Name, 1)
		}
	}
	for _, method := range f.Notifications {
		u.notifications.add(method, 1)
	}
	u.calls.add("to clients", f.Made)
	u.streams.add("from clients", f.Received)
}

// String returns the counts for an error.
func (u *unfinishedWork) String() string {
	var b strings.Builder
	for _, kind := range []struct {
		name string
		of   tally
	}{{"call", u.calls}, {"stream", u.streams}, {"notification", u.notifications}} {
		if len(kind.of) > 0 {
			fmt.Fprintf(&b, ", %s (%v)", counted(kind.of.sum(), kind.name), kind.of)
		}
	}
	return b.String()
}

func (t tally) sum() (n int) {
	for _, count := range t {
		n += count
	}
	return n
}

// maxMethods is how many methods of a tally are named.
const maxMethods = 4

// String returns the counts of the methods that have most.
func (t tally) String() string {
	methods := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b))
	})
	var parts []string
	for i, m := range methods {
		if i == maxMethods {
			parts = append(parts, fmt.Sprintf("and %s more", counted(len(methods)-i, "method")))
			break
		}
		parts = append(parts, fmt.Sprintf("%s: %d", m, t[m]))
	}
	return strings.Join(parts, ", ")
}

// counted returns "1 call" or "2 calls".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
