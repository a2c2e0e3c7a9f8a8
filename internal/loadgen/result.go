package loadgen

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// A Result is what a run has measured, without its warm-up.
type Result struct {
	What        string // the method; empty if connections were opened
	Options     Options
	Length      time.Duration // less than Options.For if the run was interrupted
	Interrupted bool

	Due        int64 // calls of the schedule; 0 of a closed load
	Sent       int64
	Answered   int64 // and streams that ended, or were read until the run did
	InTime     int64 // answered while calls were still being sent
	Failed     int64
	Unfinished int64 // not answered within Options.Drain
	Unsent     int64 // due, but not sent
	Errors     []*Failure

	Items, Bytes int64 // of streams, either way

	// Latency is of calls, or of streams' first items, from when they were due. What was
	// not sent, or not answered, is in it as if it had been answered at the end.
	Latency *Histogram
	Gaps    *Histogram   // between the items of a stream
	Late    *Histogram   // how late calls were sent because of the generator itself
	Parts   []*Histogram // the latency in ten parts of the time, of a ramp

	HalfInFlight, EndInFlight int64 // at half time, and when the sending ended

	Held, Lost int64 // connections at the end
	Cuts       Cuts
	Outages    *Histogram // from a cut until the connection was back
	Seq        Sequence

	behind time.Duration // how late the sending was at its end
	held   time.Duration // how long it had to wait for the bound of calls in flight
}

// result returns what the run has measured, when nothing more is measured.
func (r *run) result(ctx context.Context, b backlog) *Result {
	rec := r.rec
	res := &Result{Options: *r.Options, Length: r.For, Interrupted: ctx.Err() != nil,
		Sent: rec.sent, Answered: rec.answered, InTime: rec.inTime, Failed: rec.failed, Unfinished: rec.unfinished,
		Items: rec.items, Bytes: rec.bytes, Latency: rec.latency, Gaps: rec.gaps, Late: rec.lateness, Parts: rec.parts,
		HalfInFlight: b.half, EndInFlight: b.end, Cuts: rec.cuts, Outages: rec.outages, Seq: rec.seq, held: r.pace.held}
	for _, f := range rec.errors {
		res.Errors = append(res.Errors, f)
	}
	slices.SortFunc(res.Errors, func(a, b *Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Example, b.Example))
	})
	if res.Interrupted {
		res.Length = min(max(0, time.Since(rec.start)), r.For)
	}
	if !r.Streams {
		res.Seq.whole()
	}
	if r.opened != nil {
		res.Held, res.Lost = r.opened.count()
	}
	r.unsent(res)
	return res
}

// unsent counts the calls that were due and not sent. They are slow as well.
func (r *run) unsent(res *Result) {
	if r.Closed {
		return
	}
	end := r.begin.Add(r.Warmup + res.Length)
	first := max(r.pace.next, r.warm())
	n := first
	for ; n < r.total && r.due(n).Before(end); n++ {
		r.rec.took(r.moment(n), end.Sub(r.due(n)))
	}
	res.Unsent = n - first
	res.Due = n - r.warm()
	if res.Unsent > 0 {
		res.behind = end.Sub(r.due(first))
	}
}

// rate is a number of things as a number a second.
func (res *Result) rate(n int64) float64 {
	if res.Length <= 0 {
		return 0
	}
	return float64(n) / res.Length.Seconds()
}

// Verdicts are sentences about whether the figures are those of the rate that was asked
// for, and if not, what was the limit.
func (res *Result) Verdicts() (all []string) {
	o := &res.Options
	switch {
	case o.Closed:
		return nil
	case res.Unsent > res.Due/100:
		limit := fmt.Sprintf("the generator was the limit, which was %s behind: several processes, or a faster machine, send more", short(res.behind))
		if res.held >= res.behind/2 {
			limit = fmt.Sprintf("the generator was not the limit: %s %s were in flight, which is the bound of -in-flight", thousands(int64(o.InFlight)), o.noun())
		}
		all = append(all, fmt.Sprintf("the rate was not reached: %s of %s a second were sent; %s",
			figure(res.rate(res.Due-res.Unsent)), figure(res.rate(res.Due)), limit))
	case res.grew():
		all = append(all, fmt.Sprintf("the server did not keep up: %s a second were sent and %s answered; %s were in flight at half time, %s at the end",
			figure(res.rate(res.Sent)), figure(res.rate(res.InTime)), thousands(res.HalfInFlight), thousands(res.EndInFlight)))
	}
	if late := res.Late.Quantile(0.99); late > 2*time.Millisecond && late > res.Latency.Quantile(0.99)/10 {
		all = append(all, fmt.Sprintf("the generator itself was late, by %s at p99, which the latencies contain: this machine is busy", short(late)))
	}
	return all
}

// grew reports whether ever more calls were in flight. After a cut that is so for a while.
func (res *Result) grew() bool {
	return !res.Options.Streams && res.Options.Cut == 0 && res.EndInFlight > res.HalfInFlight*3/2 && res.EndInFlight > res.Sent/20 && res.EndInFlight > 10
}

// noun is what is counted.
func (o *Options) noun() string {
	switch {
	case o.Call == nil:
		return "connections"
	case o.Streams:
		return "streams"
	}
	return "calls"
}
