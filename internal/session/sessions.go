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

	mu       sync.Mutex
	byID     map[string]*Session
	waiting  *list.List // of *wait, the longest first
	waits    map[*Session]*list.Element
	bytes    int
	byPerson map[string]int // how many of those that wait
}

// A sessionWait is a session that waits for its client.
type sessionWait struct {
	session *Session
	owner   string
	bytes   int
}

// registryBounds are how long, and within which bounds, sessions wait for their
// clients: rpc.SessionOptions, which documents them.
type RegistryBounds struct {
	Window                                         time.Duration
	MaxDetached, MaxDetachedBytes, MaxPerPrincipal int
}

func NewRegistry(b RegistryBounds) *Registry {
	return &Registry{
		bounds:   b,
		byID:     make(map[string]*Session),
		waiting:  list.New(),
		waits:    make(map[*Session]*list.Element),
		byPerson: make(map[string]int),
	}
}

// open makes c resumable and tells its client how.
func (ss *Registry) open(c *Session, peerKeeps int, answer *hello) {
	r := &resumption{id: randomText(12), window: ss.bounds.Window, owner: c.Principal}
	secret := randomText(24)
	r.secret = sha256.Sum256([]byte(secret))
	answer.Session, answer.Window, answer.Replay = r.id+"."+secret, r.window.Milliseconds(), int64(c.Limits.ReplayBytes)
	c.resumable(r, c.Limits.ReplayBytes, peerKeeps, 1)
	c.out.grown = func(n int) { ss.grown(c, n) }
	c.update(func(s *connState) {
		if s.ended {
			return
		}
		ss.mu.Lock()
		defer ss.mu.Unlock()
		ss.byID[r.id] = c
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
func (ss *Registry) find(o *Opening, params *resumeParams) *Session {
	if ss == nil {
		return nil
	}
	id, secret, _ := strings.Cut(params.Session, ".")
	sum := sha256.Sum256([]byte(secret))
	ss.mu.Lock()
	c := ss.byID[id]
	ss.mu.Unlock()
	if c == nil || c.Format != o.form {
		return nil
	}
	r := c.resume.Load()
	if subtle.ConstantTimeCompare(sum[:], r.secret[:]) == 0 || o.principal != r.owner || !r.accept(uint64(params.Attempt)) {
		return nil
	}
	return c
}

// accept reports whether an attempt comes after all that were accepted before,
// and is accepted then.
func (r *resumption) accept(attempt uint64) bool {
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

// detached hears that c waits for its client. Those that have waited longest are
// given up where there are too many.
func (ss *Registry) detached(c *Session) {
	r := c.resume.Load()
	w := &sessionWait{session: c, owner: r.owner, bytes: c.held()}
	var over []*Session
	ss.mu.Lock()
	if ss.byID[r.id] != c { // it has ended meanwhile
		ss.mu.Unlock()
		return
	}
	ss.waits[c] = ss.waiting.PushBack(w)
	ss.bytes += w.bytes
	ss.byPerson[w.owner]++
	if w.owner != "" && ss.byPerson[w.owner] > ss.bounds.MaxPerPrincipal {
		for e := ss.waiting.Front(); ; e = e.Next() {
			if e.Value.(*sessionWait).owner == w.owner {
				over = append(over, ss.forget(e))
				break
			}
		}
	}
	over = append(over, ss.overLimit()...)
	ss.mu.Unlock()
	giveUpOn(over)
}

// overLimit takes those off that are too many. The mutex is held.
func (ss *Registry) overLimit() (over []*Session) {
	for ss.waiting.Len() > ss.bounds.MaxDetached || ss.bytes > ss.bounds.MaxDetachedBytes && ss.waiting.Len() > 0 {
		over = append(over, ss.forget(ss.waiting.Front()))
	}
	return over
}

func giveUpOn(over []*Session) {
	for _, c := range over {
		c.expire(fmt.Errorf("%w: too many sessions wait for their clients", errSessionLost))
	}
}

// grown hears that a session has n bytes more to send when its client is back.
// Its outbox's mutex is held.
func (ss *Registry) grown(c *Session, n int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if e := ss.waits[c]; e != nil {
		e.Value.(*sessionWait).bytes += n
		ss.bytes += n
	}
	if over := ss.overLimit(); over != nil {
		go giveUpOn(over)
	}
}

// forget takes a session off those that wait. The mutex is held.
func (ss *Registry) forget(e *list.Element) *Session {
	w := ss.waiting.Remove(e).(*sessionWait)
	delete(ss.waits, w.session)
	ss.bytes -= w.bytes
	if ss.byPerson[w.owner]--; ss.byPerson[w.owner] == 0 {
		delete(ss.byPerson, w.owner)
	}
	return w.session
}

// attached hears that c's client has come back.
func (ss *Registry) attached(c *Session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if e := ss.waits[c]; e != nil {
		ss.forget(e)
	}
}

// ended hears that c is no more.
func (ss *Registry) ended(c *Session) {
	r := c.resume.Load()
	if r == nil {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.byID, r.id)
	if e := ss.waits[c]; e != nil {
		ss.forget(e)
	}
}

// What a session takes that waits for its client with nothing in flight, and what
// each call and stream of it does besides: goroutines, contexts, buffers. A
// notification that waits takes less.
const (
	sessionCost = 16 << 10
	workCost    = 8 << 10
	noteCost    = 512
)

// held is how many bytes a session holds for both sides, roughly.
func (c *Session) held() int {
	work, notes := 0, 0
	c.update(func(s *connState) {
		work = len(s.calls) + s.handlers + s.cleanups + len(s.sinks) + s.sources
		notes = s.notes.held()
	})
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return sessionCost + work*workCost + notes + c.resume.Load().sent.Held() + int(c.buffered.Load()) + c.out.first.size() + c.out.items
}
