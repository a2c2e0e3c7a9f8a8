package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/fault"
)

// hasCredit reports whether the consumer accepts an item of n bytes, or the stream has
// stopped, so that no credit will come.
func (ss *SendStream) hasCredit(n int) bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.credit.Allows(n) || ss.stopped || ss.Session.queue.closed
}

// awaitCredit waits until the consumer accepts an item of n bytes. It returns false if
// the stream has stopped.
func (ss *SendStream) awaitCredit(n int) bool {
	q := &ss.Session.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for !ss.credit.Allows(n) && !ss.stopped && !q.closed {
		ss.producerWaits = true
		q.mu.Unlock()
		ss.timedWait()
		q.mu.Lock()
	}
	return !ss.stopped && !q.closed
}

// awaitTurn waits until an item of n bytes may be put. If it returns true, the queue's
// mutex is held.
func (ss *SendStream) awaitTurn(n int) bool {
	q := &ss.Session.queue
	q.mu.Lock()
	for !ss.mayPut(n) {
		if ss.stopped || q.closed {
			q.mu.Unlock()
			return false
		}
		ss.producerWaits = true
		q.mu.Unlock()
		if err := ss.timedWait(); err != nil {
			ss.Failure = err
			return false
		}
		q.mu.Lock()
	}
	return true
}

// mayPut reports whether an item of n bytes may be put now. If the queue has no room it
// registers the stream for a signal.
func (ss *SendStream) mayPut(n int) bool {
	q := &ss.Session.queue
	switch {
	case ss.stopped || q.closed:
		return false
	case ss.sub == nil && !ss.credit.Allows(n):
		return false
	case ss.pendingBytes() > 0 && (ss.pendingBytes()+n > streamItemsSize || n >= largeMessage && ss.sub == nil || ss.large.frame != nil):
		return false // appendTo signals
	case q.itemBytes >= ItemsSize:
		if !ss.waitsForRoom {
			ss.waitsForRoom = true
			q.itemWaiters = append(q.itemWaiters, ss)
		}
		return false
	}
	return true
}

// timedWait calls wait and adds the time to Blocked if Timed is set.
func (ss *SendStream) timedWait() error {
	if ss.Timed {
		begun := time.Now()
		defer func() { ss.Blocked += time.Since(begun) }()
	}
	return ss.wait()
}

var errSlowConsumer = &fault.Error{Code: fault.SlowConsumer, Message: "slow consumer: the subscription was not read"}

// wait blocks until signal. A plain subscription, which has no credit, fails with
// errSlowConsumer if the transport makes no progress for subscribeWait.
func (ss *SendStream) wait() error {
	if ss.sub == nil {
		<-ss.wake
		return nil
	}
	taken, _ := ss.Session.transport.Progress()
	t := time.NewTimer(subscribeWait)
	defer t.Stop()
	for {
		select {
		case <-ss.wake:
			return nil
		case <-t.C:
		}
		now, _ := ss.Session.transport.Progress()
		if now == taken {
			return errSlowConsumer
		}
		taken = now
		t.Reset(subscribeWait)
	}
}

// signal wakes the producer if it is blocked in wait. The queue's mutex must be held.
func (ss *SendStream) signal() {
	if ss.producerWaits {
		ss.producerWaits = false
		ss.wake <- struct{}{}
	}
}

// applyCredit applies a credit message of the consumer.
func (ss *SendStream) applyCredit(taken uint64, items, bytes int) error {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	if err := ss.credit.Grant(taken, items, bytes); err != nil {
		return err
	}
	ss.signal()
	return nil
}
