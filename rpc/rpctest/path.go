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
	cause    error // why it ended: syscall.ECONNRESET or io.EOF; nil before
}

// end ends both directions. Bytes that have not arrived are lost.
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

// A path is one direction of a link. Written bytes are in flight until they arrive, and
// then unread until they are read.
type path struct {
	link          *link
	plan          Path // Events are those that have not happened
	inFlight      []segment
	inFlightBytes int
	unread        []byte // bytes that have arrived
	arrived       *int   // the network's count of them
	passed        int    // how many bytes have arrived

	stalled time.Time // the end of a Stall
	tick    time.Time // when budget is renewed
	budget  int       // how many bytes may arrive before that
	timer   *time.Timer

	busy         bool // a Write is in progress
	writerClosed bool
	stopped      bool // a Stall that lasts for ever has begun
	lossy        bool // what is written is lost
	eof          bool // the end of the stream has arrived
	readerClosed bool
}

// A segment is the bytes of one write, or the end of the stream.
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

// send puts as much of b in flight as there is room for, and returns the number of
// bytes.
func (p *path) send(b []byte) int {
	if p.lossy {
		return len(b)
	}
	size := p.link.net.Buffer
	if size == 0 {
		size = 64 << 10
	}
	n := min(len(b), size-p.inFlightBytes-len(p.unread))
	if n <= 0 {
		return 0
	}
	p.inFlightBytes += n
	p.push(segment{b: bytes.Clone(b[:n])})
	return n
}

// finish puts the end of the stream in flight.
func (p *path) finish() {
	if !p.writerClosed {
		p.writerClosed = true
		p.push(segment{end: true})
	}
}

func (p *path) push(s segment) {
	if !p.lossy {
		s.due = time.Now().Add(p.plan.Latency)
		p.inFlight = append(p.inFlight, s)
		p.advance()
	}
}

// advance delivers the bytes that are due, and applies the events that they reach.
func (p *path) advance() {
	defer p.link.cond.Broadcast()
	for p.link.cause == nil && !p.stopped {
		switch {
		case p.waits(p.stalled):
			return
		case len(p.plan.Events) > 0 && p.plan.Events[0].At <= p.passed:
			e := p.plan.Events[0]
			p.plan.Events = p.plan.Events[1:]
			p.apply(e)
		case len(p.inFlight) == 0 || p.waits(p.inFlight[0].due) || !p.renewBudget():
			return
		default:
			p.arrive(&p.inFlight[0])
		}
	}
}

// waits reports whether t is in the future, and if so has advance called then.
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

// renewBudget reports whether bytes may arrive in this tick.
func (p *path) renewBudget() bool {
	if p.plan.Drip == 0 || p.budget > 0 && time.Now().Before(p.tick) {
		return true
	}
	if p.waits(p.tick) {
		return false
	}
	p.budget, p.tick = p.plan.Drip, time.Now().Add(p.plan.Tick)
	return true
}

// arrive delivers as much of the first segment as may arrive at once.
func (p *path) arrive(s *segment) {
	n := len(s.b)
	if p.plan.Drip > 0 {
		n = min(n, p.budget)
		p.budget -= n
	}
	if len(p.plan.Events) > 0 {
		n = min(n, p.plan.Events[0].At-p.passed)
	}
	if !p.readerClosed {
		p.unread = append(p.unread, s.b[:n]...)
	}
	p.inFlightBytes -= n
	p.passed += n
	*p.arrived += n
	if s.b = s.b[n:]; len(s.b) == 0 {
		p.eof = s.end
		p.inFlight = p.inFlight[1:]
	}
}

// apply applies an event.
func (p *path) apply(e Event) {
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
		p.stopped = e.For == 0
	}
}

// drop discards the bytes in flight.
func (p *path) drop() {
	p.inFlight, p.inFlightBytes = nil, 0
	if p.timer != nil {
		p.timer.Stop()
	}
}
