package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"
)

const (
	patience   = time.Second            // what a measured call beside something may take
	slowness   = 100 * time.Millisecond // what a slow consumer takes for an item
	uploadSize = 64 << 20
)

// patience is what a call beside something may take. A check asks whether its
// answer comes and is right, not when: a loaded machine must not decide it.
func (j *Job) patience() time.Duration {
	if j.tiny() {
		return time.Minute
	}
	return patience
}

// settling is how long the buffers on the way get to fill before the calls
// beside a stream are measured.
func (w Work) settling() time.Duration {
	if w.Slow {
		return time.Second
	}
	return 200 * time.Millisecond
}

// beside makes calls, one at a time, first alone and then beside a stream on
// the same connection.
func (j *Job) beside(ctx context.Context) (s Sample, err error) {
	clients, err := j.dial(ctx, 1)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	if err := j.alone(ctx, clients[0], &s); err != nil {
		return s, err
	}
	start, err := j.usage()
	if err != nil {
		return s, err
	}
	feed := j.feed(ctx, clients[0])
	if err := j.settle(); err != nil {
		return s, err
	}
	consumed, began := feed.got.Load(), time.Now()
	err = j.patiently(ctx, clients[0], &s, feed.ended)
	s.Items = float64(feed.got.Load()-consumed) / time.Since(began).Seconds()
	if end, err := j.usage(); err == nil {
		s.Ahead, s.Peak = end.since(start).Sent-feed.got.Load(), mib(end.Peak)
	}
	if j.tiny() {
		<-feed.ended
	}
	select {
	case <-feed.ended:
		s.Ended = feed.err.Error()
	default:
	}
	if j.tiny() && s.Ended != io.EOF.Error() {
		return s, feed.err
	}
	return s, err
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// alone measures calls with nothing beside them.
func (j *Job) alone(ctx context.Context, c Client, s *Sample) error {
	lanes := newLanes([]Client{c}, 1, false)
	if err := lanes.run(ctx, j.Duration/warmth, 1); err != nil {
		return err
	}
	if err := lanes.run(ctx, j.Duration/2, turns); err != nil {
		return err
	}
	took := lanes.took()
	s.Alone50, s.Alone99 = micros(quantile(took, 0.50)), micros(quantile(took, 0.99))
	return nil
}

// A feeding is a stream that is being consumed.
type feeding struct {
	got   atomic.Int64
	ended chan struct{}
	err   error // after ended; io.EOF where all is well
}

// feed consumes a stream without end, or for a check a short one.
func (j *Job) feed(ctx context.Context, c Client) *feeding {
	var (
		f     = &feeding{ended: make(chan struct{})}
		count = &tally{}
		pause time.Duration
	)
	if j.tiny() {
		count.feed.N = 200
	} else if j.Work.Slow {
		pause = slowness
	}
	go func() {
		defer close(f.ended)
		f.err = c.Items(ctx, count.feed, func(it Item) error {
			f.got.Add(1)
			if pause > 0 {
				time.Sleep(pause)
			}
			return count.add(it)
		})
		if f.err == nil {
			f.err = count.done()
		}
		if f.err == nil {
			f.err = io.EOF
		}
	}()
	return f
}

// settle waits until the producer of a slow consumer stands still, and for a
// while at most.
func (j *Job) settle() error {
	if j.tiny() {
		return nil
	}
	for end, last := time.Now().Add(j.Work.settling()), int64(-1000); time.Now().Before(end); {
		u, err := j.serverUsage("Usage")
		if err != nil {
			return err
		}
		if j.Work.Slow && u.Sent > 0 && u.Sent-last < 20 {
			return nil
		}
		last = u.Sent
		time.Sleep(slowness)
	}
	return nil
}

// besides is how long calls are made beside a stream: with a slow consumer for a
// few of its items.
func (j *Job) besides() time.Duration {
	if j.Work.Slow && !j.tiny() {
		return max(j.Duration, 3*slowness)
	}
	return j.Duration
}

// A trial is one call that was made patiently.
type trial struct {
	took time.Duration
	err  error
}

// patiently makes one call after the other, each with j's patience, for the
// job's duration, or until over where that has no duration of its own.
func (j *Job) patiently(ctx context.Context, c Client, s *Sample, over <-chan struct{}) error {
	var took []time.Duration
	until := time.Now().Add(j.besides())
	for id := int64(0); ; id++ {
		t, ok := try(ctx, c, id, j.patience())
		switch {
		case !ok || t.err != nil && t.took > j.patience()*9/10:
			s.Timeouts++
		case t.err != nil:
			return t.err
		default:
			took = append(took, t.took)
		}
		if !ok || j.enough(over, until, int(id)+1) {
			break
		}
	}
	s.Ops = int64(len(took))
	s.P50, s.P99 = micros(quantile(took, 0.50)), micros(quantile(took, 0.99))
	return nil
}

// enough reports whether that is all, after so many calls.
func (j *Job) enough(over <-chan struct{}, until time.Time, calls int) bool {
	if j.Work.Kind == Upload {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	return calls > 0 && !time.Now().Before(until)
}

// try makes a call. It does not wait for one that ignores its deadline: ok is then
// false.
func try(ctx context.Context, c Client, id int64, patience time.Duration) (t trial, ok bool) {
	done := make(chan trial, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		start := time.Now()
		err := c.Echo(ctx, id)
		done <- trial{time.Since(start), err}
	}()
	select {
	case t := <-done:
		return t, true
	case <-time.After(patience * 3 / 2):
		return t, false
	}
}

// upload sends 64 MiB in chunks, again and again, and makes calls beside it.
func (j *Job) upload(ctx context.Context) (s Sample, err error) {
	clients, err := j.dial(ctx, 1)
	if err != nil {
		return s, err
	}
	defer hangUp(clients)
	up, ok := clients[0].(Uploader)
	if !ok {
		return s, errNoUploads
	}
	if err := j.alone(ctx, clients[0], &s); err != nil {
		return s, err
	}
	before, err := j.tidy()
	if err != nil {
		return s, err
	}
	var failed error
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.Rate, failed = j.uploads(ctx, up)
	}()
	err = j.patiently(ctx, clients[0], &s, over)
	<-over
	after, err2 := j.usage()
	s.Peak = mib(after.Peak) - mib(before.RSS)
	return s, errors.Join(err, failed, err2)
}

// uploads makes one upload after the other for the job's duration, and one at
// least. It returns how many MiB went up a second.
func (j *Job) uploads(ctx context.Context, up Uploader) (rate float64, err error) {
	size, sent := uploadSize, 0
	if j.tiny() {
		size = 1 << 20
	}
	start := time.Now()
	for sent == 0 || time.Since(start) < j.Duration {
		if err := send(ctx, up, size); err != nil {
			return 0, err
		}
		sent += size
	}
	return mib(uint64(sent)) / time.Since(start).Seconds(), nil
}

func send(ctx context.Context, up Uploader, size int) error {
	got, err := up.Upload(ctx, chunks(size))
	if err == nil && got != int64(size) {
		err = fmt.Errorf("%w: %d bytes of %d arrived", errWrong, got, size)
	}
	return err
}

// chunks is so many bytes, 32 KiB at a time.
func chunks(size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for range size / len(chunk) {
			if !yield(chunk) {
				return
			}
		}
	}
}
