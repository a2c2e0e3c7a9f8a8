package rpctest

import (
	"math/rand/v2"
	"time"
)

// A Plan says what befalls one connection. The zero Plan is a good connection.
type Plan struct {
	// Refuse makes Dial fail. A connection that a real listener has accepted is
	// reset instead.
	Refuse bool

	Up   Path // from the side that dials
	Down Path // to the side that dials
}

// A Path says what befalls the bytes that go one way. None of it changes, doubles
// or reorders them.
type Path struct {
	// Latency is how long each write takes to arrive.
	Latency time.Duration

	// Drip is how many bytes arrive in one Tick at most. Zero is no bound.
	Drip int

	// Tick is how long a tick lasts. The default is a millisecond.
	Tick time.Duration

	// Events happen once each, in the order of their bytes; at the same byte,
	// in the order given.
	Events []Event
}

// An Event happens when a number of bytes has arrived.
type Event struct {
	// At is that number. At zero it happens when the connection is made.
	At int

	// Do is what happens.
	Do Action

	// For is how long a Stall lasts. Zero is for ever.
	For time.Duration
}

// An Action is what an Event does. What has arrived by then can still be read.
type Action int

const (
	// Cut ends the connection as a lost one ends: what is on its way, in both
	// directions, is lost, and both ends get syscall.ECONNRESET.
	Cut Action = iota

	// Hangup ends it as a proxy that goes away does: likewise, but readers get
	// io.EOF and writers syscall.EPIPE.
	Hangup

	// HalfClose ends this direction: its reader gets io.EOF. Its writer notices
	// nothing, and what it writes is lost.
	HalfClose

	// Stall stops this direction, while the other goes on. Writes succeed until
	// the buffer is full.
	Stall
)

// Faults draws plans at random. Each probability is for one direction of one
// connection, so that with a Cut of 0.5 three connections in four are cut, if
// they carry enough bytes.
type Faults struct {
	// Seed and the number of a connection decide its plan, and nothing else
	// does.
	Seed uint64

	Cut       float64 // the probability of a Cut
	Hangup    float64 // of a Hangup
	HalfClose float64 // of a HalfClose
	Stall     float64 // of a Stall
	Drip      float64 // of slow drips, of 1 to 64 bytes per millisecond
	Refuse    float64 // of a connection that is refused

	// Within is how many bytes have arrived at most when an event happens. The
	// default is 4,096.
	Within int

	// StallFor is how long a Stall lasts at most. Zero is for ever.
	StallFor time.Duration

	// Latency is how long a write takes to arrive at most.
	Latency time.Duration
}

// Plan draws the plan of connection n: it is what Network.Plan can be.
func (f Faults) Plan(n int) Plan {
	r := rand.New(rand.NewPCG(f.Seed, uint64(n)))
	return Plan{Refuse: r.Float64() < f.Refuse, Up: f.path(r), Down: f.path(r)}
}

// path draws the same numbers whatever f is, so that a change of one probability
// leaves the other faults where they are.
func (f Faults) path(r *rand.Rand) Path {
	p := Path{Latency: upTo(r, f.Latency)}
	if drip := 1 + r.IntN(64); r.Float64() < f.Drip {
		p.Drip = drip
	}
	within := f.Within
	if within == 0 {
		within = 4096
	}
	for do, chance := range []float64{Cut: f.Cut, Hangup: f.Hangup, HalfClose: f.HalfClose, Stall: f.Stall} {
		e := Event{At: upTo(r, within), Do: Action(do)}
		if stall := upTo(r, f.StallFor); e.Do == Stall {
			e.For = max(stall, min(1, f.StallFor)) // zero would be for ever
		}
		if r.Float64() < chance {
			p.Events = append(p.Events, e)
		}
	}
	return p
}

// upTo draws from 0 to most, both included, with one number of r's.
func upTo[T ~int | ~int64](r *rand.Rand, most T) T {
	return T(r.Float64() * float64(most+1))
}
