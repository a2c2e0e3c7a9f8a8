package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A simulation is a stream with one topic that is followed, beside others.
type simulation struct {
	random *rand.Rand
	tail   tail
	last   uint64   // number in the stream
	begin  uint64   // what has been removed
	events []uint64 // of the topic, all that there were
	live   []liveMessage
	late   []func() // answers that have not been taken
}

type liveMessage struct {
	number, before uint64
}

func record(number uint64) topic.Record {
	return topic.Record{Number: number, Time: time.Unix(int64(number), 0), Data: make([]byte, 10)}
}

// behind returns the stored events behind a number, and whether the limit has cut some off.
func (s *simulation) behind(after uint64, limit int) (records []topic.Record, end bool) {
	for _, n := range s.events {
		if n > max(after, s.begin) {
			records = append(records, record(n))
		}
	}
	return records[:min(limit, len(records))], len(records) <= limit
}

func (s *simulation) publish() {
	if s.last++; s.random.IntN(2) == 0 {
		return // to another topic
	}
	m := liveMessage{number: s.last}
	if n := len(s.events); n > 0 && s.events[n-1] > s.begin {
		m.before = s.events[n-1]
	}
	s.events = append(s.events, m.number)
	if s.random.IntN(5) > 0 { // else it is lost
		s.live = append(s.live, m)
	}
}

// receive has a live message arrive, mostly the oldest.
func (s *simulation) receive() {
	if len(s.live) == 0 {
		return
	}
	i := 0
	if s.random.IntN(5) == 0 {
		i = s.random.IntN(len(s.live))
	}
	m := s.live[i]
	s.live = slices.Delete(s.live, i, i+1)
	s.tail.receive(record(m.number), m.before)
}

// read has a reader read the stream, who begins somewhere or at the end of the tail.
func (s *simulation) read() {
	after, stale := s.tail.through, s.tail.stale
	if s.random.IntN(2) == 0 {
		after = s.random.Uint64N(s.last + 1)
	}
	p := topic.Page{Epoch: "e", Begin: s.begin, Last: s.last}
	var end bool
	p.Records, end = s.behind(after, 3)
	s.late = append(s.late, func() {
		s.tail.extend(p, after, end)
		if end {
			s.tail.markVerified(stale)
		}
	})
}

// check compares the tail with the stream.
func (s *simulation) check() {
	stale := s.tail.stale
	found := checked{epoch: "e", begin: s.begin, through: s.last}
	if n := len(s.events); n > 0 && s.events[n-1] > s.begin {
		found.last = s.events[n-1]
	}
	s.late = append(s.late, func() { s.tail.compared(found, stale) })
}

// answer has an answer arrive.
func (s *simulation) answer() {
	if len(s.late) > 0 {
		i := s.random.IntN(len(s.late))
		s.late[i]()
		s.late = slices.Delete(s.late, i, i+1)
	}
}

// missing returns an error if the tail lacks an event that it says it has, or has another.
func (s *simulation) missing() error {
	for after := uint64(1); after <= s.tail.through; after++ {
		if !s.tail.covers(after) {
			continue
		}
		var want, got []uint64
		for _, n := range s.events {
			if n > after && n <= s.tail.through {
				want = append(want, n)
			}
		}
		for _, r := range s.tail.page(after, 1000).Records {
			got = append(got, r.Number)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("behind %d there are %d, want %d; %+v", after, got, want, s.tail)
		}
	}
	return nil
}

// A tail has all events of the interval that it covers, whatever is lost, late or removed.
func TestTail(t *testing.T) {
	for seed := range uint64(1000) {
		s := &simulation{random: rand.New(rand.NewPCG(seed, 1))}
		for range 200 {
			switch s.random.IntN(10) {
			case 0, 1, 2:
				s.publish()
			case 3, 4:
				s.receive()
			case 5:
				s.read()
			case 6:
				s.check()
			case 7, 8:
				s.answer()
			default:
				switch s.random.IntN(10) {
				case 0:
					s.begin += s.random.Uint64N(s.last - s.begin + 1)
				case 1:
					s.tail.markStale()
				default:
					s.tail.trim(8, time.Time{})
				}
			}
			if err := s.missing(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		s.settle(t, seed)
	}
}

// settle has all that is under way arrive, and the tail compared and read as it is by those
// who wait. It is at the end of the topic then.
func (s *simulation) settle(t *testing.T, seed uint64) {
	t.Helper()
	for len(s.live)+len(s.late) > 0 {
		s.receive()
		s.answer()
	}
	s.random = rand.New(rand.NewPCG(seed, 2))
	s.check()
	s.answer()
	for i := 0; s.tail.epoch == "" || s.tail.behind(); i++ {
		s.read()
		s.answer()
		if i > 1000 {
			t.Fatalf("seed %d: the tail stays behind: %+v", seed, s.tail)
		}
	}
	if n := len(s.events); n > 0 && s.events[n-1] > max(s.begin, s.tail.through) {
		t.Fatalf("seed %d: event %d is stored, and the tail ends at %d", seed, s.events[n-1], s.tail.through)
	}
}
