package rpctest

import (
	"math/rand/v2"
	"time"
)

// A Plan describes the faults of one connection. The zero Plan has none.
type Plan struct {
	// Refuse makes Dial fail. With a real listener the accepted connection is reset
	// instead.
	Refuse bool

	Up   Path // from the side that dials
	Down Path // to the side that dials
}

// A Path describes the faults of one direction. None of them changes, duplicates or
// reorders bytes.
type Path struct {
	// Latency is the time that each write takes to arrive.
	Latency time.Duration

	// Drip is the largest number of bytes that arrive in one Tick. Zero means no limit.
	Drip int

	// Tick is the duration of a tick. The default is a millisecond.
	Tick time.Duration

	// Events happen once each, in the order of their bytes, and in the given order at the
	// same byte.
	Events []Event
}

// An Event is a fault that happens when a number of bytes has arrived.
type Event struct {
	// At is the number of bytes. An event at zero happens when the connection is made.
	At int

	// Do is the action.
	Do Action

	// For is the duration of a Stall. Zero means for ever.
	For time.Duration
}

// An Action is what an Event does. Bytes that have arrived before it can still be read.
type Action int

const (
	// Cut ends the connection like a failure of the network: bytes on their way in both
	// directions are lost, and both ends get syscall.ECONNRESET.
	Cut Action = iota

	// Hangup ends the connection like a proxy that terminates: bytes on their way in both
	// directions are lost, readers get io.EOF and writers syscall.EPIPE.
	Hangup

	// HalfClose ends this direction: its reader gets io.EOF. Its writer gets no error,
	// and what it writes is lost.
	HalfClose

	// Stall stops this direction, while the other continues. Writes succeed until the
	// buffer is full.
	Stall
)

// Faults draws plans at random. Each probability applies to one direction of one
// connection: with a Cut of 0.5, three of four connections are cut if they carry enough
// bytes.
type Faults struct {
	// Seed and the number of a connection, together with the other fields, decide its
	// plan, so that the same seed gives the same plans.
	Seed uint64

	Cut       float64 // the probability of a Cut
	Hangup    float64 // of a Hangup
	HalfClose float64 // of a HalfClose
	Stall     float64 // of a Stall
	Drip      float64 // of slow drips, of 1 to 64 bytes per millisecond
	Refuse    float64 // of a connection that is refused

	// Within is the largest number of bytes after which an event happens. The default is
	// 4,096.
	Within int

	// StallFor is the longest duration of a Stall. Zero means for ever.
	StallFor time.Duration

	// Latency is the longest time that a write takes to arrive.
	Latency time.Duration
}

// Plan returns the plan of connection n. It can be used as Network.Plan.
func (f Faults) Plan(n int) Plan {
	r := rand.New(rand.NewPCG(f.Seed, uint64(n)))
	return Plan{Refuse: r.Float64() < f.Refuse, Up: f.path(r), Down: f.path(r)}
}

// path draws the same numbers for every f, so that a change of one probability does not
// change the other faults.
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

// upTo draws a number from 0 to limit, both included, with one number of r.
func upTo[T ~int | ~int64](r *rand.Rand, limit T) T {
	return T(r.Float64() * float64(limit+1))
}
