package session

// A parked stream has no goroutine. What feeds it knows that it has come to the end of
// what there is, and puts what is new with PushItems. Everything else ends the parking, and
// the producer runs again: a stop of any kind, and an item for which there is no credit
// or no room, since only a goroutine can wait.

// Park parks the stream, unless it has stopped. Its producer must return then.
func (ss *SendStream) Park() bool {
	q := &ss.Session.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	ss.parked = !ss.stopped && !q.closed
	return ss.parked
}

// Stopped reports whether no further item is accepted.
func (ss *SendStream) Stopped() bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.stopped || ss.Session.queue.closed
}

// Unpark runs the producer of a parked stream.
func (ss *SendStream) Unpark() {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	ss.unpark()
}

// unpark is Unpark for callers with the queue's mutex.
func (ss *SendStream) unpark() {
	if ss.parked {
		ss.parked = false
		go ss.run()
	}
}

// A Push is what PushItems puts into one parked stream.
type Push struct {
	Stream *SendStream
	Items  [][]byte // encoded; they are not kept
	Put    int      // how many items have been put
}

// PushItems puts items into parked streams of one session, without waiting; one flush
// takes all. It sets Put before a producer that must put the rest runs.
func (s *Session) PushItems(pushes []Push) {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range pushes {
		p := &pushes[i]
		ss := p.Stream
		if !ss.parked {
			continue
		}
		for p.Put < len(p.Items) && ss.mayPush(len(p.Items[p.Put])) {
			ss.appendSmall(p.Items[p.Put])
			p.Put++
		}
		if p.Put > 0 {
			q.enqueue(ss)
		}
		if p.Put < len(p.Items) {
			ss.unpark()
		}
	}
}

// mayPush reports whether an item of n bytes may be put into a parked stream now. The
// queue's mutex must be held.
func (ss *SendStream) mayPush(n int) bool {
	return n < largeMessage && n+messageOverhead <= ss.Session.peerMessage() && ss.Session.queue.itemBytes < ItemsSize && ss.mayPut(n)
}
