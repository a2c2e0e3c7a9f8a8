package session

// A parked stream has no goroutine. What feeds it knows that it has come to the end of
// what there is, and puts what is new with Push. Everything else ends the parking, and
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
