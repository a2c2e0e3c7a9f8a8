package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// idleSession returns a session in wirecall mode that nothing reads or flushes, whose
// peer accepts so many calls.
func idleSession(calls int64) *Session {
	s := New(context.Background(), testSettings(), wire.JSON, NoTransport{}, ModeWirecall, nil)
	s.queue.detach()
	s.outgoing.accept(calls)
	return s
}

// What is in flight is nothing after the end of a session, whatever it was before.
func TestNothingInFlightAfterTheEnd(t *testing.T) {
	s := idleSession(10)
	for range 3 {
		if _, err := s.outgoing.begin(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.recv.open([]uint64{1, 2}, wire.CallerDepth); err != nil {
		t.Fatal(err)
	}
	produce := []Producer{producer{}, nil, producer{}}
	if _, _, err := s.queue.newStreams(produce, newCallScope(), false); err != nil {
		t.Fatal(err)
	}
	if n := s.work.count(); n != 7 {
		t.Fatalf("%d things are in flight, want 3 calls and 4 streams", n)
	}
	s.End(fault.ErrClosed)
	if n := s.work.count(); n != 0 {
		t.Errorf("%d things are in flight after the end", n)
	}
}

type producer struct{}

func (producer) Produce(ss *SendStream) bool {
	ss.Finish(nil)
	return false
}

// Callers that wait for a place fail once, when the peer drains or the session ends,
// and both may come, also repeatedly.
func TestWaitersFailOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := idleSession(0)
		failed := make(chan error)
		for range 3 {
			go func() {
				_, err := s.outgoing.begin(t.Context(), false)
				failed <- err
			}()
		}
		synctest.Wait()
		s.outgoing.peerDrains(wire.MaxInteger)
		s.outgoing.peerDrains(wire.MaxInteger)
		s.End(fault.ErrClosed)
		for range 3 {
			var e *fault.Error
			if err := <-failed; !errors.As(err, &e) || e.Code != fault.Unavailable || e.Ran != fault.No {
				t.Errorf("a caller that waits: %v", err)
			}
		}
	})
}

// A place that a caller receives at the moment of the session's end is no call.
func TestPlaceAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := idleSession(0)
		failed := make(chan error)
		go func() {
			_, err := s.outgoing.begin(t.Context(), false)
			failed <- err
		}()
		synctest.Wait()
		s.outgoing.mu.Lock()
		s.outgoing.release()
		s.outgoing.ended = errEnded // as end sets it, before the caller has the lock
		s.outgoing.mu.Unlock()
		if err := <-failed; err != errEnded || s.outgoing.open.len() != 0 {
			t.Errorf("%v, %d calls", err, s.outgoing.open.len())
		}
	})
}

// While this side drains, only handlers that serve the peer call it.
func TestCallsWhileDraining(t *testing.T) {
	s := idleSession(10)
	s.Activate()
	in := &Incoming{Session: s, Method: &Method{}, ID: []byte("1")}
	in.begin(s.credentials.current.Load(), 0)
	s.addWork(1)
	s.Goaway(s.deadline)
	if _, err := s.outgoing.begin(t.Context(), false); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a call of the program: %v", err)
	}
	if _, err := s.outgoing.begin(in.Ctx, false); err != nil {
		t.Errorf("a call of a handler: %v", err)
	}
	s.outgoing.peerDrains(wire.MaxInteger)
	if _, err := s.outgoing.begin(in.Ctx, false); err != nil {
		t.Errorf("a call of a handler while the peer drains: %v", err)
	}
	in.withdraw()
	if _, err := s.outgoing.begin(in.Ctx, false); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a call of a cancelled handler: %v", err)
	}
	s.End(fault.ErrClosed)
}

// Ids are unique while their calls are open, whatever stays open, and every call is found
// by its own.
func TestIdsOfOpenCalls(t *testing.T) {
	s := idleSession(1 << 20)
	open := map[uint64]*OutgoingCall{}
	for i := range 5_000 {
		call, err := s.outgoing.begin(t.Context(), false)
		if err != nil || open[call.id] != nil {
			t.Fatalf("id %d again, %v", call.id, err)
		}
		if open[call.id] = call; i%3 == 0 {
			continue // stays open
		}
		if got, over := s.outgoing.take(call.id); got != call || over {
			t.Fatalf("id %d is not found", call.id)
		}
		s.addWork(-1)
		delete(open, call.id)
		if got, _ := s.outgoing.take(call.id); got != nil {
			t.Fatalf("id %d is found again", call.id)
		}
		call.Recycle()
	}
	for id, call := range open {
		if got, _ := s.outgoing.take(id); got != call {
			t.Errorf("id %d is not found at the end", id)
		}
	}
	if s.outgoing.open.len() != 0 || s.outgoing.free != 1<<20 && s.outgoing.free != maxCalls {
		t.Errorf("%d calls are open, %d are accepted", s.outgoing.open.len(), s.outgoing.free)
	}
}

// An answer whose streams cannot be opened any more, since the session ends, fails its
// call as one that was lost.
func TestAnswerAtTheEnd(t *testing.T) {
	s := idleSession(1)
	call, err := s.outgoing.begin(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.recv.end()
	s.mu.Lock()
	s.cause = fault.ErrClosed
	s.mu.Unlock()
	if err := s.outgoing.answer(&wire.Message{ID: wire.JSON.AppendID(nil, call.id), Result: []byte("1"), Streams: []uint64{1}}); err != nil {
		t.Error(err)
	}
	if <-call.done; !fault.Is(call.Err, fault.Unavailable) || s.work.count() != 0 {
		t.Errorf("%v, with %d things in flight", call.Err, s.work.count())
	}
}

// A session that drains ends when the last thing in flight has ended, whatever that is,
// and not before its peer has moved.
func TestDrainEndsWithTheLastWork(t *testing.T) {
	for moved := range 3 {
		s := idleSession(1)
		s.Activate()
		s.addWork(2)
		steps := []func(){func() { s.addWork(-1) }, func() { s.addWork(1) }, func() { s.addWork(-2) }}
		s.Goaway(s.deadline)
		for i, step := range steps {
			if i == moved {
				s.peerMoved()
			}
			if step(); s.Err() != nil && i < 2 {
				t.Fatalf("moved before step %d: it has ended after step %d", moved, i)
			}
		}
		if s.Err() == nil || !errors.Is(s.Err(), ErrDrained) {
			t.Errorf("moved before step %d: %v", moved, s.Err())
		}
		s.stopReading()
	}
	s := idleSession(1)
	s.Activate()
	s.addWork(1)
	s.Goaway(s.deadline)
	if s.addWork(-1); s.Err() != nil {
		t.Error("it has ended before its peer has moved")
	}
	if s.peerMoved(); !errors.Is(s.Err(), ErrDrained) {
		t.Errorf("idle, and then moved: %v", s.Err())
	}
	s.stopReading()
}

// While a session is attached and does not drain, what is in flight is counted without a
// look at the phase.
func TestWorkIsWatchedOnlyWhileItMatters(t *testing.T) {
	s := detachedSession(testRegistry())
	if err := s.resumption.Load().attach(&cuttable{}, &resumeParams{}, nil); err != nil {
		t.Fatal(err)
	}
	watched := func() bool { return s.work.Load() >= workWatched }
	if watched() {
		t.Error("watched while attached")
	}
	tr := s.transport
	if !s.detach(tr, transport.CloseError{Code: transport.CloseCut}) || !watched() {
		t.Error("not watched while detached")
	}
	s.stopReading()
	if err := s.resumption.Load().attach(&cuttable{}, &resumeParams{Attempt: 1}, nil); err != nil || watched() {
		t.Errorf("watched after a resume, %v", err)
	}
	s.Goaway(s.deadline)
	if !watched() {
		t.Error("not watched while draining")
	}
	s.End(fault.ErrClosed)
	s.stopReading()
}
