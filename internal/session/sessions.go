package session

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"
)

// sessions are those of a server that can be resumed.
type Registry struct {
	bounds RegistryBounds

	mu           sync.Mutex
	byID         map[string]*Session
	detached     *list.List // of *wait, the longest first
	elements     map[*Session]*list.Element
	bytes        int
	perPrincipal map[string]int // how many of those that wait
}

// A sessionWait is a session that waits for its client.
type sessionWait struct {
	session   *Session
	principal string
	bytes     int
	work      int // of the bytes, those of Session.workBytes. The session's mutex guards it
}

// registryBounds are how long, and within which bounds, sessions wait for their
// clients: rpc.SessionOptions, which documents them.
type RegistryBounds struct {
	Window                                         time.Duration
	MaxDetached, MaxDetachedBytes, MaxPerPrincipal int
}

func NewRegistry(b RegistryBounds) *Registry {
	return &Registry{
		bounds:       b,
		byID:         make(map[string]*Session),
		detached:     list.New(),
		elements:     make(map[*Session]*list.Element),
		perPrincipal: make(map[string]int),
	}
}

// open makes c resumable and tells its client how.
func (reg *Registry) register(s *Session, peerKeeps int, answer *hello) {
	r := &resumption{id: randomText(12), window: reg.bounds.Window, principal: s.Principal}
	secret := randomText(24)
	r.secret = sha256.Sum256([]byte(secret))
	answer.Session, answer.Window, answer.Replay = r.id+"."+secret, r.window.Milliseconds(), int64(s.Limits.ReplayBytes)
	s.enableResumption(r, s.Limits.ReplayBytes, peerKeeps, 1)
	s.queue.onGrow = func(n int) { reg.addBytes(s, n) }
	s.update(func(st *sessionState) {
		if st.ended {
			return
		}
		reg.mu.Lock()
		defer reg.mu.Unlock()
		reg.byID[r.id] = s
	})
}

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// find returns the session that a request to resume is for, if the client of o may
// have it, otherwise nil. A request that is older than one already accepted may not:
// it was written for a transport that the client has left since, and has come late.
func (reg *Registry) findForResume(o *Opening, params *resumeParams) *Session {
	if reg == nil {
		return nil
	}
	id, secret, _ := strings.Cut(params.Session, ".")
	sum := sha256.Sum256([]byte(secret))
	reg.mu.Lock()
	s := reg.byID[id]
	reg.mu.Unlock()
	if s == nil || s.Format != o.form {
		return nil
	}
	r := s.resumption.Load()
	if subtle.ConstantTimeCompare(sum[:], r.secret[:]) == 0 || o.principal != r.principal || !r.acceptAttempt(uint64(params.Attempt)) {
		return nil
	}
	return s
}

// accept reports whether an attempt comes after all that were accepted before,
// and is accepted then.
func (r *resumption) acceptAttempt(attempt uint64) bool {
	for {
		last := r.attempt.Load()
		if attempt <= last {
			return false
		}
		if r.attempt.CompareAndSwap(last, attempt) {
			return true
		}
	}
}

// addDetached adds a session that waits for its client, unless it no longer does. Those
// that have waited longest are given up if there are too many.
func (reg *Registry) addDetached(s *Session) {
	var over []*Session
	s.update(func(st *sessionState) {
		if !st.ended && !st.attached && st.wait == nil {
			over = reg.insertDetached(s)
		}
	})
	expireAll(over)
}

// insertDetached adds s, whose mutex is held, and returns the sessions that are too many.
func (reg *Registry) insertDetached(s *Session) (over []*Session) {
	r := s.resumption.Load()
	w := &sessionWait{session: s, principal: r.principal, work: s.workBytes()}
	s.state.wait = w
	s.queue.mu.Lock() // from its own bytes until it is added none may be put
	defer s.queue.mu.Unlock()
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if reg.byID[r.id] != s {
		return nil
	}
	w.bytes = sessionCost + w.work + r.sent.Held() + s.queue.messages.size() + s.queue.itemBytes
	reg.elements[s] = reg.detached.PushBack(w)
	reg.bytes += w.bytes
	reg.perPrincipal[w.principal]++
	if w.principal != "" && reg.perPrincipal[w.principal] > reg.bounds.MaxPerPrincipal {
		for e := reg.detached.Front(); ; e = e.Next() {
			if e.Value.(*sessionWait).principal == w.principal {
				over = append(over, reg.removeDetached(e))
				break
			}
		}
	}
	return append(over, reg.overLimit()...)
}

// overLimit takes those off that are too many. The mutex is held.
func (reg *Registry) overLimit() (over []*Session) {
	for reg.detached.Len() > reg.bounds.MaxDetached || reg.bytes > reg.bounds.MaxDetachedBytes && reg.detached.Len() > 0 {
		over = append(over, reg.removeDetached(reg.detached.Front()))
	}
	return over
}

func expireAll(over []*Session) {
	for _, s := range over {
		s.expire(fmt.Errorf("%w: too many sessions wait for their clients", errSessionLost))
	}
}

// addBytes counts n bytes more, or less, for a session if it waits. Its mutex or that of
// its send queue is held.
func (reg *Registry) addBytes(s *Session, n int) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if e := reg.elements[s]; e != nil {
		e.Value.(*sessionWait).bytes += n
		reg.bytes += n
	}
	if over := reg.overLimit(); over != nil {
		go expireAll(over)
	}
}

// recount counts what is in flight in a session that waits. Its mutex is held.
func (reg *Registry) recount(w *sessionWait) {
	if work := w.session.workBytes(); work != w.work {
		reg.addBytes(w.session, work-w.work)
		w.work = work
	}
}

// forget takes a session off those that wait. The mutex is held.
func (reg *Registry) removeDetached(e *list.Element) *Session {
	w := reg.detached.Remove(e).(*sessionWait)
	delete(reg.elements, w.session)
	reg.bytes -= w.bytes
	if reg.perPrincipal[w.principal]--; reg.perPrincipal[w.principal] == 0 {
		delete(reg.perPrincipal, w.principal)
	}
	return w.session
}

// attached hears that c's client has come back.
func (reg *Registry) attach(s *Session) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if e := reg.elements[s]; e != nil {
		reg.removeDetached(e)
	}
}

// ended hears that c is no more.
func (reg *Registry) remove(s *Session) {
	r := s.resumption.Load()
	if r == nil {
		return
	}
	reg.mu.Lock()
	defer reg.mu.Unlock()
	delete(reg.byID, r.id)
	if e := reg.elements[s]; e != nil {
		reg.removeDetached(e)
	}
}

// What a session takes that waits for its client with nothing in flight, and what
// each call and stream of it does besides: goroutines, contexts, buffers. A
// notification that waits takes less.
const (
	sessionCost      = 16 << 10
	workCost         = 8 << 10
	notificationCost = 512
)

// workBytes returns how many bytes a session holds for what is in flight in it, roughly.
// Its mutex is held.
func (s *Session) workBytes() int {
	st := &s.state
	work := len(st.calls) + st.handlers + st.cleanups + len(st.recvStreams) + st.sendStreams
	return work*workCost + st.notifications.heldBytes() + int(s.buffered.Load())
}
