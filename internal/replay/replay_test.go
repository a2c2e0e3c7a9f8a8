package replay_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wirecall/wirecall/internal/replay"
)

// A Buffer returns exactly the frames after the one acknowledged, or says that it
// does not have them any more: never some of them, and never others.
func TestAfter(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		limit, skip := r.IntN(5000), r.IntN(3)
		var b replay.Buffer
		b.Init(limit, skip)
		for range skip {
			b.Keep([]byte("not counted"))
		}
		frames := [][]byte{nil} // numbered from 1
		acked := uint64(0)
		for range 300 {
			switch r.IntN(8) {
			default:
				frame := fmt.Appendf(nil, "%d %*d", len(frames), 1+r.IntN(700), 0)
				frames = append(frames, frame)
				b.Keep(frame)
			case 0:
				acked += uint64(r.IntN(len(frames) - int(acked)))
				if err := b.Ack(acked); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			case 1:
				acked = check(t, &b, frames, acked, r)
			}
			if b.Held() > limit {
				t.Fatalf("seed %d: %d bytes are held, the limit is %d", seed, b.Held(), limit)
			}
		}
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
}

func check(t *testing.T, b *replay.Buffer, frames [][]byte, acked uint64, r *rand.Rand) uint64 {
	received := acked + uint64(r.IntN(len(frames)-int(acked)))
	dropped := b.Dropped()
	after, err := b.After(received)
	if (err != nil) != (dropped > received) {
		t.Errorf("After(%d): %v, though %d is the last frame that was dropped", received, err, dropped)
	}
	if err != nil {
		return received
	}
	n := received
	for frame := range after {
		if n++; string(frame) != string(frames[n]) {
			t.Errorf("frame %d is %.20q, want %.20q", n, frame, frames[n])
		}
	}
	if n != uint64(len(frames)-1) || b.Next() != n+1 {
		t.Errorf("the last frame is %d and the next %d, of %d", n, b.Next(), len(frames)-1)
	}
	if !b.Complete() {
		t.Error("not complete, though it has returned all that is not acknowledged")
	}
	return received
}

func TestCompleteAgain(t *testing.T) {
	var b replay.Buffer
	b.Init(10, 0)
	for range 3 {
		b.Keep(make([]byte, 5))
	}
	if b.Complete() {
		t.Error("complete, though a frame was dropped before its acknowledgment")
	}
	if err := b.Ack(1); err != nil || !b.Complete() {
		t.Errorf("Ack: %v, complete: %v", err, b.Complete())
	}
	b.Keep(make([]byte, 11)) // over the limit by itself
	if b.Complete() {
		t.Error("complete without the last frame")
	}
	if err := b.Ack(5); !errors.Is(err, replay.ErrCounting) {
		t.Errorf("an acknowledgment of a frame that was not sent: %v", err)
	}
}

// The peer is asked once for an acknowledgment, until one comes.
func TestNeedsAck(t *testing.T) {
	var b replay.Buffer
	b.Init(100, 0)
	b.Keep(make([]byte, 50))
	if b.NeedsAck() {
		t.Error("needed at half of the limit")
	}
	b.Keep(make([]byte, 1))
	if !b.NeedsAck() || b.NeedsAck() {
		t.Error("not needed once over half of the limit")
	}
	if err := b.Ack(1); err != nil || b.NeedsAck() {
		t.Errorf("Ack: %v, or still needed", err)
	}
	b.Keep(make([]byte, 50))
	if !b.NeedsAck() {
		t.Error("not needed again")
	}
}
