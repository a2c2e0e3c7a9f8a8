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

func (tr *cuttable) Close() {
	tr.dead = true
	if tr.onCut != nil {
		tr.onCut()
	}
}

// detachedSession returns a detached session of a server.
func detachedSession(reg *Registry) *Session {
	set := testSettings()
	set.Registry = reg
	s := New(context.Background(), set, wire.JSON, NoTransport{}, ModeWirecall, nil)
	reg.register(s, 1<<20, &hello{})
	s.queue.detach()
	return s
}

// If a session expires while a new transport attaches, either it has ended or it lives
// on.
func TestExpiryDuringTakeover(t *testing.T) {
	reg := testRegistry()
	for range 5_000 {
		s, tr, done := detachedSession(reg), &cuttable{}, make(chan struct{})
		go func() {
			defer close(done)
			s.expire(errSessionLost)
		}()
		err := s.resumption.Load().attach(tr, &resumeParams{}, nil)
		<-done
		if ended := s.Err() != nil; ended != (err != nil) {
			t.Fatalf("attach: %v, and the session: %v", err, s.Err())
		}
		s.End(fault.ErrClosed)
	}
}

// Of two attempts to resume that were accepted in order, the later one keeps the
// session, even if the earlier one attaches last.
func TestTakeoverInTheWrongOrder(t *testing.T) {
	s := detachedSession(testRegistry())
	r := s.resumption.Load()
	if !r.accept("", 1) || !r.accept("", 2) {
		t.Fatal("attempts in their order are not accepted")
	}
	later := &cuttable{onCut: s.stopReading}
	if err := s.resumption.Load().attach(later, &resumeParams{Attempt: 2}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.resumption.Load().attach(&cuttable{}, &resumeParams{Attempt: 1}, nil); err != errNotKnown {
		t.Errorf("the earlier attempt: %v", err)
	}
	if s.Err() != nil || later.dead || s.transport != later {
		t.Errorf("the session has left the later socket: %v", s.Err())
	}
	later.Close()
	s.End(fault.ErrClosed)
}

// A session that ends while it is being detached is not added to the registry.
func TestEndDuringDetach(t *testing.T) {
	reg := testRegistry()
	s := detachedSession(reg)
	s.End(errors.New("over"))
	reg.addDetached(s)
	if reg.detached.Len() != 0 || reg.bytes != 0 {
		t.Errorf("%d sessions wait, with %d bytes", reg.detached.Len(), reg.bytes)
	}
}

// A breaking transport fails on the first flush after a write, with something or nothing
// written.
type breaking struct {
	NoTransport
	some, ready bool
}

func (tr *breaking) WriteFrame([]byte) error { tr.ready = true; return nil }
func (tr *breaking) Wrote() bool             { return tr.some }
func (tr *breaking) Err() error              { return errTaken }

func (tr *breaking) Flush(bool) (done bool, err error) {
	if tr.ready {
		return false, errTaken
	}
	return true, nil
}

var errTaken = errors.New("the socket has been taken away")

// A request has not run if none of the session's transports has written anything of it.
func TestUnwrittenRequestHasNotRun(t *testing.T) {
	for _, took := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		s := detachedSession(testRegistry())
		s.resumption.Load().sent.Init(1<<20, 0) // counts the answer to hello
		call, err := s.outgoing.begin(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		for i, some := range took {
			if err := s.resumption.Load().attach(&breaking{some: some}, &resumeParams{}, nil); err != nil {
				t.Fatal(err)
			}
			<-s.queue.awaitFlushed()
			if i == 0 {
				if err := s.queue.putRequest(t.Context(), &messageBuffer{make([]byte, 100)}, false, call, nil); err != nil {
					t.Fatal(err)
				}
				<-s.queue.awaitFlushed()
			}
			s.stopReading()
		}
		s.End(errSessionLost)
		if <-call.done; notRun(call.Err) == (took[0] || took[1]) {
			t.Errorf("sockets that took something %v: %v, not run: %v", took, call.Err, notRun(call.Err))
		}
	}
}

// A transport that this side has closed counts as cut, even before a read or a write has
// failed.
func TestClosedTransportIsCut(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	l := transport.NewFramed(near, transport.Lines, transport.Options{})
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
