package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// outgoingCalls owns the calls to the peer: the unanswered ones, and the callers that
// wait until the peer accepts another.
type outgoingCalls struct {
	session *Session
	spares  [spareCalls]atomic.Pointer[OutgoingCall]

	mu           sync.Mutex
	open         idTable[OutgoingCall]
	lastID       uint64       // the last id used
	free         int          // how many more calls the peer accepts
	waiters      []chan error // callers above that, in order; each receives one value: nil for a free call
	draining     bool         // this side drains: only handlers that serve the peer may call it
	peerDraining bool         // the peer drains: only handlers of its unanswered calls may call it
	lastAccepted int64        // the highest id of a request that a draining peer accepts
	ended        error        // the error of calls that begin from now on; nil before the end
}

// An OutgoingCall is a call to the peer that has not been answered. A caller whose
// context ends abandons it: its id stays in use until the answer arrives, so that both
// sides count the same calls.
type OutgoingCall struct {
	owner     *outgoingCalls
	done      chan struct{} // receives one value when the fields of the answer are set
	id        uint64
	uncounted bool // it takes no place of those that the peer accepts

	frame     uint64 // the number of the request's frame, notQueued before it has one; guarded by the queue's mutex
	abandoned bool   // guarded by outgoingCalls.mu
	Result    []byte
	buffer    []byte // holds Result if it is large; nil otherwise
	Deep      bool   // see wire.Message
	Streams   []*RecvStream
	Meta      map[string]string
	Err       error // the error answered, or that of the session's end
}

// notQueued is greater than every frame number.
const notQueued = math.MaxUint64

// spareCalls is how many OutgoingCalls a session keeps for reuse: about as many as there
// are callers that have an answer and have not called again. A sync.Pool shared by all
// sessions would not work in tests, since a channel belongs to the synctest bubble that
// made it.
const spareCalls = 4

var errCallLimit = errors.New("the peer serves no more calls at once")

// begin waits under ctx until the peer accepts another call, and returns it with an id.
// An uncounted one is accepted at once.
func (c *outgoingCalls) begin(ctx context.Context, uncounted bool) (*OutgoingCall, error) {
	in := CallFromContext(ctx)
	if in != nil && in.ID == nil && in.Session.Events == c.session.Events {
		in.ReleaseHold()
	}
	call := c.newCall()
	c.mu.Lock()
	var err error
	if !uncounted {
		err = c.acquire(ctx, in)
	}
	if err == nil {
		err = c.ended // since the peer accepts the call that acquire has waited for
	}
	if err != nil {
		c.mu.Unlock()
		call.Recycle()
		return nil, err
	}
	c.lastID++
	call.id, call.frame, call.uncounted = c.lastID, notQueued, uncounted
	c.open.put(call.id, call)
	c.mu.Unlock()
	c.session.addWork(1)
	return call, nil
}

// newCall returns a call without an id: a spare one if there is one.
func (c *outgoingCalls) newCall() *OutgoingCall {
	for i := range c.spares {
		if spare := &c.spares[i]; spare.Load() != nil {
			if call := spare.Swap(nil); call != nil {
				return call
			}
		}
	}
	return &OutgoingCall{owner: c, done: make(chan struct{}, 1)}
}

// acquire takes a call from what the peer accepts, waiting for one until ctx ends. In a
// handler that serves the same peer it fails instead of waiting, since the peer may wait
// for that handler; but such a handler may still call while this side drains, because
// the drain waits for it. in is the call that the caller serves, or nil. The mutex must
// be held; it is released meanwhile.
func (c *outgoingCalls) acquire(ctx context.Context, in *Incoming) error {
	serving := in != nil && in.Session == c.session
	switch {
	case c.ended != nil:
		return c.ended
	case c.peerDraining && !in.serves(c.session), c.draining && !serving:
		return fault.NotSent(fault.Unavailable, ErrDrained)
	case c.free > 0:
		c.free--
		return nil
	case serving:
		return fault.NotSent(fault.LimitReached, errCallLimit)
	}
	wait := make(chan error, 1)
	c.waiters = append(c.waiters, wait)
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		c.cancelWait(wait)
		return context.Cause(ctx)
	}
}

// cancelWait removes a waiter whose context has ended.
func (c *outgoingCalls) cancelWait(wait chan error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.waiters {
		if w == wait {
			c.waiters = append(c.waiters[:i:i], c.waiters[i+1:]...)
			return
		}
	}
	if err := <-wait; err == nil { // it received a call at the same moment
		c.release()
	}
}

// release returns a call to what the peer accepts, or passes it to the first waiter. The
// mutex must be held.
func (c *outgoingCalls) release() {
	if len(c.waiters) == 0 {
		c.free++
		return
	}
	c.waiters[0] <- nil
	c.waiters = c.waiters[1:]
}

// failWaiters makes every waiting caller return err. The mutex must be held.
func (c *outgoingCalls) failWaiters(err error) {
	for _, w := range c.waiters {
		w <- err
	}
	c.waiters = nil
}

// take removes the call with that id and returns it, or nil if there is none. over is
// true if the session has ended. The caller must call addWork(-1) if there is one.
func (c *outgoingCalls) take(id uint64) (call *OutgoingCall, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call = c.open.remove(id); call == nil {
		return nil, c.ended != nil
	}
	if !call.uncounted {
		c.release()
	}
	return call, false
}

// abandon cancels a call whose caller no longer waits for the answer.
func (c *outgoingCalls) abandon(call *OutgoingCall) {
	c.mu.Lock()
	id := call.id // once the call is abandoned the reader may recycle it
	unanswered := c.open.get(id) == call
	if unanswered {
		call.abandoned = true
	}
	c.mu.Unlock()
	if unanswered {
		s := c.session
		var raw [20]byte
		s.queue.post(s.Format.AppendCancelRequest(nil, s.Format.AppendID(raw[:0], id)))
		return
	}
	<-call.done // the answer arrived at the same moment
	for _, rs := range call.Streams {
		rs.Cancel(context.Canceled)
	}
	call.Recycle()
}

// disown makes a call one whose answer nobody waits for, before it is sent.
func (c *outgoingCalls) disown(call *OutgoingCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.abandoned = true
}

// Recycle keeps the call for reuse. The caller must hold the only reference.
func (call *OutgoingCall) Recycle() {
	if call.buffer != nil {
		buffers.Put(call.buffer)
		call.Result = nil
	}
	c := call.owner
	*call = OutgoingCall{owner: c, done: call.done, Result: call.Result[:0]}
	for i := range c.spares {
		if spare := &c.spares[i]; spare.Load() == nil && spare.CompareAndSwap(nil, call) {
			return
		}
	}
}

// answer receives the answer to a call. The reader calls it.
func (c *outgoingCalls) answer(m *wire.Message) error {
	s := c.session
	id, ok := s.callID(m.ID)
	if !ok {
		return fmt.Errorf("an answer with an invalid id: %s", Brief(m.ID))
	}
	call, over := c.take(id)
	switch {
	case over:
		return nil
	case call == nil:
		return fmt.Errorf("an answer to a call that is not open: id %d", id)
	}
	var streams []*RecvStream
	var err error
	if len(m.Streams) > 0 {
		streams, err = s.recv.open(m.Streams, wire.CallerDepth)
	}
	s.addWork(-1)
	switch {
	case err == errEnded:
		call.finishWith(s.LostCallError(s.endCause()))
		return nil
	case err != nil && !isLimit(err):
		call.finishWith(s.LostCallError(err)) // finish no longer finds the call
		return err
	case call.abandoned:
		s.recv.refuse(streams)
		call.Recycle()
		return nil
	}
	call.Streams, call.Deep = streams, m.Deep
	if m.Meta != nil {
		call.Meta = decodeMeta(s.Format, m.Meta)
	}
	if held, buffer := s.reader.retain(m.Result); buffer != nil {
		call.Result, call.buffer = held, buffer
	} else {
		call.Result = append(call.Result[:0], m.Result...)
	}
	switch {
	case m.Error != nil:
		call.Err = s.receivedError(m.Error)
	case err != nil:
		call.Err = &fault.Error{Code: fault.LimitReached, Message: overStreams("caller", s.Limits.Streams, true).Error(), Ran: fault.Maybe}
	}
	call.done <- struct{}{}
	return nil
}

func (call *OutgoingCall) finishWith(err error) {
	call.Err = err
	call.done <- struct{}{}
}

// accept sets how many calls the peer accepts, as its hello states it. Nothing is in
// flight before.
func (c *outgoingCalls) accept(calls int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = int(min(calls, maxCalls))
}

// drain makes new calls fail, except those of handlers that serve the peer.
func (c *outgoingCalls) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
}

// peerDrains is drain for a peer that drains, where only handlers of unanswered calls
// are excepted. Waiting callers fail, and have to call elsewhere. last is the highest id
// of a request that the peer accepts.
func (c *outgoingCalls) peerDrains(last int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peerDraining = true
	c.lastAccepted = min(c.lastAccepted, last)
	c.failWaiters(fault.NotSent(fault.Unavailable, ErrDrained))
}

// end makes new calls and those that wait fail with err, and returns the unanswered
// calls.
func (c *outgoingCalls) end(err error) (unanswered idTable[OutgoingCall]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = err
	c.failWaiters(err)
	unanswered, c.open = c.open, unanswered
	return unanswered
}

// fail fails calls that end has returned. Those whose frames have not reached a
// transport, from the number unsent on, and those that the draining peer does not accept,
// have not run.
func (c *outgoingCalls) fail(calls idTable[OutgoingCall], unsent uint64, cause error) {
	c.mu.Lock()
	last := c.lastAccepted
	c.mu.Unlock()
	for call := range calls.all() {
		err := c.session.LostCallError(cause)
		if call.frame >= unsent || int64(call.id) > last {
			err.Ran = fault.No
		}
		c.session.addWork(-1)
		call.finishWith(err)
	}
}

func decodeMeta(form wire.Format, raw []byte) map[string]string {
	md := make(map[string]string)
	for k, v := range form.Object(raw) {
		md[k], _ = form.String(v)
	}
	return md
}
