// Package topic sends events to everyone who has subscribed to a topic, and keeps them,
// so that a subscriber that was away or is slow misses none.
//
//	type Message struct{ Author, Text string }
//
//	bus := &topic.Memory{}
//	room := topic.New[Message](bus, topic.Name("room", "42"))
//	seq, err := room.Publish(ctx, Message{"Ann", "hello"})
//
// A handler returns a subscription as its stream, and a cursor makes it survive cuts and
// restarts of the client:
//
//	//wirecall:cursor after=Seq
//	Messages(ctx context.Context, room string, after topic.Seq) (iter.Seq2[topic.Event[Message], error], error)
//
//	func (s *service) Messages(ctx context.Context, room string, after topic.Seq) (iter.Seq2[topic.Event[Message], error], error) {
//		return topic.New[Message](s.bus, topic.Name("room", room)).Subscribe(ctx, after), nil
//	}
//
// A subscription yields each event once, in order, or ends with a [*GapError]. It reads
// what is stored and what is published in the same way, so that nothing falls between
// history and live events. It never holds up a publisher or another subscription: one
// that is slow reads from the store, until retention has passed it.
package topic

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/feed"
)

// An Event is what was published, with its place in the topic and the time at which it was
// stored.
type Event[T any] struct {
	Seq   Seq       `json:"seq"`
	Time  time.Time `json:"time"`
	Value T         `json:"value"`
}

// A Topic is one topic of a bus. It keeps nothing by itself: any number of Topics may
// have the same name, in one process or several, but all must have the same T. Its
// methods may be called by many goroutines at once.
type Topic[T any] struct {
	bus  Bus
	name string
	err  error // of the name
}

// New returns the topic with a name. If the name is not valid, all methods return an error
// that says why; [Name] makes valid names of any text.
func New[T any](bus Bus, name string) *Topic[T] {
	return &Topic[T]{bus, name, checkName(name)}
}

// Publish stores an event and returns its place. When it returns without an error, all
// subscriptions will yield it. The value must not be changed any more. If ctx ends, the event
// may be stored or not; see PublishOnce.
func (t *Topic[T]) Publish(ctx context.Context, v T) (Seq, error) {
	return t.publish(ctx, v, Entry{})
}

// PublishOnce is Publish for an event that has an id, so that it can be repeated after
// an error: an event whose id was published to this topic in the last two minutes is
// not stored again, and its place is returned.
func (t *Topic[T]) PublishOnce(ctx context.Context, id string, v T) (Seq, error) {
	return t.publish(ctx, v, Entry{ID: id})
}

// PublishAfter is Publish on the condition that the last event of the topic has a place, or
// that there has been none if last is empty. Otherwise the error is a *ConflictError.
func (t *Topic[T]) PublishAfter(ctx context.Context, last Seq, v T) (Seq, error) {
	return t.publish(ctx, v, Entry{Conditional: true, Expect: last})
}

func (t *Topic[T]) publish(ctx context.Context, v T, e Entry) (Seq, error) {
	if t.err != nil {
		return "", t.err
	}
	data, err := codec.JSON.Append(nil, &v)
	if err != nil {
		return "", fmt.Errorf("topic: an event of %s cannot be encoded: %w", t.name, err)
	}
	e.Data, e.value = data, v
	at, err := t.bus.Append(ctx, t.name, e)
	if err != nil {
		return "", err
	}
	return at.Seq(), nil
}

// Subscribe yields the events after a place, first those that are stored and then what is
// published, until ctx ends. After the empty Seq it begins with the first that is stored.
// Its error is the last that it yields: a *GapError, the cause of ctx, or one of the bus.
func (t *Topic[T]) Subscribe(ctx context.Context, after Seq) iter.Seq2[Event[T], error] {
	return t.events(ctx, after, false)
}

// Latest yields the last event, if it is not the one at after, and then the last one
// whenever there is another: for topics of which each event is the whole state. What a
// slow subscriber has not read is left out, and nothing is a gap.
func (t *Topic[T]) Latest(ctx context.Context, after Seq) iter.Seq2[Event[T], error] {
	return t.events(ctx, after, true)
}

// page is how many records a subscription takes from the bus at once.
const page = 64

// events returns an iterator over the events after a place. A stream of a call that
// consists of it is fed by the topic's hub instead.
func (t *Topic[T]) events(ctx context.Context, after Seq, latest bool) iter.Seq2[Event[T], error] {
	at, err := after.place()
	err = cmp.Or(t.err, err)
	events := func(yield func(Event[T], error) bool) {
		err := err
		if err == nil {
			err = t.each(ctx, at, latest, yield)
		}
		if err != nil {
			yield(Event[T]{}, err)
		}
	}
	if err == nil {
		feed.Offer(ctx, events, &subscription[T]{topic: t, at: at, latest: latest})
	}
	return events
}

// each yields events until ctx ends or the range is left, which is no error.
func (t *Topic[T]) each(ctx context.Context, at Place, latest bool, yield func(Event[T], error) bool) error {
	next, stop := t.bus.Follow(t.name)
	defer stop()
	for {
		changed := next()
		records, err := t.after(ctx, &at, latest)
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
		for _, r := range records {
			at.Number = r.Number
			e, err := t.event(at, r)
			if err != nil {
				return err
			}
			if !yield(e, nil) {
				return nil
			}
		}
		if len(records) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// after returns the next records behind a place, or only the last.
func (t *Topic[T]) after(ctx context.Context, at *Place, latest bool) ([]Record, error) {
	if latest {
		return t.latest(ctx, at)
	}
	return t.read(ctx, at)
}

// read returns the next records behind a place, which is in no epoch before the first
// read of a subscription that begins with what is stored.
func (t *Topic[T]) read(ctx context.Context, at *Place) ([]Record, error) {
	p, err := t.bus.Read(ctx, t.name, at.Number, page)
	if err != nil {
		return nil, err
	}
	if at.Epoch == "" {
		*at = Place{p.Epoch, p.Begin}
	}
	if at.Epoch != p.Epoch || at.Number < p.Begin || at.Number > p.Last {
		return nil, &GapError{After: at.Seq(), Begin: Place{p.Epoch, p.Begin}.Seq()}
	}
	return p.Records, nil
}

// latest returns the last record, if it is behind the place or in another epoch. If none is
// stored, the place moves to the end of the topic.
func (t *Topic[T]) latest(ctx context.Context, at *Place) ([]Record, error) {
	before, err := t.bus.Back(ctx, t.name, 1)
	if err != nil || before.Epoch == at.Epoch && before.Number < at.Number {
		return nil, err
	}
	p, err := t.bus.Read(ctx, t.name, before.Number, page)
	switch {
	case err != nil:
		return nil, err
	case p.Epoch != before.Epoch: // it has begun anew meanwhile
		return t.latest(ctx, at)
	case len(p.Records) == 0:
		*at = Place{p.Epoch, max(before.Number, p.Begin)}
		return nil, nil
	}
	at.Epoch = p.Epoch
	return p.Records[len(p.Records)-1:], nil
}

// event returns the event of a record.
func (t *Topic[T]) event(at Place, r Record) (Event[T], error) {
	e := Event[T]{Seq: at.Seq(), Time: r.Time}
	if v, ok := r.value.(T); ok {
		e.Value = v
		return e, nil
	}
	if err := codec.JSON.Decode(r.Data, &e.Value); err != nil {
		return e, fmt.Errorf("topic: event %s of %s cannot be decoded: %w", e.Seq, t.name, err)
	}
	return e, nil
}

// Last returns the last event of the topic that is stored, and false if there is none.
// Where it is a state, subscribing after its Seq yields what changes from then on.
func (t *Topic[T]) Last(ctx context.Context) (Event[T], bool, error) {
	if t.err != nil {
		return Event[T]{}, false, t.err
	}
	var at Place
	records, err := t.latest(ctx, &at)
	if err != nil || len(records) == 0 {
		return Event[T]{}, false, err
	}
	at.Number = records[0].Number
	e, err := t.event(at, records[0])
	return e, err == nil, err
}

// Back returns the Seq after which the last n events are, or all that are stored if
// those are fewer. Back(ctx, 0) is where the topic ends now.
func (t *Topic[T]) Back(ctx context.Context, n int) (Seq, error) {
	if t.err != nil {
		return "", t.err
	}
	at, err := t.bus.Back(ctx, t.name, n)
	return at.Seq(), err
}

// Since returns the Seq after which the events are that were stored at a time or later.
func (t *Topic[T]) Since(ctx context.Context, at time.Time) (Seq, error) {
	if t.err != nil {
		return "", t.err
	}
	after, err := t.bus.Since(ctx, t.name, at)
	return after.Seq(), err
}
