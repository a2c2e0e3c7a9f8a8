package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/wire"
)

// A wireTap is a transport that records frames, and writes nothing without waiting while
// it is full.
type wireTap struct {
	NoTransport
	onFrame func() // may be nil
	err     error  // of each flush that has something to write

	mu     sync.Mutex
	frames [][]byte
	unsent bool          // a frame has not been flushed
	room   chan struct{} // closed when the transport accepts bytes again; nil if it does
}

func (tr *wireTap) Err() error  { return tr.err }
func (tr *wireTap) Wrote() bool { return false }

func (tr *wireTap) WriteFrame(frame []byte) error {
	tr.mu.Lock()
	tr.frames = append(tr.frames, slices.Clone(frame))
	tr.unsent = true
	tr.mu.Unlock()
	if tr.onFrame != nil {
		tr.onFrame()
	}
	return nil
}

func (tr *wireTap) Flush(wait bool) (done bool, err error) {
	tr.mu.Lock()
	room, unsent := tr.room, tr.unsent
	tr.mu.Unlock()
	switch {
	case unsent && tr.err != nil:
		return false, tr.err
	case unsent && room != nil && !wait:
		return false, nil
	case unsent && room != nil:
		if <-room; tr.err != nil {
			return false, tr.err
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.unsent = false
	return true, nil
}

// fill makes the transport full, until the function that it returns is called.
func (tr *wireTap) fill() (empty func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	room := make(chan struct{})
	tr.room = room
	return func() {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.room = nil
		close(room)
	}
}

// messages returns the messages of each frame.
func (tr *wireTap) messages(t *testing.T, form wire.Format) (all [][]string) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, frame := range tr.frames {
		var in []string
		for msg, err := range form.Split(frame) {
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, string(msg))
		}
		all = append(all, in)
	}
	return all
}

// A restarted is a producer that reports each run.
type restarted struct{ runs chan *SendStream }

func (p restarted) Produce(ss *SendStream) bool {
	p.runs <- ss
	return true // so that the stream does not end
}

// parkedSession returns a session with parked streams, as many as credits, each of which
// has so many items of credit.
func parkedSession(tr *wireTap, form wire.Format, credits ...int) (s *Session, streams []Parked, runs chan *SendStream) {
	s = New(context.Background(), testSettings(), form, tr, ModeWirecall, nil)
	s.peerMessageLimit.Store(1 << 20)
	runs = make(chan *SendStream, len(credits))
	for i, items := range credits {
		ss := newSendStream(s, restarted{runs}, uint64(i+1), nil)
		ss.credit = flow.NewCredit(items, 1<<20)
		ss.Park()
		streams = append(streams, Parked{Stream: ss})
	}
	return s, streams, runs
}

// items returns joined items with the numbers 1 to n, each with a text.
func items(form wire.Format, n int, text string) *Items {
	var numbers []uint64
	var encoded [][]byte
	for i := range n {
		numbers = append(numbers, uint64(i+1))
		encoded = append(encoded, form.AppendString(nil, fmt.Sprint(i+1, text)))
	}
	return JoinItems(form, numbers, encoded)
}

// sent returns the message with the items from one number on to another.
func sent(form wire.Format, handle uint64, from, to int, text string) string {
	var all []byte
	for i := from; i <= to; i++ {
		if i > from {
			all = form.AppendSeparator(all)
		}
		all = form.AppendString(all, fmt.Sprint(i, text))
	}
	return string(form.AppendItems(nil, handle, to-from+1, all))
}

func push(s *Session, items *Items, streams []Parked) {
	if s.Push(items, streams) {
		s.FlushPushed()
	}
}

// Streams get what each lacks, in one frame, and those that have everything get nothing.
func TestPush(t *testing.T) {
	for _, form := range []wire.Format{wire.JSON, wire.CBOR} {
		tr := &wireTap{}
		s, streams, _ := parkedSession(tr, form, 10, 10, 10, 10)
		streams[1].Last, streams[2].Last = 2, 3
		streams[3].Stream.parked = false
		push(s, items(form, 3, ""), streams)
		want := []string{sent(form, 1, 1, 3, ""), sent(form, 2, 3, 3, "")}
		if got := tr.messages(t, form); len(got) != 1 || !slices.Equal(got[0], want) {
			t.Errorf("sent %q, want one frame with %q", got, want)
		}
		if last := []uint64{streams[0].Last, streams[1].Last, streams[2].Last, streams[3].Last}; !slices.Equal(last, []uint64{3, 3, 3, 0}) {
			t.Errorf("the last numbers are %d", last)
		}
	}
}

// A stream without credit for everything gets what it has credit for, and its producer
// runs for the rest; so does one whose next item is too large to be pushed.
func TestPushWithoutCredit(t *testing.T) {
	tr := &wireTap{}
	s, streams, runs := parkedSession(tr, wire.JSON, 2, 0, 3)
	push(s, items(wire.JSON, 3, ""), streams)
	want := []string{sent(wire.JSON, 1, 1, 2, ""), sent(wire.JSON, 3, 1, 3, "")}
	if got := tr.messages(t, wire.JSON); len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("sent %q, want one frame with %q", got, want)
	}
	if ran := []*SendStream{<-runs, <-runs}; !slices.Contains(ran, streams[0].Stream) || !slices.Contains(ran, streams[1].Stream) {
		t.Error("other streams run than those without credit")
	}
	if streams[0].Last != 2 || streams[1].Last != 0 || !streams[2].Stream.parked {
		t.Errorf("the last numbers are %d and %d; the third stream is parked: %t", streams[0].Last, streams[1].Last, streams[2].Stream.parked)
	}
	s, streams, runs = parkedSession(&wireTap{}, wire.JSON, 10)
	push(s, items(wire.JSON, 1, strings.Repeat("x", largeMessage)), streams)
	if <-runs != streams[0].Stream || streams[0].Last != 0 {
		t.Errorf("of a large item %d has been put", streams[0].Last)
	}
}

// Items of many streams are more than a frame: what another puts meanwhile is sent behind
// one frame of them, and each stream still has its items once.
func TestPushBehindOneFrame(t *testing.T) {
	const streams, n = 20, 3
	text := strings.Repeat("x", 1500)
	tr := &wireTap{}
	s, parked, runs := parkedSession(tr, wire.JSON, slices.Repeat([]int{10}, streams)...)
	tr.onFrame = sync.OnceFunc(func() { s.queue.post([]byte(`"an answer"`)) })
	push(s, items(wire.JSON, n, text), parked)
	frames := tr.messages(t, wire.JSON)
	if frames[1][0] != `"an answer"` {
		t.Errorf("the second frame begins with %.30q", frames[1][0])
	}
	var want, got []string
	for i := range streams {
		want = append(want, sent(wire.JSON, uint64(i+1), 1, n, text))
	}
	for i, frame := range frames {
		if size := len(strings.Join(frame, "\n")); size > FrameSize {
			t.Errorf("frame %d has %d bytes", i, size)
		}
		got = append(got, frame...)
	}
	if got = slices.DeleteFunc(got, func(m string) bool { return m == `"an answer"` }); !slices.Equal(got, want) {
		t.Errorf("%d messages of %d, or in another order", len(got), len(want))
	}
	if len(runs) > 0 || s.queue.itemBytes != 0 {
		t.Errorf("%d streams run, and %d bytes of items wait", len(runs), s.queue.itemBytes)
	}
}

// Where a socket accepts nothing, a goroutine waits for it, and the pusher does not. What
// is pushed meanwhile waits within the limits of the queue, and is sent in its order.
func TestPushIntoFullSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &wireTap{}
		s, streams, runs := parkedSession(tr, wire.JSON, slices.Repeat([]int{1000}, 8)...)
		text := strings.Repeat("x", 1000)
		empty := tr.fill()
		all := items(wire.JSON, 100, text)
		for n := range 100 {
			push(s, &Items{all.numbers[:n+1], all.joined[:all.ends[n]], all.ends[:n+1], all.gap}, streams)
		}
		synctest.Wait()
		if s.queue.itemBytes > ItemsSize+len(text)+10 || len(runs) != len(streams) {
			t.Errorf("%d bytes wait, and %d streams run", s.queue.itemBytes, len(runs))
		}
		empty()
		synctest.Wait()
		var want []string
		for i, p := range streams {
			want = append(want, sent(wire.JSON, uint64(i+1), 1, 1, text))
			want = append(want, sent(wire.JSON, uint64(i+1), 2, int(p.Last), text))
		}
		got := slices.Concat(tr.messages(t, wire.JSON)...)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%d messages, or with other items", len(got))
		}
	})
}

// A request that is put while pushed items wait for the socket has not run if that fails.
func TestRequestBehindPushedItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &wireTap{}
		s, streams, _ := parkedSession(tr, wire.JSON, 10)
		fill := tr.fill()
		push(s, items(wire.JSON, 1, ""), streams)
		call, err := s.outgoing.begin(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.queue.putRequest(t.Context(), &messageBuffer{make([]byte, 100)}, false, call, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // a goroutine waits for the socket
		tr.err = errTaken
		fill()
		synctest.Wait()
		s.End(errSessionLost)
		if <-call.done; !notRun(call.Err) {
			t.Errorf("the call fails with %v", call.Err)
		}
	})
}

// If a socket fails under a pusher, another goroutine ends the session or has it detached,
// which calls observers. What was pushed is sent again over the next transport.
func TestPushOverFailingSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, streams := pushedOver(t, &wireTap{err: errTaken})
		defer s.End(errEnded)
		observed := make(chan struct{})
		s.Events = slowEvents{observed: observed}
		next := &wireTap{}
		push(s, items(wire.JSON, 1, ""), streams)
		synctest.Wait()
		if !s.IsDetached() {
			t.Fatal("the session has not been detached")
		}
		push(s, items(wire.JSON, 2, ""), streams)
		close(observed)
		s.stopReading()
		if err := s.resumption.Load().attach(next, &resumeParams{}, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		checkItems(t, next, sent(wire.JSON, 1, 1, 1, ""), sent(wire.JSON, 1, 2, 2, ""))
	})
}

// pushedOver returns a session that can be resumed, over a transport, with one parked stream.
func pushedOver(t *testing.T, tr *wireTap) (*Session, []Parked) {
	t.Helper()
	s := detachedSession(testRegistry())
	s.peerMessageLimit.Store(1 << 20)
	s.resumption.Load().sent.Init(1<<20, 0)
	ss := newSendStream(s, nil, 1, nil)
	ss.Park()
	if err := s.resumption.Load().attach(tr, &resumeParams{}, nil); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return s, []Parked{{Stream: ss}}
}

// A flush has failed, and the reader, which has detached the session, has yet to tell the
// queue. What is pushed then follows what the flush has left.
func TestPushBehindFailedFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, streams := pushedOver(t, &wireTap{err: errTaken})
		defer s.End(errEnded)
		s.mu.Lock()
		s.phase = detached
		s.mu.Unlock()
		for n := range 2 {
			push(s, items(wire.JSON, n+1, ""), streams)
			synctest.Wait()
		}
		s.queue.detach()
		s.stopReading()
		next := &wireTap{}
		if err := s.resumption.Load().attach(next, &resumeParams{}, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		checkItems(t, next, sent(wire.JSON, 1, 1, 1, ""), sent(wire.JSON, 1, 2, 2, ""))
	})
}

// slowEvents are observers that wait when a session is detached.
type slowEvents struct {
	noEvents
	observed chan struct{}
}

func (e slowEvents) Detached(*Session, error) { <-e.observed }

// checkItems checks which messages with items a transport has been given.
func checkItems(t *testing.T, tr *wireTap, want ...string) {
	t.Helper()
	got := slices.DeleteFunc(slices.Concat(tr.messages(t, wire.JSON)...), func(m string) bool { return !strings.Contains(m, methodItems) })
	if !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// A session without a transport keeps what is pushed, and sends it over the next one,
// before what is pushed then.
func TestPushWhileDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := detachedSession(testRegistry())
		defer s.End(errEnded)
		s.peerMessageLimit.Store(1 << 20)
		ss := newSendStream(s, nil, 1, nil)
		ss.Park()
		streams := []Parked{{Stream: ss}}
		push(s, items(wire.JSON, 1, ""), streams)
		tr := &wireTap{}
		if err := s.resumption.Load().attach(tr, &resumeParams{}, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		push(s, items(wire.JSON, 2, ""), streams)
		checkItems(t, tr, sent(wire.JSON, 1, 1, 1, ""), sent(wire.JSON, 1, 2, 2, ""))
		if held := s.resumption.Load().sent.Held(); held == 0 {
			t.Error("nothing is kept for another transport")
		}
	})
}
