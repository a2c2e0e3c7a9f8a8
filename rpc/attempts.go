package rpc

import (
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
)

// attempts counts the attempts to connect and decides their delays.
type attempts struct {
	failed int           // in a row, since a connection was useful
	brief  int           // useful connections in a row that were lost within a second
	least  time.Duration // least delay before the next attempt, as the server asked
}

// proven is how long a connection must last to count as useful even if it carried
// nothing.
const proven = 5 * time.Second

// judge starts the backoff anew if the lost connection was useful. If useful
// connections are lost within a second again and again, the delays grow nevertheless,
// up to a second and MaxDelay. After a breach of the protocol the connection must have
// lasted for longest.
func (a *attempts) judge(carried, breached bool, lasted, longest time.Duration) {
	switch {
	case breached && lasted < longest:
		return
	case carried || lasted >= proven:
		a.failed = 0
	}
	if carried && lasted < time.Second {
		a.brief++
	} else {
		a.brief = 0
	}
}

// next counts an attempt, and returns how long to wait before it.
func (a *attempts) next(r *Reconnect) time.Duration {
	d := r.delay(a.failed)
	a.failed++
	if a.brief > 1 {
		d = max(d, backoff.Doubled(r.MinDelay, min(time.Second, r.MaxDelay), a.brief-1))
	}
	d = max(d, a.least)
	a.least = 0
	return d
}
