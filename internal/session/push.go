package session

import (
	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/wire"
)

// Items are encoded items that are pushed into the parked streams of many sessions. They
// are joined once, so that a stream gets all that it lacks by one copy.
type Items struct {
	numbers []uint64 // of each item, ascending
	joined  []byte   // the items with separators between them
	ends    []int    // of each item in joined
	gap     int      // the size of a separator
}

// JoinItems returns items of a format, each with its number.
func JoinItems(format wire.Format, numbers []uint64, items [][]byte) *Items {
	joined := &Items{numbers: numbers, gap: len(format.AppendSeparator(nil))}
	for i, item := range items {
		if i > 0 {
			joined.joined = format.AppendSeparator(joined.joined)
		}
		joined.joined = append(joined.joined, item...)
		joined.ends = append(joined.ends, len(joined.joined))
	}
	return joined
}

// after returns the index of the first item whose number is above n. Few streams have any
// of them.
func (it *Items) after(n uint64) (i int) {
	for i < len(it.numbers) && it.numbers[i] <= n {
		i++
	}
	return i
}

// begin returns where item i begins in joined.
func (it *Items) begin(i int) int {
	if i == 0 {
		return 0
	}
	return it.ends[i-1] + it.gap
}

// size returns the size of item i.
func (it *Items) size(i int) int { return it.ends[i] - it.begin(i) }

// A Parked is a parked stream and the number of the last item that it has.
type Parked struct {
	Stream *SendStream
	Last   uint64
}

// Push puts into parked streams of the session the items that each does not have, without
// waiting, and sets Last. A stream that does not take all of them is unparked. If flush is
// true, the caller must call FlushPushed next, without a lock.
//
// If nothing else is to be written, and a flush that has failed has left nothing, items go
// into the frame that the caller will flush, and become pending only when it is full.
func (s *Session) Push(items *Items, streams []Parked) (flush bool) {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	flush = !q.closed && q.claimFlush()
	var frame *frameBatch
	if flush && s.flusher.frames.count == 0 {
		frame = &s.flusher.frames
		frame.replay = q.replay
	}
	for i := range streams {
		streams[i].push(items, frame)
	}
	if frame != nil {
		q.taken += uint64(frame.count)
		q.unsent = q.taken
	}
	return flush
}

// FlushPushed writes what Push has put, as far as the socket accepts it without blocking.
// A goroutine writes the rest.
func (s *Session) FlushPushed() { s.flusher.flush(flushByPusher) }

// push is Push for one stream; frame may be nil. The queue's mutex must be held.
func (p *Parked) push(items *Items, frame *frameBatch) {
	ss := p.Stream
	q := &ss.Session.queue
	from, n := items.after(p.Last), len(items.ends)
	if !ss.parked || from == n {
		return
	}
	waiting := 0
	if frame == nil || len(q.ready) > 0 || frame.size()+len(items.joined)+messageOverhead > FrameSize {
		frame, waiting = nil, ss.pendingBytes()
	}
	to := from
	for ; to < n && ss.mayPush(items.size(to), waiting); to++ {
		if frame == nil {
			ss.appendSmall(items.joined[items.begin(to):items.ends[to]])
		} else {
			ss.credit.Spend(items.size(to))
		}
		waiting += items.size(to) + items.gap
	}
	if to > from {
		p.Last = items.numbers[to-1]
		ss.pushed(items.joined[items.begin(from):items.ends[to-1]], to-from, frame)
	}
	if to < n {
		ss.unpark()
	}
}

// mayPush reports whether an item of n bytes may be put into a parked stream in which so
// many bytes wait. The queue's mutex must be held.
func (ss *SendStream) mayPush(n, waiting int) bool {
	q := &ss.Session.queue
	switch {
	case q.closed || q.itemBytes >= ItemsSize:
		return false
	case n >= largeMessage || n+messageOverhead > ss.Session.peerMessage():
		return false
	case waiting > 0 && (waiting+n > streamItemsSize || ss.large.frame != nil):
		return false
	}
	return ss.credit.Allows(n)
}

// pushed has n items sent that have been put: those that are pending in the stream's turn,
// and those that have only been counted in the frame.
func (ss *SendStream) pushed(joined []byte, n int, frame *frameBatch) {
	q := &ss.Session.queue
	if frame == nil {
		q.enqueue(ss)
		return
	}
	q.scratch = q.form.AppendItems(buffers.Grow(q.scratch[:0], len(joined)+messageOverhead), ss.handle, n, joined)
	frame.add(q.form, q.scratch, q.single)
}
