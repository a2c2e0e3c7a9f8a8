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

// A Registry holds the sessions of a server that can be resumed, and bounds those that
// are detached.
type Registry struct {
	bounds RegistryBounds

	mu           sync.Mutex
	byID         map[string]*Session
	detached     *list.List // of *sessionWait; the session detached for longest is first
	elements     map[*Session]*list.Element
	bytes        int
	perPrincipal map[string]int // how many are detached
}

// A sessionWait is the entry of a detached session.
type sessionWait struct {
	session   *Session
	principal string
	bytes     int
	work      int // the part of bytes that is workBytes; guarded by the session's mutex
}

// RegistryBounds bound how long sessions may stay detached, and how many;
// rpc.SessionOptions documents them.
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

// register makes s resumable and adds its token to the answer to hello.
func (reg *Registry) register(s *Session, peerKeeps int, answer *hello) {
	r := &resumption{id: randomText(12), window: reg.bounds.Window, principal: s.Principal}
	secret := randomText(24)
	r.secret = sha256.Sum256([]byte(secret))
	answer.Session, answer.Window, answer.Replay = r.id+"."+secret, r.window.Milliseconds(), int64(s.Limits.ReplayBytes)
	s.enableResumption(r, s.Limits.ReplayBytes, peerKeeps, 1)
	s.queue.onGrow = func(n int) { reg.addBytes(s, n) }
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != ended {
		reg.mu.Lock()
		defer reg.mu.Unlock()
		reg.byID[r.id] = s
	}
}

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// findForResume returns the session that a request to resume names, or nil if the client
// of o is not entitled to it. A request older than one that was accepted is refused: the
// client wrote it for a transport that it has left since.
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

// acceptAttempt accepts an attempt if its number exceeds those of all attempts accepted
// before.
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

// addDetached adds a session, if it is still detached. If there are too many, it ends
// those detached for longest.
func (reg *Registry) addDetached(s *Session) {
	var over []*Session
	s.mu.Lock()
	if s.phase == detached && s.wait == nil {
		over = reg.insertDetached(s)
	}
	s.mu.Unlock()
	expireAll(over)
}

// insertDetached adds s, whose mutex must be held, and returns the sessions above the
// bounds.
func (reg *Registry) insertDetached(s *Session) (over []*Session) {
	r := s.resumption.Load()
	w := &sessionWait{session: s, principal: r.principal, work: workBytes(s)}
	s.wait = w
	s.queue.mu.Lock() // nothing may be put between the count of its bytes and its insertion
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

// overLimit removes and returns the sessions above the bounds. The mutex must be held.
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

// addBytes adds n, which may be negative, to the bytes of a detached session. The
// session's mutex or that of its send queue must be held.
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

// recount updates the bytes of a detached session for what is in flight. The session's
// mutex must be held.
func (reg *Registry) recount(w *sessionWait) {
	if work := workBytes(w.session); work != w.work {
		reg.addBytes(w.session, work-w.work)
		w.work = work
	}
}

// removeDetached removes an entry and returns its session. The mutex must be held.
func (reg *Registry) removeDetached(e *list.Element) *Session {
	w := reg.detached.Remove(e).(*sessionWait)
	delete(reg.elements, w.session)
	reg.bytes -= w.bytes
	if reg.perPrincipal[w.principal]--; reg.perPrincipal[w.principal] == 0 {
		delete(reg.perPrincipal, w.principal)
	}
	return w.session
}

// attach removes the entry of s, which has a transport again.
func (reg *Registry) attach(s *Session) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if e := reg.elements[s]; e != nil {
		reg.removeDetached(e)
	}
}

// remove removes s, which has ended.
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

// The approximate cost in bytes of a detached session with nothing in flight, of each
// call and stream of it (goroutines, contexts, buffers), and of each queued
// notification.
const (
	sessionCost      = 16 << 10
	workCost         = 8 << 10
	notificationCost = 512
)

// workBytes returns the approximate size in bytes of what a session has in flight.
func workBytes(s *Session) int {
	return s.work.count()*workCost + s.notifications.held() + int(s.buffered.Load())
}
