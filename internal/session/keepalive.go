package session

import (
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// A keepAlive detects a silent peer. Its timer's goroutine owns the fields without
// another note.
type keepAlive struct {
	silence
	session *Session
	timer   *time.Timer // runs check; nil without an idle timeout
}

// A silence counts for how long a peer has been silent.
type silence struct {
	active       atomic.Bool // something has arrived since the last check
	silentChecks int         // consecutive checks without anything
	lastProgress int64       // see takesData
}

// maxSilentChecks is after how many of them a peer is cut off.
const maxSilentChecks = 3

// note counts a check of the peer of t, which may be nil, and returns how many have found
// it silent in a row.
func (s *silence) note(t transport.Transport) int {
	if s.active.Swap(false) || t == nil || s.takesData(t) {
		s.silentChecks = 0
	} else {
		s.silentChecks++
	}
	return s.silentChecks
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
	checks := k.note(t)
	if checks > 0 {
		s.reader.silent.Store(true)
	}
	switch {
	case checks >= maxSilentChecks && !s.detach(t, errSilent):
		s.Fail(errSilent, transport.CloseTimeout)
		t.Close()
		return
	case checks == 0 || checks >= maxSilentChecks:
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
func (s *silence) takesData(t transport.Transport) bool {
	taken, more := t.Progress()
	moved := taken != s.lastProgress
	s.lastProgress = taken
	return moved && more
}
