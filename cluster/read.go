package cluster

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wirecall/wirecall/rpc/topic"
)

// Read implements topic.Bus. What a topic that is followed has had last is in memory.
func (b *Bus) Read(ctx context.Context, name string, after uint64, limit int) (topic.Page, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Page{}, err
	}
	var p topic.Page
	if f := b.follower(name); f != nil {
		p, err = f.read(ctx, after, limit)
	} else {
		p, _, err = c.read(ctx, name, after, limit)
	}
	if err != nil {
		return p, fmt.Errorf("cluster: read %s: %w", name, err)
	}
	return p, nil
}

// read reads events of a topic behind a number from the stream, and reports whether they
// are the last.
func (c *class) read(ctx context.Context, name string, after uint64, limit int) (p topic.Page, end bool, err error) {
	for {
		epoch := c.currentEpoch()
		records, behind, err := c.get(ctx, directGet{Seq: after + 1, Subject: c.bus.subject("t", name), Batch: limit})
		if err != nil {
			return p, false, err
		}
		// What was removed before the records were read has been removed by now.
		if p, err = c.bounds(ctx, name); err != nil {
			return p, false, err
		}
		kept := 0
		for kept < len(records) && records[kept].Number <= p.Begin {
			kept++
		}
		p.Records = records[kept:]
		if p.Epoch == epoch && (len(p.Records) > 0 || kept == 0 || behind == 0) {
			return p, behind == 0, nil
		}
		if p.Epoch == epoch {
			after = p.Begin // retention has overtaken the page
		}
	}
}

// bounds returns a page of a topic without records. Numbers are those of the stream, of
// which a topic has some: where it is not known whether an event of the topic was
// removed, it is said to have been.
func (c *class) bounds(ctx context.Context, name string) (topic.Page, error) {
	subject := c.bus.subject("t", name)
	info, epoch, err := c.info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return topic.Page{}, err
	}
	p := topic.Page{Epoch: epoch, Begin: beginOf(info), Last: info.State.LastSeq}
	limit := info.Config.MaxMsgsPerSubject
	full := limit > 0 && info.State.Subjects[subject] >= uint64(limit)
	counted, _ := strconv.ParseUint(info.Config.Metadata[countedKey], 10, 64)
	if !full && counted <= p.Begin {
		return p, nil
	}
	first, _, err := c.get(ctx, directGet{Seq: 1, Subject: subject, Batch: 1})
	switch {
	case err != nil:
		return p, err
	case full && len(first) > 0: // it is the one more that is stored
		p.Begin = max(p.Begin, first[0].Number)
	case len(first) > 0:
		p.Begin = max(p.Begin, min(first[0].Number-1, counted))
	default:
		p.Begin = max(p.Begin, counted)
	}
	return p, nil
}

// beginOf returns the number behind which neither age nor the size of the stream has
// removed anything.
func beginOf(info *jetstream.StreamInfo) uint64 { return max(info.State.FirstSeq, 1) - 1 }

// last returns the number of the last event of a topic that is stored, or 0.
func (c *class) last(ctx context.Context, name string) (uint64, error) {
	records, _, err := c.get(ctx, directGet{LastOf: []string{c.bus.subject("t", name)}})
	if err != nil || len(records) == 0 {
		return 0, err
	}
	return records[0].Number, nil
}

// Back implements topic.Bus. JetStream tells how many messages of a subject are behind a number,
// so that the n-th from the end is found by halving.
func (b *Bus) Back(ctx context.Context, name string, n int) (topic.Place, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Place{}, err
	}
	at, err := c.back(ctx, name, n)
	if err != nil {
		return at, fmt.Errorf("cluster: %d events back in %s: %w", n, name, err)
	}
	return at, nil
}

func (c *class) back(ctx context.Context, name string, n int) (topic.Place, error) {
	epoch := c.currentEpoch()
	last, err := c.last(ctx, name)
	switch {
	case err != nil:
		return topic.Place{}, err
	case last == 0:
		return c.empty(ctx, name, n)
	case n <= 0:
		return topic.Place{Epoch: epoch, Number: last}, nil
	case n == 1:
		return topic.Place{Epoch: epoch, Number: last - 1}, nil
	}
	low, high := uint64(0), last-1 // at least n are behind low, or all; fewer than n, or n, are behind high
	for low < high {
		middle := low + (high-low+1)/2
		first, behind, err := c.get(ctx, directGet{Seq: middle + 1, Subject: c.bus.subject("t", name), Batch: 1})
		if err != nil {
			return topic.Place{}, err
		}
		if behind+uint64(len(first)) >= uint64(n) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	p, err := c.bounds(ctx, name)
	return topic.Place{Epoch: epoch, Number: max(low, p.Begin)}, err
}

// empty returns the place in a topic without stored events: behind all that the class has.
func (c *class) empty(ctx context.Context, name string, n int) (topic.Place, error) {
	p, err := c.bounds(ctx, name)
	if err != nil {
		return topic.Place{}, err
	}
	last, err := c.last(ctx, name)
	if last > 0 { // one has published to it meanwhile
		return c.back(ctx, name, n)
	}
	return topic.Place{Epoch: p.Epoch, Number: p.Last}, err
}

// Since implements topic.Bus.
func (b *Bus) Since(ctx context.Context, name string, at time.Time) (topic.Place, error) {
	c, err := b.class(name)
	if err != nil {
		return topic.Place{}, err
	}
	records, _, err := c.get(ctx, directGet{StartTime: &at, Subject: b.subject("t", name), Batch: 1})
	var p topic.Page
	switch {
	case err != nil:
	case len(records) == 0:
		return b.Back(ctx, name, 0)
	default:
		p, err = c.bounds(ctx, name)
	}
	if err != nil {
		return topic.Place{}, fmt.Errorf("cluster: events of %s since %s: %w", name, at, err)
	}
	return topic.Place{Epoch: p.Epoch, Number: max(records[0].Number-1, p.Begin)}, nil
}
