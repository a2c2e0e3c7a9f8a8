package rpctest

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A link is one connection between two conns. The network's mutex guards it and
// its paths; every change is broadcast.
type link struct {
	net      *Network
	cond     sync.Cond
	up, down path
	cause    error // what has ended it: syscall.ECONNRESET, or io.EOF
}

// end ends both directions: what has not arrived is lost.
func (l *link) end(cause error) {
	if l.cause != nil {
		return
	}
	l.cause = cause
	delete(l.net.open, l)
	l.up.drop()
	l.down.drop()
	l.cond.Broadcast()
}

// A path is one direction of a link. What is written is in flight until it
// arrives, and then here until it is read.
type path struct {
	link    *link
	plan    Path // its Events are those to come
	flight  []segment
	flying  int // bytes in flight
	here    []byte
	arrived *int // the network's count
	passed  int  // how many bytes have arrived

	stalled time.Time // until then
	tick    time.Time // when the budget is renewed
	budget  int       // how many bytes may arrive before that
	timer   *time.Timer

	busy  bool // a Write is under way
	shut  bool // the writer has closed
	dead  bool // nothing arrives any more
	lossy bool // what is written is lost
	eof   bool // the end has arrived
	deaf  bool // the reader has closed
}

// A segment is what one write wrote, or the end.
type segment struct {
	b   []byte
	due time.Time
	end bool
}

func (p *path) init(l *link, plan Path, arrived *int) {
	p.link, p.plan, p.arrived = l, plan, arrived
	if p.plan.Tick == 0 {
		p.plan.Tick = time.Millisecond
	}
	p.plan.Events = slices.Clone(plan.Events)
	slices.SortStableFunc(p.plan.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
}

// send puts as much of b in flight as there is room for, and returns how much.
func (p *path) send(b []byte) int {
	if p.lossy {
		return len(b)
	}
	size := p.link.net.Buffer
	if size == 0 {
		size = 64 << 10
	}
	n := min(len(b), size-p.flying-len(p.here))
	if n <= 0 {
		return 0
	}
	p.flying += n
	p.push(segment{b: bytes.Clone(b[:n])})
	return n
}

// finish puts the end in flight.
func (p *path) finish() {
	if !p.shut {
		p.shut = true
		p.push(segment{end: true})
	}
}

func (p *path) push(s segment) {
	if !p.lossy {
		s.due = time.Now().Add(p.plan.Latency)
		p.flight = append(p.flight, s)
		p.advance()
	}
}

// advance lets arrive what may, and happen what is to happen then.
func (p *path) advance() {
	defer p.link.cond.Broadcast()
	for p.link.cause == nil && !p.dead {
		switch {
		case p.waits(p.stalled):
			return
		case len(p.plan.Events) > 0 && p.plan.Events[0].At <= p.passed:
			e := p.plan.Events[0]
			p.plan.Events = p.plan.Events[1:]
			p.happen(e)
		case len(p.flight) == 0 || p.waits(p.flight[0].due) || !p.ration():
			return
		default:
			p.arrive(&p.flight[0])
		}
	}
}

// waits reports whether t is to come, and arranges that advance is called then.
func (p *path) waits(t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return false
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(wait, func() {
		p.link.net.mu.Lock()
		defer p.link.net.mu.Unlock()
		p.advance()
	})
	return true
}

// ration reports whether anything may arrive in this tick.
func (p *path) ration() bool {
	if p.plan.Drip == 0 || p.budget > 0 && time.Now().Before(p.tick) {
		return true
	}
	if p.waits(p.tick) {
		return false
	}
	p.budget, p.tick = p.plan.Drip, time.Now().Add(p.plan.Tick)
	return true
}

// arrive lets arrive as much of the first segment as may at once.
func (p *path) arrive(s *segment) {
	n := len(s.b)
	if p.plan.Drip > 0 {
		n = min(n, p.budget)
		p.budget -= n
	}
	if len(p.plan.Events) > 0 {
		n = min(n, p.plan.Events[0].At-p.passed)
	}
	if !p.deaf {
		p.here = append(p.here, s.b[:n]...)
	}
	p.flying -= n
	p.passed += n
	*p.arrived += n
	if s.b = s.b[n:]; len(s.b) == 0 {
		p.eof = s.end
		p.flight = p.flight[1:]
	}
}

func (p *path) happen(e Event) {
	stats := &p.link.net.stats
	switch e.Do {
	case Cut:
		stats.Cuts++
		p.link.end(syscall.ECONNRESET)
	case Hangup:
		stats.Hangups++
		p.link.end(io.EOF)
	case HalfClose:
		stats.HalfCloses++
		p.drop()
		p.lossy, p.eof = true, true
	case Stall:
		stats.Stalls++
		p.stalled = time.Now().Add(e.For)
		p.dead = e.For == 0
	}
}

// drop loses what is in flight.
func (p *path) drop() {
	p.flight, p.flying = nil, 0
	if p.timer != nil {
		p.timer.Stop()
	}
}
