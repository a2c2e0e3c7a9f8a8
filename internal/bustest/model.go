package bustest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A Model is a test with random operations: one publishes while others read at random
// speeds, leave, come back with what they have, and rewind. A reader gets the next event
// of the list of all that was published, or a gap that retention has made.
type Model struct {
	Bus       topic.Bus // where the model publishes
	Topic     string    // nobody else publishes to it
	Retention topic.Retention
	Overhead  int  // bytes that the bus counts for an event besides its JSON, at most
	Early     bool // a gap may also be said where only the reader's last event was removed

	Events  int           // how many are published
	Readers int           // how many read
	Pause   time.Duration // between two events at most; slow readers pause for up to ten times as long

	// Subscribe subscribes a reader, as Topic.Subscribe does, or Topic.Latest. If it is nil,
	// it is they, on Bus.
	Subscribe func(ctx context.Context, name string, after topic.Seq, latest bool) (iter.Seq2[topic.Event[string], error], error)

	// Fault is called by the publisher now and then, if it is not nil. What is published
	// meanwhile may fail, and is published again.
	Fault func()

	to  *topic.Topic[string]
	log log
}

// Run runs the model.
func (m *Model) Run(t *testing.T, random *rand.Rand) {
	m.to = topic.New[string](m.Bus, m.Topic)
	if m.Subscribe == nil {
		m.Subscribe = m.local
	}
	m.log.recorded = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers sync.WaitGroup
	for i := range m.Readers {
		r := &reader{Model: m, t: t, random: rand.New(rand.NewPCG(random.Uint64(), uint64(i))), slow: i%3 == 1, latest: i%5 == 4}
		readers.Go(func() {
			r.run(ctx)
			if t.Failed() {
				cancel() // the others would wait for what is not published any more
			}
		})
	}
	done := make(chan struct{})
	go func() {
		readers.Wait()
		close(done)
	}()
	m.publish(ctx, t, random, done)
	<-done
}

func (m *Model) local(ctx context.Context, _ string, after topic.Seq, latest bool) (iter.Seq2[topic.Event[string], error], error) {
	if latest {
		return m.to.Latest(ctx, after), nil
	}
	return m.to.Subscribe(ctx, after), nil
}

// publish publishes all events. Where age removes them, others follow until all have read,
// since who has come late would wait for ever.
func (m *Model) publish(ctx context.Context, t *testing.T, random *rand.Rand, done <-chan struct{}) {
	for i := 0; i < m.Events || m.Retention.Age > 0; i++ {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		default:
		}
		if err := m.publishOne(ctx, i, random); err != nil {
			if ctx.Err() == nil {
				t.Errorf("publish event %d: %v", i, err)
			}
			return
		}
		if m.Fault != nil && random.IntN(20) == 0 {
			m.Fault()
		}
		if random.IntN(4) == 0 { // several come at once
			pause(random, m.Pause)
		}
	}
}

// publishOne publishes event i in one of the ways there are.
func (m *Model) publishOne(ctx context.Context, i int, random *rand.Rand) error {
	v := fmt.Sprint(i, strings.Repeat("x", random.IntN(40)))
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	begun := time.Now()
	last := m.log.last()
	var at topic.Seq
	var err error
	switch way := random.IntN(4); {
	case way == 0 || m.Fault != nil:
		at, err = m.again(ctx, fmt.Sprint(i), v)
	case way == 1 && last != "":
		at, err = m.condition(ctx, last, v)
	default:
		at, err = m.to.Publish(ctx, v)
	}
	if err != nil {
		return err
	}
	if at == last || at.Number() <= last.Number() {
		return fmt.Errorf("it is at %q, behind %q", at, last)
	}
	m.log.add(at, begun, len(v)+2+m.Overhead)
	return nil
}

// again publishes an event with an id until it is known to be stored, and once more.
func (m *Model) again(ctx context.Context, id, v string) (at topic.Seq, err error) {
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		at, err = m.to.PublishOnce(try, id, v)
		cancel()
		if err == nil || m.Fault == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil || m.Fault != nil || m.Retention.Age > 0 { // a bus may remember ids only so long
		return at, err
	}
	second, err := m.to.PublishOnce(ctx, id, v)
	if second != at && err == nil {
		err = fmt.Errorf("published again it is at %q in place of %q", second, at)
	}
	return at, err
}

// condition publishes an event behind the last one, and another behind the one before.
func (m *Model) condition(ctx context.Context, last topic.Seq, v string) (topic.Seq, error) {
	if m.Retention.Age > 0 { // the last one may not be stored
		return m.to.Publish(ctx, v)
	}
	at, err := m.to.PublishAfter(ctx, last, v)
	if err != nil {
		return at, err
	}
	_, err = m.to.PublishAfter(ctx, last, "another")
	conflict, ok := errors.AsType[*topic.ConflictError](err)
	if !ok || conflict.Last != at {
		return at, fmt.Errorf("published after another than the last, %q: %v", at, err)
	}
	return at, nil
}

// pause sleeps for up to a duration.
func pause(random *rand.Rand, d time.Duration) {
	if d > 0 {
		time.Sleep(time.Duration(random.Int64N(int64(d))))
	}
}

// A log is the list of all that was published.
type log struct {
	mu       sync.RWMutex // locked while an event is published, so that who reads sees it with its place
	all      []logged
	recorded chan struct{} // closed by the next event
}

// A logged event is one of the list.
type logged struct {
	at     topic.Seq
	begun  time.Time // when it was about to be published
	before int       // bytes of the events before it
	bytes  int
}

// last returns the place of the last event, or the empty one. The mutex must be held.
func (l *log) last() topic.Seq {
	if len(l.all) == 0 {
		return ""
	}
	return l.all[len(l.all)-1].at
}

// add adds an event. The mutex must be held.
func (l *log) add(at topic.Seq, begun time.Time, bytes int) {
	e := logged{at: at, begun: begun, bytes: bytes}
	if n := len(l.all); n > 0 {
		e.before = l.all[n-1].before + l.all[n-1].bytes
	}
	l.all = append(l.all, e)
	close(l.recorded)
	l.recorded = make(chan struct{})
}

// at returns event i, which somebody has read, when it is in the list.
func (l *log) at(ctx context.Context, i int) (logged, error) {
	for {
		l.mu.RLock()
		n, recorded := len(l.all), l.recorded
		if i < n {
			defer l.mu.RUnlock()
			return l.all[i], nil
		}
		l.mu.RUnlock()
		select {
		case <-recorded:
		case <-ctx.Done():
			return logged{}, fmt.Errorf("event %d was never published", i)
		}
	}
}

// behind returns the index of the first event behind a place.
func (l *log) behind(after topic.Seq) int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := 0
	for i < len(l.all) && l.all[i].at.Number() <= after.Number() {
		i++
	}
	return i
}

// removed reports whether retention may have removed event i.
func (m *Model) removed(i int) bool {
	m.log.mu.RLock()
	defer m.log.mu.RUnlock()
	n := len(m.log.all)
	if i < 0 || i >= n {
		return i < 0
	}
	keep, e, last := m.Retention, m.log.all[i], m.log.all[n-1]
	return keep.Events > 0 && i < n-keep.Events ||
		keep.Age > 0 && time.Since(e.begun) >= keep.Age ||
		keep.Bytes > 0 && last.before+last.bytes-e.before > keep.Bytes
}
