package topic

import (
	"slices"
	"sync"
	"time"
)

// A memoryTopic is a topic of a Memory.
type memoryTopic struct {
	epoch     string
	retention Retention

	followers int  // guarded by Memory.mu
	published bool // guarded by Memory.mu

	mu      sync.Mutex
	records []Record // numbered without holes up to last; shared with readers, so that none is changed
	last    uint64
	bytes   int // of the records' data
	once    onceIDs
	expiry  *time.Timer   // removes records by their age; nil without such a limit
	changed chan struct{} // closed by the next append; nil while nobody waits
}

// append stores an event.
func (t *memoryTopic) append(e Entry) (Place, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if n := t.once.number(e.ID, now); n > 0 {
		return Place{t.epoch, n}, nil
	}
	if last := t.lastSeq(); e.Conditional && e.Expect != last {
		return Place{}, &ConflictError{Last: last}
	}
	t.last++
	t.once.add(e.ID, t.last, now)
	t.records = append(t.records, Record{Number: t.last, Time: now, Data: e.Data, value: e.value})
	t.bytes += len(e.Data)
	t.trim(now)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
	return Place{t.epoch, t.last}, nil
}

// lastSeq returns the Seq of the last event, or the empty one. The mutex must be held.
func (t *memoryTopic) lastSeq() Seq {
	if t.last == 0 {
		return ""
	}
	return Place{t.epoch, t.last}.Seq()
}

// trim removes the records that are not kept any more. The mutex must be held.
func (t *memoryTopic) trim(now time.Time) {
	keep := t.retention
	for len(t.records) > 0 {
		first := t.records[0]
		if !(keep.Events > 0 && len(t.records) > keep.Events ||
			keep.Bytes > 0 && t.bytes > keep.Bytes && len(t.records) > 1 ||
			keep.Age > 0 && now.Sub(first.Time) >= keep.Age) {
			break
		}
		t.bytes -= len(first.Data)
		t.records = t.records[1:]
	}
	if len(t.records) == 0 {
		t.records = nil // with the array behind it
	}
	t.expire(now)
}

// expire has the first record removed when it is too old, so that a topic without
// publishers does not keep it. The mutex must be held.
func (t *memoryTopic) expire(now time.Time) {
	if t.retention.Age <= 0 || len(t.records) == 0 {
		return
	}
	in := t.records[0].Time.Add(t.retention.Age).Sub(now)
	if t.expiry != nil {
		t.expiry.Reset(in)
		return
	}
	t.expiry = time.AfterFunc(in, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.trim(time.Now())
	})
}

// begin returns the number behind which all records are there. The mutex must be held.
func (t *memoryTopic) begin() uint64 { return t.last - uint64(len(t.records)) }

// page returns records behind a number.
func (t *memoryTopic) page(after uint64, limit int) Page {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim(time.Now())
	begin := t.begin()
	p := Page{Epoch: t.epoch, Begin: begin, Last: t.last}
	if after < t.last {
		from := int(max(after, begin) - begin)
		p.Records = t.records[from:min(from+limit, len(t.records)):len(t.records)]
	}
	return p
}

// back returns the place behind which the last n records are.
func (t *memoryTopic) back(n int) Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim(time.Now())
	return Place{t.epoch, t.last - uint64(min(max(n, 0), len(t.records)))}
}

// since returns the place behind which the records of a time or later are.
func (t *memoryTopic) since(at time.Time) Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim(time.Now())
	older, _ := slices.BinarySearchFunc(t.records, at, func(r Record, at time.Time) int { return r.Time.Compare(at) })
	return Place{t.epoch, t.begin() + uint64(older)}
}

// next returns a channel that the next append closes.
func (t *memoryTopic) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

// onceFor is how long ids of events are remembered.
const onceFor = 2 * time.Minute

// onceIDs are the numbers of events by their ids, for a while. The zero onceIDs is empty.
type onceIDs struct {
	numbers map[string]uint64
	added   []onceID // oldest first
}

type onceID struct {
	id string
	at time.Time
}

// number returns the number of the event with an id, or 0 if none is known.
func (o *onceIDs) number(id string, now time.Time) uint64 {
	forgotten := 0
	for _, a := range o.added {
		if now.Sub(a.at) < onceFor {
			break
		}
		delete(o.numbers, a.id)
		forgotten++
	}
	o.added = o.added[forgotten:]
	return o.numbers[id]
}

// add remembers the number of an event, if it has an id.
func (o *onceIDs) add(id string, n uint64, now time.Time) {
	if id == "" {
		return
	}
	if o.numbers == nil {
		o.numbers = make(map[string]uint64)
	}
	o.numbers[id] = n
	o.added = append(o.added, onceID{id, now})
}
