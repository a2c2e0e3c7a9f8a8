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

	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/wire"
)

// A Registry holds the sessions of a server that can be resumed, and bounds those that
// are detached.
type Registry struct {
	bounds RegistryBounds
	nodes  relay.Nodes // the nodes of the server's cluster; nil if it is in none
	node   string      // the name of the server's; empty if it is in none

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

// NewRegistry returns a registry of a server that is one of nodes, which may be nil.
func NewRegistry(b RegistryBounds, nodes relay.Nodes) *Registry {
	reg := &Registry{
		bounds:       b,
		nodes:        nodes,
		byID:         make(map[string]*Session),
		detached:     list.New(),
		elements:     make(map[*Session]*list.Element),
		perPrincipal: make(map[string]int),
	}
	if nodes != nil {
		reg.node = nodes.Name()
	}
	return reg
}

// register makes s resumable and adds its token to the answer to hello.
func (reg *Registry) register(s *Session, peerKeeps int, answer *hello) {
	r := &resumption{id: randomText(12), window: reg.bounds.Window, principal: s.Principal}
	secret := randomText(24)
	r.secret = sha256.Sum256([]byte(secret))
	answer.Session, answer.Window, answer.Replay = r.id+"."+secret, r.window.Milliseconds(), int64(s.Limits.ReplayBytes)
	if reg.nodes != nil {
		answer.Session = reg.node + "." + answer.Session
	}
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

// maxSessionToken is the length of the longest token of a session. A token is for its
// client a text without a meaning: "id.secret", or "node.id.secret" if the server is a
// node of a cluster.
const maxSessionToken = 256

// find returns the session of a token, nil if there is none with that id, secret and
// format, or the name of the other node that has it.
func (reg *Registry) find(token string, form wire.Format) (s *Session, node string) {
	if reg == nil || len(token) > maxSessionToken {
		return nil, ""
	}
	if strings.Count(token, ".") == 2 {
		node, token, _ = strings.Cut(token, ".")
	}
	if node != reg.node {
		if reg.nodes == nil || !relay.ValidName(node) {
			node = ""
		}
		return nil, node
	}
	id, secret, _ := strings.Cut(token, ".")
	sum := sha256.Sum256([]byte(secret))
	reg.mu.Lock()
	s = reg.byID[id]
	reg.mu.Unlock()
	if s == nil || s.Format != form || subtle.ConstantTimeCompare(sum[:], s.resumption.Load().secret[:]) == 0 {
		return nil, ""
	}
	return s, ""
}

// accept reports whether a principal may resume the session by a request with the given
// number, and records that. A request older than one that was accepted is refused: the
// client wrote it for a transport that it has left since.
func (r *resumption) accept(principal string, attempt uint64) bool {
	for {
		last := r.attempt.Load()
		if attempt <= last || principal != r.principal {
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
	if over != nil {
		expireAll(over)
	}
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
