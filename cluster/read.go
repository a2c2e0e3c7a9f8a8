package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A directGet is a request for messages of a stream, which any server that has it answers.
type directGet struct {
	Seq       uint64     `json:"seq,omitempty"` // the first
	StartTime *time.Time `json:"start_time,omitempty"`
	Subject   string     `json:"next_by_subj"`
	Batch     int        `json:"batch"`
	MaxBytes  int        `json:"max_bytes"`
}

// maxBatch is how many bytes are read at once, or one message.
const maxBatch = 1 << 20

// answerWithin is how long a server may take for each message of a batch.
const answerWithin = 5 * time.Second

// patiently calls f until NATS can be reached, or ctx ends.
func patiently(ctx context.Context, f func() error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := f()
		if err == nil || !unreachable(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// unreachable reports whether an error may pass when NATS, or the server that leads a
// stream, is there again.
func unreachable(err error) bool {
	for _, passing := range []error{errUnavailable, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

var errUnavailable = errors.New("no server answers")

// get returns the messages that are asked for, and how many there are behind the first
// with its subject, itself included. It waits while NATS cannot be reached.
func (b *Bus) get(ctx context.Context, c *class, g directGet) (records []topic.Record, behind uint64, err error) {
	g.MaxBytes = maxBatch
	request, err := json.Marshal(g)
	if err != nil {
		return nil, 0, err
	}
	err = patiently(ctx, func() error {
		records, behind, err = b.tryGet(ctx, c, request)
		return err
	})
	return records, behind, err
}

func (b *Bus) tryGet(ctx context.Context, c *class, request []byte) (records []topic.Record, behind uint64, err error) {
	inbox := b.nc.NewRespInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, err
	}
	defer sub.Unsubscribe()
	if err := b.nc.PublishRequest("$JS.API.DIRECT.GET."+c.name, inbox, request); err != nil {
		return nil, 0, err
	}
	for {
		m, err := next(ctx, sub)
		if err != nil {
			return nil, 0, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // the end; there is none
			return records, behind, nil
		case "503":
			return nil, 0, errUnavailable
		default:
			return nil, 0, fmt.Errorf("the server answers %s %s", status, m.Header.Get("Description"))
		}
		r, pending, err := recordOf(m)
		if err != nil {
			return nil, 0, err
		}
		if len(records) == 0 {
			behind = pending + 1
		}
		records = append(records, r)
	}
}

func next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// recordOf returns a stored message, and how many there are behind it.
func recordOf(m *nats.Msg) (r topic.Record, pending uint64, err error) {
	r.Data = m.Data
	if r.Number, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
		return r, 0, err
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")); err != nil {
		return r, 0, err
	}
	pending, err = strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
	return r, pending, err
}

// batch returns events of a topic behind a number.
func (b *Bus) batch(ctx context.Context, c *class, name string, after uint64, limit int) ([]topic.Record, error) {
	records, _, err := b.get(ctx, c, directGet{Seq: after + 1, Subject: b.subject("t", name), Batch: limit})
	return records, err
}

// Back implements topic.Bus. JetStream tells how many messages of a subject are behind a number,
// so that the n-th from the end is found by halving.
func (b *Bus) Back(ctx context.Context, name string, n int) (topic.Place, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Place{}, err
	}
	last, err := b.last(ctx, c, name)
	if err != nil {
		return topic.Place{}, err
	}
	switch {
	case last == 0: // no event is stored: behind all that the class has
		p, err := b.bounds(ctx, c, name)
		return topic.Place{Epoch: c.epoch, Number: p.Last}, err
	case n <= 0:
		return topic.Place{Epoch: c.epoch, Number: last}, nil
	case n == 1:
		return topic.Place{Epoch: c.epoch, Number: last - 1}, nil
	}
	low, high := uint64(0), last-1 // at least n are behind low, or all; fewer than n, or n, are behind high
	for low < high {
		middle := low + (high-low+1)/2
		_, behind, err := b.get(ctx, c, directGet{Seq: middle + 1, Subject: b.subject("t", name), Batch: 1})
		if err != nil {
			return topic.Place{}, fmt.Errorf("cluster: %d events back in %s: %w", n, name, err)
		}
		if behind >= uint64(n) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	p, err := b.bounds(ctx, c, name)
	return topic.Place{Epoch: c.epoch, Number: max(low, p.Begin)}, err
}

// Since implements topic.Bus.
func (b *Bus) Since(ctx context.Context, name string, at time.Time) (topic.Place, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Place{}, err
	}
	records, _, err := b.get(ctx, c, directGet{StartTime: &at, Subject: b.subject("t", name), Batch: 1})
	if err != nil {
		return topic.Place{}, fmt.Errorf("cluster: events of %s since %s: %w", name, at, err)
	}
	if len(records) == 0 {
		return b.Back(ctx, name, 0)
	}
	return topic.Place{Epoch: c.epoch, Number: records[0].Number - 1}, nil
}
