package main

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"
)

// A Job is one sample to be made: it is sent to a client process.
type Job struct {
	Peer string
	Work Work

	// Duration is for how long to measure, after warming up for a quarter of it.
	// With 0 the least is done that shows whether the peer does the work right.
	Duration time.Duration

	Addrs   []string // of the peer's server
	Control string   // of the server's process

	peer   Peer
	server *rpc.Client
}

// A Sample is what one peer did of one work, once. Fields that do not apply are
// zero. Durations are microseconds.
type Sample struct {
	Peer, Work string
	Round      int
	X          int    `json:",omitzero"` // on a growth chart
	Err        string `json:",omitzero"` // and then nothing else counts

	Ops      int64   `json:",omitzero"` // calls or items
	Rate     float64 `json:",omitzero"` // of them a second; of an upload, MiB a second
	P50, P99 float64 `json:",omitzero"` // of calls, or of deliveries from publish on

	// What one call or item took of client and server together.
	CPU    float64 `json:",omitzero"`
	Allocs float64 `json:",omitzero"`
	Bytes  float64 `json:",omitzero"`
	Writes float64 `json:",omitzero"`

	Late int64 `json:",omitzero"` // items that came after one that was sent later

	// Beside a stream or an upload.
	Alone50, Alone99 float64 `json:",omitzero"` // before, on the same connection
	Timeouts         int64   `json:",omitzero"` // calls that had no answer within a second
	Items            float64 `json:",omitzero"` // a second, consumed meanwhile
	Ahead            int64   `json:",omitzero"` // items sent and not consumed at the end
	Ended            string  `json:",omitzero"` // why the stream ended before its time
	Peak             float64 `json:",omitzero"` // MiB of RSS at most, client and server together; of an upload, by how much it grew

	Last50 float64 `json:",omitzero"` // until the last subscriber of a fan-out had all

	// What a delivery of a fan-out took of the server alone, or an idle connection
	// in a second.
	ServerCPU, ServerWrites float64 `json:",omitzero"`

	// What the server holds for an idle connection, in bytes.
	Heap, Stacks, RSS float64 `json:",omitzero"`

	Others   float64 // cores that other processes used meanwhile
	children time.Duration
}

func (j *Job) run(ctx context.Context) (Sample, error) {
	p, err := findPeer(j.Peer)
	if err != nil {
		return Sample{}, err
	}
	j.peer = p
	switch j.Work.Kind {
	case Calls:
		return j.calls(ctx)
	case Stream:
		return j.stream(ctx)
	case Beside:
		return j.beside(ctx)
	case Load:
		return j.load(ctx)
	case Upload:
		return j.upload(ctx)
	case Idle:
		return j.idle(ctx)
	case FanOut:
		return j.fanOut(ctx)
	}
	return Sample{}, fmt.Errorf("no way to measure %q", j.Work.Kind)
}

// tiny reports whether the job is a check only.
func (j *Job) tiny() bool { return j.Duration == 0 }

// usage is what client and server have used together.
func (j *Job) usage() (Usage, error) {
	server, err := j.serverUsage("Usage")
	return readUsage().plus(server), err
}

// tidy has client and server collect their garbage, and tells what they have
// used together. Their Peak is counted from here.
func (j *Job) tidy() (Usage, error) {
	server, err := j.serverUsage("Tidy")
	return tidy().plus(server), err
}

func (j *Job) serverUsage(how string) (u Usage, err error) {
	if j.server == nil {
		return Usage{}, nil // a test has both in one process
	}
	err = j.server.Call("Control."+how, Nothing{}, &u)
	return u, err
}

// dial makes n connections, a few at a time, and a call over each.
func (j *Job) dial(ctx context.Context, n int) ([]Client, error) {
	if err := roomFor(n); err != nil {
		return nil, err
	}
	clients := make([]Client, n)
	err := parallel(n, 32, func(i int) (err error) {
		if clients[i], err = j.peer.Dial(ctx, j.Addrs[i%len(j.Addrs)]); err != nil {
			return err
		}
		return clients[i].Echo(ctx, int64(i))
	})
	if err != nil {
		hangUp(clients)
		return nil, err
	}
	return clients, nil
}

// hangUp closes connections. It does not wait for them: a peer that is stuck may
// be so for ever, and the process ends soon.
func hangUp(clients []Client) {
	for _, c := range clients {
		if c != nil {
			go c.Close()
		}
	}
}

// parallel calls f with 0 to n-1, at most so many at once, and returns the
// first error.
func parallel(n, atOnce int, f func(int) error) error {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		errs = make(chan error, atOnce)
	)
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := f(int(i)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// A lane makes one call after the other, over one connection.
type lane struct {
	call func(ctx context.Context, id int64) error
	id   int64
	took []time.Duration
}

// run makes calls until the time has come, and at least so many.
func (l *lane) run(ctx context.Context, until time.Time, least int) error {
	l.took = l.took[:0]
	for start := time.Now(); len(l.took) < least || start.Before(until); {
		l.id++
		if err := l.call(ctx, l.id); err != nil {
			return err
		}
		end := time.Now()
		l.took = append(l.took, end.Sub(start))
		start = end
	}
	return nil
}

// lanes are all callers of a sample.
type lanes []*lane

func newLanes(clients []Client, each int, text bool) lanes {
	var all lanes
	for range each {
		for _, c := range clients {
			call := c.Echo
			if text {
				call = func(ctx context.Context, _ int64) error { return c.Text(ctx) }
			}
			all = append(all, &lane{call: call, id: int64(len(all)) << 20})
		}
	}
	return all
}

// run has every lane call for d, and at least so many times, and returns when
// the last answer has come.
func (all lanes) run(ctx context.Context, d time.Duration, least int) error {
	var (
		until = time.Now().Add(d)
		errs  = make(chan error, len(all))
	)
	for _, l := range all {
		go func() { errs <- l.run(ctx, until, least) }()
	}
	var failed error
	for range all {
		failed = errors.Join(failed, <-errs)
		if failed != nil {
			return failed // the others may never come back
		}
	}
	return nil
}

// room makes space for what a run that lasts so many times as long as the last
// one will note, so that it allocates nothing for it.
func (all lanes) room(times int) {
	for _, l := range all {
		l.took = make([]time.Duration, 0, 2*times*len(l.took)+64)
	}
}

func (all lanes) done() (n int64) {
	for _, l := range all {
		n += int64(len(l.took))
	}
	return n
}

func (all lanes) took() []time.Duration {
	var took []time.Duration
	for _, l := range all {
		took = append(took, l.took...)
	}
	return took
}

const (
	warmth = 4 // a sample is warmed up for a fourth of its duration
	turns  = 2 // and every lane calls twice at least
)

func (j *Job) calls(ctx context.Context) (s Sample, err error) {
	clients, err := j.dial(ctx, j.Work.Conns)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	all := newLanes(clients, j.Work.InFlight, j.Work.Text)
	if err := all.run(ctx, j.Duration/warmth, 1); err != nil {
		return s, err
	}
	all.room(warmth)
	err = j.count(&s, func() (int64, error) {
		err := all.run(ctx, j.Duration, turns)
		return all.done(), err
	})
	took := all.took()
	s.P50, s.P99 = micros(quantile(took, 0.50)), micros(quantile(took, 0.99))
	return s, err
}

// count does the work and notes in s what each call or item of it took. work
// says how many there were; nothing is under way before and after.
func (j *Job) count(s *Sample, work func() (int64, error)) error {
	before, err := j.usage()
	if err != nil {
		return err
	}
	start := time.Now()
	ops, err := work()
	if err != nil {
		return err
	}
	d := time.Since(start)
	after, err := j.usage()
	if err != nil {
		return err
	}
	used, n := after.since(before), float64(ops)
	s.Ops, s.Rate = ops, n/d.Seconds()
	s.CPU = micros(used.CPU) / n
	s.Allocs, s.Bytes, s.Writes = float64(used.Mallocs)/n, float64(used.Bytes)/n, float64(used.Writes)/n
	return nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func (j *Job) stream(ctx context.Context) (s Sample, err error) {
	clients, err := j.dial(ctx, 1)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	n, err := j.pace(ctx, clients[0])
	if err != nil {
		return s, err
	}
	err = j.count(&s, func() (got int64, err error) {
		got, s.Late, err = j.items(ctx, clients[0], n)
		return got, err
	})
	return s, err
}

// pace warms up and finds how many items fill the duration.
func (j *Job) pace(ctx context.Context, c Client) (int64, error) {
	n, most := int64(j.Work.Streams)*10, int64(1<<22)
	if size := int64(j.Work.Size); size > 0 {
		n, most = int64(j.Work.Streams), max(8, (4<<30)/size)
	}
	for {
		start := time.Now()
		if _, _, err := j.items(ctx, c, n); err != nil {
			return 0, err
		}
		d := time.Since(start)
		if j.tiny() || d >= j.Duration/warmth || n >= most {
			return min(most, max(n, int64(float64(n)*j.Duration.Seconds()/d.Seconds()))), nil
		}
		n *= 4
	}
}

// items receives n items over the work's streams and checks each.
func (j *Job) items(ctx context.Context, c Client, n int64) (got, late int64, err error) {
	streams := j.Work.Streams
	tallies := make([]*tally, streams)
	err = parallel(streams, streams, func(i int) error {
		f := Feed{N: max(1, n/int64(streams)), Size: j.Work.Size}
		tallies[i] = &tally{feed: f}
		if err := c.Items(ctx, f, tallies[i].add); err != nil {
			return err
		}
		return tallies[i].done()
	})
	if err != nil {
		return 0, 0, err
	}
	for _, t := range tallies {
		got, late = got+t.n, late+t.late
	}
	return got, late, nil
}
