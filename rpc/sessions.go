package rpc

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
type sessions struct {
	bounds registryBounds

	mu       sync.Mutex
	byID     map[string]*session
	waiting  *list.List // of *wait, the longest first
	waits    map[*session]*list.Element
	bytes    int
	byPerson map[string]int // how many of those that wait
}

// A sessionWait is a session that waits for its client.
type sessionWait struct {
	session *session
	owner   string
	bytes   int
}

// registryBounds are how long, and within which bounds, sessions wait for their
// clients: rpc.SessionOptions, which documents them.
type registryBounds struct {
	Window                                         time.Duration
	MaxDetached, MaxDetachedBytes, MaxPerPrincipal int
}

func newSessions(b registryBounds) *sessions {
	return &sessions{
		bounds:   b,
		byID:     make(map[string]*session),
		waiting:  list.New(),
		waits:    make(map[*session]*list.Element),
		byPerson: make(map[string]int),
	}
}

// open makes c resumable and tells its client how.
func (ss *sessions) open(c *session, peerKeeps int, answer *hello) {
	r := &resumption{id: randomText(12), window: ss.bounds.Window, owner: c.principal}
	secret := randomText(24)
	r.secret = sha256.Sum256([]byte(secret))
	answer.Session, answer.Window, answer.Replay = r.id+"."+secret, r.window.Milliseconds(), int64(c.limits.ReplayBytes)
	c.resumable(r, c.limits.ReplayBytes, peerKeeps, 1)
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
func (ss *sessions) find(o *opening, params *resumeParams) *session {
	if ss == nil {
		return nil
	}
	id, secret, _ := strings.Cut(params.Session, ".")
	sum := sha256.Sum256([]byte(secret))
	ss.mu.Lock()
	c := ss.byID[id]
	ss.mu.Unlock()
	if c == nil || c.form != o.form {
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
func (ss *sessions) detached(c *session) {
	r := c.resume.Load()
	w := &sessionWait{session: c, owner: r.owner, bytes: c.held()}
	var over []*session
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
func (ss *sessions) overLimit() (over []*session) {
	for ss.waiting.Len() > ss.bounds.MaxDetached || ss.bytes > ss.bounds.MaxDetachedBytes && ss.waiting.Len() > 0 {
		over = append(over, ss.forget(ss.waiting.Front()))
	}
	return over
}

func giveUpOn(over []*session) {
	for _, c := range over {
		c.expire(fmt.Errorf("%w: too many sessions wait for their clients", errSessionLost))
	}
}

// grown hears that a session has n bytes more to send when its client is back.
// Its outbox's mutex is held.
func (ss *sessions) grown(c *session, n int) {
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
func (ss *sessions) forget(e *list.Element) *session {
	w := ss.waiting.Remove(e).(*sessionWait)
	delete(ss.waits, w.session)
	ss.bytes -= w.bytes
	if ss.byPerson[w.owner]--; ss.byPerson[w.owner] == 0 {
		delete(ss.byPerson, w.owner)
	}
	return w.session
}

// attached hears that c's client has come back.
func (ss *sessions) attached(c *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if e := ss.waits[c]; e != nil {
		ss.forget(e)
	}
}

// ended hears that c is no more.
func (ss *sessions) ended(c *session) {
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
func (c *session) held() int {
	work, notes := 0, 0
	c.update(func(s *connState) {
		work = len(s.calls) + s.handlers + s.cleanups + len(s.sinks) + s.sources
		notes = s.notes.held()
	})
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return sessionCost + work*workCost + notes + c.resume.Load().sent.Held() + int(c.buffered.Load()) + c.out.first.size() + c.out.items
}
