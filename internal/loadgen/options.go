package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/rpc"
)

// Options are what a run does.
type Options struct {
	Schedule

	// Closed makes the next call when one has been answered, with InFlight callers, in
	// place of the schedule's rate. Then nothing is counted of the time that a call
	// waited for the one before.
	Closed bool

	// InFlight bounds the calls and streams that are under way at once, or are the
	// callers of a closed load. The default is 10 000, and 1 of a closed load.
	InFlight int

	// Conns is the number of connections that the calls take in turn, 1 by default; or,
	// without a Call, how many are opened and held.
	Conns int

	// Dial connects. It applies the Link to the options of the connection.
	Dial func(context.Context, *Link) (Conn, error)

	// Call returns the call n, counted from 0. It is called by any number of goroutines
	// at once. sent must be called with the size of each item that the call sends. If Call
	// is nil, connections are opened and held until the run ends.
	Call func(n int64, sent func(bytes int64)) (*dynamic.Call, error)

	Streams bool // the call returns streams
	Items   int  // a stream is left after so many items; 0 for its end

	Timeout time.Duration // of a call; 0 for none
	Drain   time.Duration // how long calls in flight may take at the end
	Cut     time.Duration // cut all sockets each time this is over; 0 for never

	// Seq is the path to a member, of each item or of each result, whose value the server
	// increases by one each time. What is missing and what came twice is counted.
	Seq []string

	// Sleep sleeps for less than precise, as exactly as it can. The default is time.Sleep.
	Sleep func(time.Duration)

	// Live is called several times a second with what has been measured so far.
	Live func(Live)
}

// A Conn is a connection, and what closes it.
type Conn struct {
	rpc.Caller
	Close func() error
}

const (
	defaultInFlight = 10_000
	mostConns       = 100_000
)

// check fills in the defaults, and returns an error for what makes no sense.
func (o *Options) check() error {
	switch {
	case !o.Closed && !(o.Rate > 0 && o.Rate <= 1e6 && o.to() >= 0 && o.to() <= 1e6):
		return errors.New("the rate must be more than 0 and at most 1,000,000 a second")
	case o.For <= 0 || o.Warmup < 0:
		return errors.New("the time must be more than 0")
	case o.InFlight < 0 || o.Conns < 0 || o.Conns > mostConns || o.InFlight > mostConns:
		return fmt.Errorf("the connections, and the calls in flight, may be at most %s", thousands(mostConns))
	case o.Closed && o.To != 0:
		return errors.New("a closed load has no rate that could change")
	}
	if o.InFlight == 0 {
		o.InFlight = defaultInFlight
		if o.Closed {
			o.InFlight = 1
		}
	}
	if o.Sleep == nil {
		o.Sleep = time.Sleep
	}
	if o.Call == nil {
		return o.checkConns()
	}
	o.Conns = max(o.Conns, 1)
	return nil
}

// checkConns is check for a run that opens connections.
func (o *Options) checkConns() error {
	if o.Closed {
		return errors.New("connections are opened at a rate; a closed load needs a method")
	}
	o.Warmup = 0 // it would only open connections that are not measured
	if o.Conns > 0 {
		o.InFlight = min(o.InFlight, o.Conns)
	} else if n := o.count(); n > mostConns {
		return fmt.Errorf("%s connections would be held: at most %s may be", thousands(n), thousands(mostConns))
	}
	return nil
}

// total is the number of calls that will be due, or -1 if nothing says that.
func (o *Options) total() int64 {
	switch {
	case o.Closed:
		return -1
	case o.Call == nil && o.Conns > 0:
		return min(o.count(), int64(o.Conns))
	}
	return o.count()
}
