package topic

import (
	"context"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/feed"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// A subscription is a stream of a connection that a topic feeds. It implements
// feed.Source. While the stream runs, its goroutine owns the subscription; while it is
// parked, the hub does.
type subscription[T any] struct {
	topic  *Topic[T]
	at     Place // what has been sent
	latest bool

	hub    *hub[T] // nil before the first Park
	stream *session.SendStream
	codec  codec.Codec
	group  *group[T] // where it is, or was last, parked; guarded by hub.mu
	index  int       // among the parked ones of its connection; -1 if it is not parked; guarded by hub.mu
}

var _ feed.Source = (*subscription[int])(nil)

// Each implements feed.Source.
func (s *subscription[T]) Each(ctx context.Context, cd codec.Codec, put func([]byte) bool) error {
	for {
		records, err := s.topic.after(ctx, &s.at, s.latest)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			item, err := s.topic.encoded(s.at.Epoch, r, cd)
			if err != nil || !put(item) {
				return err
			}
			s.at.Number = r.Number
		}
	}
}

// encoded returns the event of a record as a codec encodes it.
func (t *Topic[T]) encoded(epoch string, r Record, cd codec.Codec) ([]byte, error) {
	e, err := t.event(Place{epoch, r.Number}, r)
	if err != nil {
		return nil, err
	}
	return cd.AppendWithin(nil, &e, wire.CallerDepth)
}

// Park implements feed.Source.
func (s *subscription[T]) Park(ss *session.SendStream, cd codec.Codec) bool {
	if s.hub == nil {
		s.hub, s.stream, s.codec, s.index = hubOf(s.topic), ss, cd, -1
	}
	return s.hub.park(s)
}

// Unparked implements feed.Source.
func (s *subscription[T]) Unparked() {
	if s.hub != nil {
		s.hub.unparked(s)
	}
}

// Close implements feed.Source.
func (s *subscription[T]) Close() {
	if s.hub != nil {
		s.hub.release()
	}
}
