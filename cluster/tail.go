package cluster

import (
	"time"

	"github.com/wirecall/wirecall/rpc/topic"
)

// What a tail holds of a topic, at most; the last event whatever its size.
const (
	tailEvents = 256
	tailBytes  = 256 << 10
)

// A tail is the end of a topic: all its events in an interval of the numbers of its stream,
// which holds the events of other topics, too. The zero tail is unknown.
type tail struct {
	epoch   string // empty while the tail is unknown
	begin   uint64 // the topic began behind it, when the stream was read last
	from    uint64 // the interval begins behind it
	through uint64 // and ends with it
	last    uint64 // the number of the last event in the interval, or before it

	records []topic.Record // of the interval; shared with readers, so that none is changed
	bytes   int            // of their data

	published uint64 // the number of the last event that was published live
	stale     int    // counts when the tail may have come to lack events, or be of a past epoch
	verified  int    // the value of stale when the last comparison with the stream began
}

// behind reports whether there may be events that the tail lacks.
func (t *tail) behind() bool { return t.stale > t.verified || t.published > t.through }

// markStale marks the tail as one that is to be compared with the stream.
func (t *tail) markStale() { t.stale++ }

// markVerified marks the tail as compared with the stream, by a comparison that began when
// stale had the value.
func (t *tail) markVerified(stale int) { t.verified = max(t.verified, stale) }

// reset makes the tail unknown.
func (t *tail) reset() { *t = tail{stale: t.stale, verified: t.verified} }

// covers reports whether the tail has all events behind a number, up to its end. Readers
// at 0 begin with what is stored, which only the stream knows.
func (t *tail) covers(after uint64) bool {
	return t.epoch != "" && after > 0 && t.from <= after && after <= t.through
}

// page returns events behind a number that the tail covers.
func (t *tail) page(after uint64, limit int) topic.Page {
	first := len(t.records)
	for first > 0 && t.records[first-1].Number > after {
		first--
	}
	end := min(first+limit, len(t.records))
	return topic.Page{Epoch: t.epoch, Begin: min(t.begin, t.from), Last: t.through, Records: t.records[first:end:end]}
}

// receive adds an event that was published live, behind the event of its topic with the number
// before. If that is not the last of the tail, events are missing between.
func (t *tail) receive(r topic.Record, before uint64) {
	switch {
	case t.epoch == "":
		t.markStale() // one may be reading the stream that has not seen it
		return
	case r.Number > t.through:
		t.published = max(t.published, r.Number)
	case !t.has(r):
		t.markStale() // it is late, or of another epoch
	}
	if r.Number > t.through && before == t.last && before > 0 && t.stale == t.verified {
		t.add(r)
	}
}

// has reports whether the tail has an event.
func (t *tail) has(r topic.Record) bool {
	for i := len(t.records) - 1; i >= 0 && t.records[i].Number >= r.Number; i-- {
		if t.records[i].Number == r.Number {
			return t.records[i].Time.Equal(r.Time)
		}
	}
	return false
}

func (t *tail) add(r topic.Record) {
	t.records = append(t.records, r)
	t.bytes += len(r.Data)
	t.last, t.through = r.Number, r.Number
}

// extend adds what was read behind a number: if nothing is missing between, to the end;
// otherwise in place of it, if the page is the end of the topic.
func (t *tail) extend(p topic.Page, after uint64, end bool) {
	if t.epoch != p.Epoch {
		t.reset()
	}
	if !t.covers(after) || p.Begin > t.through {
		from := max(after, p.Begin)
		if !end || t.epoch != "" && last(p, from) < t.through {
			return
		}
		published := t.published
		t.reset()
		t.epoch, t.from, t.through, t.last, t.published = p.Epoch, from, from, from, published
	}
	t.begin = p.Begin
	for _, r := range p.Records {
		if r.Number > t.through {
			t.add(r)
		}
	}
}

// last returns the number of the last record of a page, or another if there is none.
func last(p topic.Page, none uint64) uint64 {
	if len(p.Records) == 0 {
		return none
	}
	return p.Records[len(p.Records)-1].Number
}

// compared takes what was found in the stream by a comparison that began when stale
// had the value: the tail ends later, or lacks events.
func (t *tail) compared(found checked, stale int) {
	switch {
	case t.epoch != found.epoch || found.begin > t.through:
		t.reset() // events may have been removed that the tail never had
	case found.last > t.through:
		t.published = max(t.published, found.last)
	case found.through > 0:
		t.through = max(t.through, found.through)
		t.markVerified(stale)
	}
}

// trim removes what exceeds the limits or is older than a time.
func (t *tail) trim(events int, oldest time.Time) {
	n := 0
	for ; n < len(t.records); n++ {
		r, left := t.records[n], len(t.records)-n
		if left <= events && (left == 1 || t.bytes <= tailBytes) && !r.Time.Before(oldest) {
			break
		}
		t.bytes -= len(r.Data)
		t.from = r.Number
	}
	if t.records = t.records[n:]; len(t.records) == 0 {
		t.records = nil // with the array behind it
	}
}
