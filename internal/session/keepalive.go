package session

import (
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// A keepAlive detects a silent peer. Its timer's goroutine owns the fields without
// another note.
type keepAlive struct {
	session      *Session
	timer        *time.Timer // runs check; nil without an idle timeout
	active       atomic.Bool // something has arrived since the last check
	silentChecks int         // consecutive checks without anything
	lastProgress int64       // see takesData
}

// check pings a silent peer, treats one that stays silent as cut off, and cancels
// unreferenced streams. It runs on the keep-alive timer's goroutine.
func (k *keepAlive) check() {
	s := k.session
	s.recv.cancelUnreferenced()
	var t transport.Transport
	s.mu.Lock()
	if s.phase == attached || s.phase == draining {
		t = s.transport
	}
	s.mu.Unlock()
	if k.active.Swap(false) || t == nil || k.takesData(t) {
		k.silentChecks = 0
	} else {
		k.silentChecks++
		s.reader.silent.Store(true)
	}
	switch {
	case k.silentChecks >= 3 && !s.detach(t, errSilent):
		s.Fail(errSilent, transport.CloseTimeout)
		t.Close()
		return
	case k.silentChecks == 0 || k.silentChecks >= 3:
	case !s.dialect.ping(t):
		k.silentChecks = 0 // plain lines have no ping: the silence proves nothing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != ended {
		k.timer.Reset(s.Limits.IdleTimeout / 3)
	}
}

// takesData reports whether the peer has received some, and not all, of what waits in
// the system's buffers since the last call. If so, its answer to a ping may be delayed
// by the rest.
func (k *keepAlive) takesData(t transport.Transport) bool {
	taken, more := t.Progress()
	moved := taken != k.lastProgress
	k.lastProgress = taken
	return moved && more
}
