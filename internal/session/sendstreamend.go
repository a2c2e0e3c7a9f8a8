package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
)

// stop refuses further items. why is the error with which the stream ends, nil if the
// consumer cancelled it.
func (ss *SendStream) stop(why error) {
	ss.Session.queue.mu.Lock()
	if !ss.stopped {
		ss.stopped, ss.stopCause = true, why
	}
	ss.signal()
	ss.unpark()
	ss.Session.queue.mu.Unlock()
	ss.leaveScope()
}

// leaveScope removes the stream, which has ended or is no longer wanted, from its call
// scope. Only the first call has an effect.
func (ss *SendStream) leaveScope() {
	if ss.scope != nil && !ss.leftScope.Swap(true) {
		ss.scope.done()
	}
}

// Finish ends the stream behind its pending items, with an error or, if err is nil, as
// complete.
func (ss *SendStream) Finish(err *fault.Error) {
	buffers.Put(ss.scratch)
	ss.scratch = nil
	end := ss.encodeEnd(err)
	q := &ss.Session.queue
	q.mu.Lock()
	ss.stopped, ss.finished, ss.endObject = true, true, end
	if !q.closed {
		q.enqueue(ss)
	}
	q.mu.Unlock()
}

// Unwanted reports whether the consumer has cancelled the stream.
func (ss *SendStream) Unwanted() bool {
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	return ss.stopped && ss.stopCause == nil
}

// encodeEnd returns err as an error object within the peer's limit, or nil if err is
// nil.
func (ss *SendStream) encodeEnd(err *fault.Error) []byte {
	if err == nil {
		return nil
	}
	object := ss.Session.errorObject(err)
	if len(object)+messageOverhead > ss.Session.peerMessage() {
		return ss.Session.errorObject(shortened(err, ss.Session.peerMessage()))
	}
	return object
}

// Reason stops the stream and returns the error with which it ends, nil if it is
// complete. err is the error that the user's iterator yielded.
func (ss *SendStream) Reason(err error) error {
	if err == nil {
		err = ss.Failure
	}
	ss.Session.queue.mu.Lock()
	defer ss.Session.queue.mu.Unlock()
	stopped := ss.stopped
	ss.stopped = true
	switch {
	case err != nil && !(stopped && fault.Is(ss.stopCause, fault.ComeAgain)): // errors that the stop has caused do not count
		return err
	case stopped:
		return ss.stopCause
	}
	return ss.contextCause()
}

// contextCause returns why the call's context has ended, nil if it has not. An iterator
// that returns because of its context often does so before the context's end has stopped
// the stream, and must not appear to be complete.
func (ss *SendStream) contextCause() error {
	if err := context.Cause(ss.scope.ctx); err != nil {
		return err
	}
	return ss.Session.Err()
}

// appendEnd appends the message that ends the stream to b.
func (ss *SendStream) appendEnd(b *frameBatch) {
	q := &ss.Session.queue
	if ss.sub == nil {
		q.scratch = q.form.AppendEnd(q.scratch[:0], methodEnd, ss.handle, ss.endObject)
		b.add(q.form, q.scratch, q.single)
		return
	}
	for _, msg := range ss.sub.endMessages(ss.endObject) {
		b.add(q.form, msg, q.single)
	}
}
