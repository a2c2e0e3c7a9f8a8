package session

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/flow"
	"github.com/wirecall/wirecall/internal/wire"
)

// detachedQueue returns the send queue of a detached session, which nothing flushes.
func detachedQueue(form wire.Format, soft int) *sendQueue {
	set := testSettings()
	set.Limits.SendQueueBytes = soft
	s := New(context.Background(), set, form, NoTransport{}, ModeWirecall, nil)
	s.queue.detach()
	return &s.queue
}

// A caller that stops waiting for room leaves nothing in the send queue, and a stream
// that looks for room repeatedly is registered once.
func TestSendQueueForgetsWaiters(t *testing.T) {
	q := detachedQueue(wire.JSON, 10)
	q.putAnswer(&messageBuffer{make([]byte, 20)}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waiting := &messageBuffer{[]byte("1")}
	if n := testing.AllocsPerRun(100, func() { q.putRequest(ctx, waiting, false, nil, nil) }); n > 0 {
		t.Errorf("a caller that gave up has left %v allocations", n)
	}
	s := &Session{queue: sendQueue{form: wire.JSON, itemBytes: ItemsSize}}
	ss := &SendStream{Session: s, credit: flow.NewCredit(10, 10)}
	for range 100 {
		if ss.mayPut(1) {
			t.Fatal("there is no room")
		}
	}
	if n := len(s.queue.itemWaiters); n != 1 {
		t.Errorf("a stream waits %d times", n)
	}
}

// Only messages that did not wait for room, and have not been taken, count against the
// hard limit.
func TestSendQueueHardCap(t *testing.T) {
	q := detachedQueue(wire.JSON, 100)
	q.putAnswer(&messageBuffer{make([]byte, largeMessage)}, nil)
	for n := range 2 {
		for range 101 {
			if q.putPosted([]byte("1")) {
				t.Fatalf("round %d: over behind a large message, and %d bytes that did not wait", n, q.postedBytes)
			}
		}
		if !q.putPosted([]byte("1")) {
			t.Errorf("round %d: %d bytes that did not wait are not over", n, q.postedBytes)
		}
		q.take(new(frameBatch), func() bool { return false })
	}
}

// Large messages, which have frames of their own, keep their place among small ones.
func TestSendQueueKeepsTheOrder(t *testing.T) {
	for _, form := range []wire.Format{wire.JSON, wire.CBOR} {
		q := detachedQueue(form, 1<<30)
		var sent, got []string
		for i := range 300 {
			size := []int{10, largeMessage - 1, largeMessage, 3, 50_000, 70_000}[i*i%7%6]
			msg := strings.Repeat(string(rune('a'+i%26)), size)
			b := &messageBuffer{append(make([]byte, form.FrameRoom()), msg...)}
			q.putAnswer(b, nil)
			sent = append(sent, msg)
		}
		var b frameBatch
		for {
			if more, _ := q.take(&b, func() bool { return false }); !more {
				break
			}
			for b.written() < b.count {
				b.write(writeSize, func(frame []byte) error {
					n := 0
					for msg, err := range form.Split(frame) {
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, string(msg))
						n++
					}
					if n > 1 && len(frame) > FrameSize {
						t.Errorf("%d messages in a frame of %d bytes", n, len(frame))
					}
					return nil
				})
			}
		}
		if !slices.Equal(got, sent) {
			t.Errorf("%d messages were sent, and these %d came in another order", len(sent), len(got))
		}
	}
}

// A flushCounter is a transport that counts how often it is flushed.
type flushCounter struct {
	NoTransport
	flushes atomic.Int32
}

func (tr *flushCounter) Flush(bool) (bool, error) {
	tr.flushes.Add(1)
	return true, nil
}

// Nothing that is put after the end of a session is sent, and nothing of that flushes the
// transport, which the closing handshake uses.
func TestNothingFlushesAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := new(flushCounter)
		s := New(context.Background(), testSettings(), wire.JSON, tr, ModeWirecall, nil)
		s.queue.control(methodPing, 1)
		if tr.flushes.Load() == 0 {
			t.Error("nothing is flushed before the end")
		}
		s.End(errEnded)
		before := tr.flushes.Load()
		s.queue.control(methodPing, 2)
		s.queue.post([]byte("late"))
		s.queue.putAnswer(&messageBuffer{[]byte("late")}, nil)
		s.queue.queueAck()
		s.queue.putMoved()
		ss := newSendStream(s, restarted{make(chan *SendStream, 1)}, 1, nil)
		ss.parked = true
		if s.Push(JoinItems(wire.JSON, []uint64{1}, [][]byte{[]byte("1")}), []Parked{{Stream: ss}}) {
			t.Error("a push is to be flushed")
		}
		if err := s.queue.putRequest(t.Context(), &messageBuffer{[]byte("late")}, false, &OutgoingCall{}, nil); err != errQueueClosed {
			t.Error(err)
		}
		synctest.Wait()
		if n := tr.flushes.Load() - before; n != 0 {
			t.Errorf("%d flushes after the end", n)
		}
	})
}
