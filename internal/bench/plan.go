package main

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// A Plan is what a run measures.
type Plan struct {
	Peers    []Peer
	Works    []Work
	Rounds   int
	Duration time.Duration // of one sample, without what surrounds it

	// Costs prints what the peers cost more than the one with nothing, and no more.
	Costs bool

	// Limit is when the run ends although samples are missing; 0 is never.
	Limit time.Duration
}

// jobs are the samples to be made, with their rounds: in each round every work,
// and in each work every peer that can do it, in random order.
func (p Plan) jobs() iter.Seq2[int, Job] {
	return func(yield func(int, Job) bool) {
		for round := range p.Rounds {
			for _, w := range p.Works {
				for _, i := range rand.Perm(len(p.Peers)) {
					if !p.Peers[i].can(w) {
						continue
					}
					if !yield(round, Job{Peer: p.Peers[i].Name, Work: w, Duration: p.Duration}) {
						return
					}
				}
			}
		}
	}
}

// size is how many samples there are.
func (p Plan) size() (n int) {
	for range p.jobs() {
		n++
	}
	return n
}

// estimate is how long the run takes on a machine that has nothing else to do.
func (p Plan) estimate() (d time.Duration) {
	for _, j := range p.jobs() {
		d += j.cost()
	}
	return d
}

// surroundings is what a sample takes besides: two processes that start and end.
const surroundings = 80 * time.Millisecond

// cost is how long the sample takes, for a peer that has no trouble with it.
// The slowest have to be waited for; see limit.
func (j Job) cost() time.Duration {
	d := j.Duration
	switch w := j.Work; w.Kind {
	case Calls:
		return surroundings + d + d/warmth + time.Duration(w.Conns*w.InFlight)*50*time.Microsecond
	case Stream:
		return surroundings + d + d/2
	case Beside:
		return surroundings + j.besides() + d/2 + d/warmth + w.settling()/2 + patience/4
	case Load:
		return surroundings + d + d/2 + patience/4
	case Upload:
		return surroundings + 2*d + time.Second
	case Idle:
		return surroundings + idleFor + time.Duration(w.Conns)*300*time.Microsecond
	case FanOut:
		return surroundings + d + d/warmth + time.Duration(w.Conns)*(300+70*time.Duration(w.Streams))*time.Microsecond
	}
	return surroundings
}

// limit is when a client that has not reported is given up.
func (j Job) limit() time.Duration { return orders + 2*j.patience() + 5*j.cost() }

// grown are the peers of growth charts.
const grown = "wirecall,grpc,floor"

// growth is the works of -growth, one for each point of its charts.
func growth() (all []Work) {
	for _, n := range []int{1, 4, 16, 64, 256, 1024, 4096, 10_000} {
		all = append(all, Work{Name: fmt.Sprintf("in-flight-%d", n), Kind: Calls, Conns: 1, InFlight: n, X: n})
	}
	for _, n := range []int{1, 10, 100, 1000, 4000, 10_000} {
		all = append(all, Work{Name: fmt.Sprintf("connections-%d", n), Kind: Calls, Conns: n, InFlight: 1, X: n})
	}
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		all = append(all, Work{Name: fmt.Sprintf("streams-%d", n), Kind: Stream, Streams: n, X: n})
	}
	for n := 16; n <= 1<<20; n *= 4 {
		all = append(all, Work{Name: fmt.Sprintf("size-%d", n), Kind: Stream, Streams: 1, Size: n, X: n})
	}
	for _, n := range []int{1, 2, 5, 10, 20, 30, 40, 60, 80, 120, 160} {
		all = append(all, Work{Name: fmt.Sprintf("load-%dk", n), Kind: Load, Rate: n * 1000, X: n * 1000})
	}
	for i := range all {
		all[i].Title, all[i].Label = all[i].Name, all[i].Name
	}
	return all
}

// labels are what the works are called on a chart.
func labels(works []Work) (all []string) {
	for _, w := range works {
		all = append(all, cmp.Or(w.Label, w.Title))
	}
	return all
}
