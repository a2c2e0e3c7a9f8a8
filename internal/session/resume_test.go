package session

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A cuttable is a transport that records whether it has been closed.
type cuttable struct {
	NoTransport
	dead  bool
	onCut func() // may be nil
}

func (l *cuttable) Close() {
	l.dead = true
	if l.onCut != nil {
		l.onCut()
	}
}

// detachedSession is a server's that waits for its client.
func detachedSession(ss *Registry) *Session {
	set := testSettings()
	set.Registry = ss
	c := New(context.Background(), set, wire.JSON, NoTransport{}, ModeWirecall, nil)
	ss.open(c, 1<<20, &hello{})
	c.out.detach()
	return c
}

// Where a session's time is over while a new socket takes it up, it has either
// ended before, or lives.
func TestExpiryDuringTakeover(t *testing.T) {
	ss := testRegistry()
	for range 5_000 {
		c, l, done := detachedSession(ss), &cuttable{}, make(chan struct{})
		go func() {
			defer close(done)
			c.expire(errSessionLost)
		}()
		err := c.attach(l, &resumeParams{}, nil)
		<-done
		if ended := c.Err() != nil; ended != (err != nil) {
			t.Fatalf("attach: %v, and the session: %v", err, c.Err())
		}
		c.End(fault.ErrClosed)
	}
}

// Of two attempts to resume that are accepted in their order the later one keeps the
// session, also where the earlier one comes to take it last.
func TestTakeoverInTheWrongOrder(t *testing.T) {
	c := detachedSession(testRegistry())
	r := c.resume.Load()
	if !r.accept(1) || !r.accept(2) {
		t.Fatal("attempts in their order are not accepted")
	}
	later := &cuttable{onCut: c.stopReading}
	if err := c.attach(later, &resumeParams{Attempt: 2}, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.attach(&cuttable{}, &resumeParams{Attempt: 1}, nil); err != errNotKnown {
		t.Errorf("the earlier attempt: %v", err)
	}
	if c.Err() != nil || later.dead || c.transport != later {
		t.Errorf("the session has left the later socket: %v", c.Err())
	}
	later.Close()
	c.End(fault.ErrClosed)
}

// A session that ends while it is being detached does not wait for its client.
func TestEndDuringDetach(t *testing.T) {
	ss := testRegistry()
	c := detachedSession(ss)
	c.End(errors.New("over"))
	ss.detached(c)
	if ss.waiting.Len() != 0 || ss.bytes != 0 {
		t.Errorf("%d sessions wait, with %d bytes", ss.waiting.Len(), ss.bytes)
	}
}

// A breaking is a transport whose socket breaks when something is to be written, of which
// it has taken some or nothing.
type breaking struct {
	NoTransport
	some, ready bool
}

func (l *breaking) WriteFrame([]byte) error { l.ready = true; return nil }
func (l *breaking) Wrote() bool             { return l.some }
func (l *breaking) Err() error              { return errTaken }

func (l *breaking) Flush(bool) (done bool, err error) {
	if l.ready {
		return false, errTaken
	}
	return true, nil
}

var errTaken = errors.New("the socket has been taken away")

// A request has not run where no socket has taken anything of it, on any of the
// sockets that the session had.
func TestUnwrittenRequestHasNotRun(t *testing.T) {
	for _, took := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		c := detachedSession(testRegistry())
		c.resume.Load().sent.Init(1<<20, 0) // which is the answer to hello
		call := &OutgoingCall{done: make(chan struct{}, 1)}
		call.frame = notPut
		c.state.calls[2] = call
		for i, some := range took {
			if err := c.attach(&breaking{some: some}, &resumeParams{}, nil); err != nil {
				t.Fatal(err)
			}
			<-c.out.drained()
			if i == 0 {
				flush, err := c.out.request(t.Context(), nil, &buffer{make([]byte, 100)}, false, call, nil)
				if !flush || err != nil {
					t.Fatal(flush, err)
				}
				c.flush(false)
			}
			c.stopReading()
		}
		c.End(errSessionLost)
		if <-call.done; notRun(call.Err) == (took[0] || took[1]) {
			t.Errorf("sockets that took something %v: %v, not run: %v", took, call.Err, notRun(call.Err))
		}
	}
}

// A socket that we have closed has failed, whoever hears of it first: coder/websocket,
// which is closed beside it, may know before anybody has read or written in vain.
func TestCutLinkIsBroken(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	l := transport.NewLines(near, transport.Options{})
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	l.Close()
	if !isCut(l, net.ErrClosed) {
		t.Error("the end of a transport that we closed is not taken for a cut")
	}
}

func notRun(err error) bool {
	e, ok := err.(*fault.Error)
	return ok && e.Ran == fault.No
}
