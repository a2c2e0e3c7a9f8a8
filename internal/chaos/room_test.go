package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A room is what the test knows of a room: what was to be stored, and in which order the
// posts came to those who have subscribed.
type room struct {
	name string

	mu     sync.Mutex
	order  []topic.Event[Post]  // as the subscriber has them that has most
	stored map[string]topic.Seq // of the posts that are acknowledged, by id
}

func newRoom(name string) *room { return &room{name: name, stored: make(map[string]topic.Seq)} }

// got compares the event that a subscriber has as its n-th with what others have.
func (r *room) got(n int, e topic.Event[Post]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n == len(r.order) {
		r.order = append(r.order, e)
	}
	if have := r.order[n]; have.Seq != e.Seq || have.Value != e.Value {
		return fmt.Errorf("event %d of %s is %s %v, and to others %s %v", n, r.name, e.Seq, e.Value, have.Seq, have.Value)
	}
	return nil
}

// acknowledge notes that a post is known to be stored.
func (r *room) acknowledge(p Post, at topic.Seq) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored[p.id()] = at
}

// log returns what a bus has stored of the room.
func (r *room) log(ctx context.Context, bus topic.Bus) (log []topic.Event[Post], err error) {
	for after := uint64(0); ; {
		p, err := bus.Read(ctx, topic.Name(classOfRooms, r.name), after, 256)
		if err != nil || len(p.Records) == 0 {
			return log, err
		}
		for _, rec := range p.Records {
			e := topic.Event[Post]{Seq: topic.Place{Epoch: p.Epoch, Number: rec.Number}.Seq()}
			if err := json.Unmarshal(rec.Data, &e.Value); err != nil {
				return nil, err
			}
			log = append(log, e)
			after = rec.Number
		}
	}
}

// check compares what is stored with what was acknowledged and with what has come.
func (r *room) check(t *testing.T, log []topic.Event[Post]) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(log) != len(r.order) || len(log) != len(r.stored) {
		t.Errorf("%s: %d posts are stored, %d acknowledged, %d delivered", r.name, len(log), len(r.stored), len(r.order))
	}
	last := make(map[string]int) // post of each author
	for i, e := range log {
		if i < len(r.order) && (r.order[i].Seq != e.Seq || r.order[i].Value != e.Value) {
			t.Errorf("%s: %s %v is stored where %s %v has come", r.name, e.Seq, e.Value, r.order[i].Seq, r.order[i].Value)
			return
		}
		if e.Value.N != last[e.Value.Author]+1 {
			t.Errorf("%s: %v is stored behind %d", r.name, e.Value, last[e.Value.Author])
		}
		last[e.Value.Author] = e.Value.N
		if at := r.stored[e.Value.id()]; at != e.Seq {
			t.Errorf("%s: %v is stored at %s and was acknowledged as %q", r.name, e.Value, e.Seq, at)
		}
	}
}
