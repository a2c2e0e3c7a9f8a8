package cluster

import (
	"cmp"
	"context"
	"strconv"
)

// checkedAtOnce is of how many topics one request asks for the last event. A server answers
// with 1,024 events at most.
const checkedAtOnce = 256

// quietOnes reports whether there was no event since the last check, and begins the next
// time.
func quietOnes(f *follower) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	quiet := !f.active
	f.active = false
	return quiet
}

func all(*follower) bool { return true }

// unchecked reports whether a follower was never checked.
func unchecked(f *follower) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.checked
}

// check compares followers with their streams: whether there are events whose live
// messages were lost. It is one request for many topics.
func (b *Bus) check(which func(*follower) bool) {
	byClass := make(map[*class][]*follower)
	for _, f := range b.all() {
		if which(f) {
			byClass[f.class] = append(byClass[f.class], f)
		}
	}
	for c, followers := range byClass {
		for len(followers) > 0 {
			n := min(len(followers), checkedAtOnce)
			c.check(followers[:n])
			followers = followers[n:]
		}
	}
}

// A checked topic is what a check finds in the stream.
type checked struct {
	epoch   string
	begin   uint64 // nothing behind it was removed because of its age or the size of the stream
	through uint64 // up to here the stream was compared; 0 if that is not known
	last    uint64 // the number of the last event, if it is behind the tail
}

// check compares followers of topics of the class with the stream.
func (c *class) check(followers []*follower) {
	ctx, cancel := context.WithTimeout(context.Background(), c.bus.quiet)
	defer cancel()
	stale := make([]int, len(followers))
	request := directGet{Seq: ^uint64(0)}
	for i, f := range followers {
		f.mu.Lock()
		stale[i] = f.tail.stale
		request.Seq = min(request.Seq, f.tail.through+1)
		f.mu.Unlock()
		request.LastOf = append(request.LastOf, c.bus.subject("t", f.name))
	}
	lasts, found, err := c.lasts(ctx, request)
	if err != nil {
		return // the next check will see
	}
	for i, f := range followers {
		found.last = lasts[request.LastOf[i]]
		f.compared(found, stale[i])
	}
}

// lasts returns the numbers of last events by their subjects, and the state of the stream.
func (c *class) lasts(ctx context.Context, request directGet) (map[string]uint64, checked, error) {
	before, epoch, err := c.info(ctx)
	if err != nil {
		return nil, checked{}, err
	}
	got, err := c.getAll(ctx, request)
	if err != nil {
		return nil, checked{}, err
	}
	numbers := make(map[string]uint64)
	for _, m := range got.messages {
		r, _, err := recordOf(m)
		if err != nil {
			return nil, checked{}, err
		}
		numbers[m.Header.Get("Nats-Subject")] = r.Number
	}
	found := checked{through: before.State.LastSeq}
	if before.Config.Replicas > 1 { // another server may have answered, which lags
		found.through = 0
	}
	if end := got.end.Get("Nats-UpTo-Sequence"); end != "" {
		found.through, err = strconv.ParseUint(end, 10, 64)
	}
	after, epochAfter, errAfter := c.info(ctx)
	if err := cmp.Or(err, errAfter); err != nil {
		return nil, checked{}, err
	}
	if epochAfter != epoch {
		found.through = 0
	}
	found.epoch, found.begin = epochAfter, beginOf(after)
	if got.end.Get("Nats-Num-Pending") != "0" && got.end.Get("Nats-Num-Pending") != "" {
		found.through = 0 // there are more of them
	}
	return numbers, found, nil
}

// compared takes what a check has found, and wakes who waits if there may be more to read.
func (f *follower) compared(found checked, stale int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = true
	f.tail.compared(found, stale)
	if f.tail.epoch == "" || f.tail.behind() {
		f.fire()
	}
}
